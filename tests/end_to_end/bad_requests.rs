//! Bad requests to every operation of the API's document. Each request is refused with the right
//! status and the name of the wrong part, and changes nothing.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use webhooks_client::{Problem, SubscriptionsQuery};

use crate::fixture::Fixture;

/// The number of requests that run concurrently.
const AT_ONCE: usize = 8;

const SUBSCRIPTION: &str = "createSubscription updateSubscription";
const CUSTOMER: &str = "putCustomer updateCustomer";
const EVENT_TYPE: &str = "putEventType";
const RECOVERY: &str = "recover replay";
const PORTAL_SESSION: &str = "createPortalSession";

/// Values that a parameter of the document must not have, as written in a request.
fn parameters() -> Vec<(&'static str, Vec<String>)> {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let long = |prefix: &str, len: usize| format!("{prefix}{}", "a".repeat(len));
    let ids = |prefix: &str, other: &str, digits: usize| {
        vec![
            "x".to_owned(),
            prefix.to_owned(),
            long(prefix, digits - 1),
            long(prefix, digits + 1),
            long(prefix, digits).to_uppercase(),
            long(other, digits),
            format!("{}%00", long(prefix, digits - 1)),
        ]
    };
    let mut customers: Vec<_> = texts(&["a%20b", "%00", "%C3%BC", "%24where"]);
    customers.push(long("", 129));
    let mut cursors: Vec<_> = texts(&["", "x", "%F0%9F", "MQ", "eyJ2IjoxfQ", "../..", "%00"]);
    cursors.extend([
        // A cursor of another list.
        long("dlv_", 32),
        // `1.sub_…`, `1.msg_….x`: well formed, but not a position in any list.
        "MS5zdWJfNzBlNzliMmRmOTZkY2NhNWEwYTM2MjIzNmM4ZDg2ZjQ".to_owned(),
        "MS5tc2dfOWQ2MjFlY2RlOTgwYzllODllZjJiMGZhMGY0Y2M3ZTYueA".to_owned(),
        long("", 4_000),
    ]);
    let mut types: Vec<_> = texts(&["", "a*b", "*.created", "a%0Ab"]);
    types.push(long("", 129));
    let since = texts(&["", "yesterday", "1700000000", "2026-02-30T00:00:00Z"]);
    let mut until = since.clone();
    until.extend(texts(&[
        // Not later than `since`, also with a time zone.
        "2026-01-31T09:30:00Z&since=2026-01-31T09:30:00Z",
        "2026-01-31T09:30:00%2B01:00&since=2026-01-31T09:30:00Z",
    ]));
    let limits = ["", "0", "-1", "1001", "4294967297", "1e1", "1.0", "many"];
    let mut limits: Vec<_> = texts(&limits);
    limits.extend(texts(&["1&limit=2", "%31%00"]));
    vec![
        ("customerId", customers),
        ("subscriptionId", ids("sub_", "msg_", 32)),
        ("messageId", ids("msg_", "sub_", 32)),
        ("recoveryId", ids("rec_", "sub_", 32)),
        ("sessionId", ids("pse_", "sub_", 32)),
        ("name", type_names()),
        ("deliveryId", ids("dlv_", "msg_", 32)),
        ("limit", limits),
        ("cursor", cursors),
        ("status", texts(&["", "Held", "owed", "failed,held"])),
        ("kind", texts(&["", "Slow", "gone", "slow,failing", "%00"])),
        ("eventType", types),
        ("since", since),
        ("until", until),
        (
            "If-Match",
            texts(&["3", "\"3", "*,\"3\"", "\"1\" \"2\"", "'3'"]),
        ),
        ("Idempotency-Key", vec![long("", 256)]),
    ]
}

/// Event types that the catalogue cannot have.
fn type_names() -> Vec<String> {
    let names = ["order.*", "a%00", "%C3%BC", "%20a", "a%20%20b"];
    let long = "a".repeat(129);
    names
        .iter()
        .map(|&name| name.to_owned())
        .chain([long])
        .collect()
}

/// Parameters that are bad for some operations only.
const PARAMETERS_OF: &[(&str, &str, &str)] = &[
    ("listCustomers", "limit", "101"),
    ("listEventTypes", "limit", "101"),
    ("listSubscriptions", "limit", "101"),
    ("listPortalSessions", "limit", "101"),
    ("listRecoveries", "limit", "101"),
    ("listUnhealthySubscriptions", "limit", "101"),
    ("listUnhealthySubscriptionsOfCustomer", "limit", "101"),
    ("listDeliveries", "limit", "101"),
    ("listUndelivered", "limit", "101"),
    ("listUndelivered", "status", "succeeded"),
    ("listUndelivered", "status", "cancelled"),
    ("listDeliveriesOfCustomer", "limit", "101"),
    ("listMessages", "limit", "101"),
    ("listMessages", "status", "held"),
];

/// Paths that are not in the document.
const PATHS: &[(&str, u16, Option<&str>)] = &[
    ("/", 404, None),
    ("/nowhere", 404, None),
    ("/customers/acme/subscriptions/", 404, None),
    ("/messages/", 404, None),
    ("/OPENAPI.json", 404, None),
    ("/customers//subscriptions", 400, Some("customerId")),
    // `ac%0Ame` is not the customer `acme`.
    ("/customers/ac%0Ame/subscriptions", 400, Some("path")),
    ("/customers/acme%09/subscriptions", 400, Some("path")),
    ("/customers/x%2F..%2Facme/subscriptions", 400, Some("path")),
    ("/customers/x%5C..%5Cacme/subscriptions", 400, Some("path")),
];

/// Bad bodies: the operations, the field to replace in a good body, and its bad value. The problem
/// names this field.
#[expect(clippy::too_many_lines, reason = "a table")]
fn bodies() -> Vec<(&'static str, &'static str, Value)> {
    // 14 waits of a week each, but the stack keeps a delivery for 90 days.
    let mut longer_than_kept = vec![604_800; 15];
    longer_than_kept[0] = 0;
    let many = |count: usize| -> BTreeMap<String, &str> {
        (0..count).map(|n| (format!("x-{n}"), "1")).collect()
    };
    let long = |len: usize| "a".repeat(len);
    let deep = (0..17).fold(json!([1]), |pattern, _| json!({"a": pattern}));
    let nested = (0..63).fold(json!({}), |inner, _| json!([inner]));
    let mut rows = vec![
        // A patch merges these fields and a creation requires them, so both refuse `null`.
        (SUBSCRIPTION, "url", json!(null)),
        (SUBSCRIPTION, "eventTypes", json!(null)),
        (SUBSCRIPTION, "eventTypes", json!([])),
        (SUBSCRIPTION, "eventTypes", json!("order.created")),
        (SUBSCRIPTION, "eventTypes", json!([""])),
        (SUBSCRIPTION, "eventTypes", json!(["order.*.created"])),
        (SUBSCRIPTION, "eventTypes", json!(["*.created"])),
        (SUBSCRIPTION, "eventTypes", json!(["a\u{0}b"])),
        (SUBSCRIPTION, "eventTypes", json!([long(129)])),
        (SUBSCRIPTION, "eventTypes", json!(vec!["a"; 51])),
        (SUBSCRIPTION, "payloadFormat", json!("raw")),
        (SUBSCRIPTION, "payloadFormat", json!(null)),
        // Without the format that they belong to.
        (SUBSCRIPTION, "payloadFields", json!(["/a"])),
        (SUBSCRIPTION, "payloadFields", json!([])),
        (SUBSCRIPTION, "payloadFields", json!(["a"])),
        (SUBSCRIPTION, "payloadFields", json!(vec!["/a"; 101])),
        (SUBSCRIPTION, "transform", json!({"template": "1"})),
        (SUBSCRIPTION, "contentType", json!("json")),
        (SUBSCRIPTION, "contentType", json!("text/plain\r\nx-a: 1")),
        (SUBSCRIPTION, "contentType", json!("multipart/form-data")),
        (SUBSCRIPTION, "method", json!("GET")),
        (SUBSCRIPTION, "method", json!("post")),
        (SUBSCRIPTION, "method", json!(null)),
        (SUBSCRIPTION, "queryParameters", json!(many(6))),
        (SUBSCRIPTION, "queryParameters", json!({"a": "1\n"})),
        (SUBSCRIPTION, "queryParameters", json!({"": "1"})),
        (SUBSCRIPTION, "queryParameters", json!({"a": 1})),
        (SUBSCRIPTION, "rateLimitPerSecond", json!(0)),
        (SUBSCRIPTION, "rateLimitPerSecond", json!(201)),
        (SUBSCRIPTION, "rateLimitPerSecond", json!("5")),
        (SUBSCRIPTION, "maxInFlight", json!(51)),
        (SUBSCRIPTION, "maxInFlight", json!(-1)),
        (SUBSCRIPTION, "timeoutSeconds", json!(0)),
        (SUBSCRIPTION, "timeoutSeconds", json!(-1)),
        (SUBSCRIPTION, "timeoutSeconds", json!(1.5)),
        (SUBSCRIPTION, "timeoutSeconds", json!("3")),
        (SUBSCRIPTION, "timeoutSeconds", json!(u64::MAX)),
        // More than the RequestTimeoutSeconds of this stack.
        (SUBSCRIPTION, "timeoutSeconds", json!(4)),
        (SUBSCRIPTION, "metadata", json!({"plan": 7})),
        (SUBSCRIPTION, "metadata", json!({"": "x"})),
        (SUBSCRIPTION, "metadata", json!({"plan": long(257)})),
        (SUBSCRIPTION, "metadata", json!({"plan": "a\nb"})),
        (SUBSCRIPTION, "metadata", json!(many(21))),
        (SUBSCRIPTION, "headers", json!(many(21))),
        (SUBSCRIPTION, "headers", json!({"": "1"})),
        (SUBSCRIPTION, "headers", json!({"x y": "1"})),
        (SUBSCRIPTION, "headers", json!({long(65): "1"})),
        (SUBSCRIPTION, "headers", json!({"x-a": "1\r\nx-b: 2"})),
        (SUBSCRIPTION, "headers", json!({"x-a": "ü"})),
        (SUBSCRIPTION, "headers", json!({"x-a": long(2_049)})),
        (
            SUBSCRIPTION,
            "headers",
            json!({"a": long(2_048), "b": long(2_048)}),
        ),
        (SUBSCRIPTION, "headers", json!({"Webhook-Signature": "v1,"})),
        (SUBSCRIPTION, "headers", json!({"host": "example.com"})),
        (SUBSCRIPTION, "headers", json!({"content-length": "1"})),
        (
            SUBSCRIPTION,
            "headers",
            json!({"transfer-encoding": "chunked"}),
        ),
        (SUBSCRIPTION, "authentication", json!("basic")),
        (SUBSCRIPTION, "authentication", json!({})),
        (SUBSCRIPTION, "authentication", json!({"type": "digest"})),
        (SUBSCRIPTION, "authentication", json!({"type": "bearer"})),
        (
            SUBSCRIPTION,
            "authentication",
            json!({"type": "bearer", "token": "a\r\nb: 1"}),
        ),
        (
            SUBSCRIPTION,
            "authentication",
            json!({"type": "bearer", "token": long(2_001)}),
        ),
        (
            SUBSCRIPTION,
            "authentication",
            json!({"type": "bearer", "token": "t", "username": "a"}),
        ),
        (
            SUBSCRIPTION,
            "authentication",
            json!({"type": "oauth2", "tokenUrl": "https://login.example.com/"}),
        ),
        (
            SUBSCRIPTION,
            "authentication",
            json!({"type": "oauth2", "tokenUrl": "https://169.254.169.254/", "clientId": "a", "clientSecret": "s"}),
        ),
        (
            SUBSCRIPTION,
            "authentication",
            json!({"type": "oauth2", "tokenUrl": "https://login.example.com/", "clientId": "a", "clientSecret": "s", "clientAuthentication": "query"}),
        ),
        (
            SUBSCRIPTION,
            "authentication",
            json!({"type": "basic", "username": "a:b", "password": "p"}),
        ),
        (
            SUBSCRIPTION,
            "authentication",
            json!({"type": "apiKey", "header": "webhook-id", "value": "k"}),
        ),
        (
            SUBSCRIPTION,
            "authentication",
            json!({"type": "mtls", "certificate": "c"}),
        ),
        (
            SUBSCRIPTION,
            "authentication",
            json!({"type": "mtls", "certificate": "c", "privateKey": "k"}),
        ),
        (
            SUBSCRIPTION,
            "authentication",
            json!({"type": "mtls", "certificate": long(12_289), "privateKey": "k"}),
        ),
        (SUBSCRIPTION, "retryPolicy", json!({})),
        (SUBSCRIPTION, "retryPolicy", json!({"schedule": []})),
        (SUBSCRIPTION, "retryPolicy", json!({"schedule": [5]})),
        (SUBSCRIPTION, "retryPolicy", json!({"schedule": [0, -1]})),
        (
            SUBSCRIPTION,
            "retryPolicy",
            json!({"schedule": [0, 604_801]}),
        ),
        (
            SUBSCRIPTION,
            "retryPolicy",
            json!({"schedule": vec![0; 51]}),
        ),
        (
            SUBSCRIPTION,
            "retryPolicy",
            json!({"schedule": [0], "jitter": 2}),
        ),
        (
            SUBSCRIPTION,
            "retryPolicy",
            json!({"schedule": [0], "maxAttempts": 1}),
        ),
        (
            SUBSCRIPTION,
            "retryPolicy",
            json!({"schedule": longer_than_kept}),
        ),
        (SUBSCRIPTION, "retryPolicy", json!({"maxAttempts": 5})),
        (SUBSCRIPTION, "retryPolicy", json!({"attempts": 5})),
        (SUBSCRIPTION, "secret", json!(null)),
        (SUBSCRIPTION, "secret", json!("hunter2")),
        (SUBSCRIPTION, "secret", json!("whsec_c2hvcnQ=")),
        (
            SUBSCRIPTION,
            "secret",
            json!("whsec_not base64 at all, but long enough"),
        ),
        (SUBSCRIPTION, "secret", json!("whsk_c2hvcnQ=")),
        (SUBSCRIPTION, "held", json!("send")),
        (SUBSCRIPTION, "held", json!(null)),
        ("enableSubscription", "held", json!(null)),
        ("enableSubscription", "held", json!("Send")),
        ("enableSubscription", "held", json!(["send"])),
        (SUBSCRIPTION, "status", json!("sleeping")),
        (SUBSCRIPTION, "status", json!("disabled")),
        (SUBSCRIPTION, "description", json!(long(513))),
        (SUBSCRIPTION, "description", json!("a\u{7}b")),
        (SUBSCRIPTION, "id", json!("sub_1")),
        (CUSTOMER, "name", json!("")),
        (CUSTOMER, "name", json!(long(257))),
        (CUSTOMER, "name", json!("a\nb")),
        (CUSTOMER, "name", json!(7)),
        ("putCustomer", "name", json!(null)),
        ("putCustomer", "metadata", json!(null)),
        ("putCustomer", "metadata", json!({"plan": null})),
        (CUSTOMER, "metadata", json!({"plan": 7})),
        (CUSTOMER, "metadata", json!({"": "x"})),
        (CUSTOMER, "metadata", json!({"plan": long(257)})),
        (CUSTOMER, "metadata", json!(many(21))),
        (CUSTOMER, "maxSubscriptions", json!(0)),
        (CUSTOMER, "rateLimitPerSecond", json!(0)),
        (CUSTOMER, "rateLimitPerSecond", json!(201)),
        (CUSTOMER, "rateLimitPerSecond", json!("5")),
        (CUSTOMER, "contacts", json!("ops@example.com")),
        (CUSTOMER, "contacts", json!(["ops"])),
        (CUSTOMER, "contacts", json!(["a@b.c\r\nBcc: x@example.com"])),
        (CUSTOMER, "contacts", json!(vec!["ops@example.com"; 2])),
        ("putCustomer", "contacts", json!(null)),
        (CUSTOMER, "subscriptions", json!(1)),
        (CUSTOMER, "version", json!(2)),
        (EVENT_TYPE, "description", json!("")),
        (EVENT_TYPE, "description", json!(long(1_025))),
        (EVENT_TYPE, "description", json!(null)),
        (EVENT_TYPE, "group", json!(long(65))),
        (EVENT_TYPE, "group", json!("a\nb")),
        (EVENT_TYPE, "schema", json!(true)),
        (EVENT_TYPE, "schema", json!(null)),
        (EVENT_TYPE, "schema", json!({"a": long(32_768)})),
        (EVENT_TYPE, "schema", json!({"a": nested})),
        (EVENT_TYPE, "validation", json!("on")),
        (EVENT_TYPE, "validation", json!(null)),
        (EVENT_TYPE, "validation", json!("refuse")),
        (EVENT_TYPE, "examples", json!({})),
        (EVENT_TYPE, "examples", json!(["{}"])),
        (EVENT_TYPE, "examples", json!([{}, {}, {}, {}])),
        (EVENT_TYPE, "examples", json!([{"a": long(8_192)}])),
        (EVENT_TYPE, "deprecated", json!(true)),
        (EVENT_TYPE, "deprecated", json!({"replacedBy": null})),
        (EVENT_TYPE, "deprecated", json!({"replacedBy": "order.*"})),
        (EVENT_TYPE, "deprecated", json!({"by": "order.created"})),
        (EVENT_TYPE, "name", json!("order.created")),
        (PORTAL_SESSION, "capabilities", json!([])),
        (PORTAL_SESSION, "capabilities", json!(["everything"])),
        (PORTAL_SESSION, "capabilities", json!("view")),
        (PORTAL_SESSION, "expiresInSeconds", json!(59)),
        (PORTAL_SESSION, "expiresInSeconds", json!(86_401)),
        (PORTAL_SESSION, "expiresInSeconds", json!("3600")),
        (
            PORTAL_SESSION,
            "returnUrl",
            json!("http://app.example.com/"),
        ),
        (
            PORTAL_SESSION,
            "returnUrl",
            json!("https://elsewhere.example/"),
        ),
        (PORTAL_SESSION, "returnUrl", json!(null)),
        ("rotateSecret", "overlapSeconds", json!(-1)),
        ("rotateSecret", "overlapSeconds", json!(604_801)),
        ("rotateSecret", "overlapSeconds", json!("60")),
        ("rotateSecret", "kind", json!("v2")),
        ("rotateSecret", "secret", json!("hunter2")),
        ("sendTest", "eventType", json!("")),
        ("sendTest", "eventType", json!(null)),
        ("sendTest", "eventType", json!("a\nb")),
        ("sendTest", "eventType", json!(long(129))),
        (RECOVERY, "since", json!("yesterday")),
        (RECOVERY, "since", json!("2999-01-01T00:00:00Z")),
        (RECOVERY, "since", json!(1_700_000_000)),
        (RECOVERY, "until", json!("tomorrow")),
        (RECOVERY, "perSecond", json!(0)),
        (RECOVERY, "perSecond", json!(101)),
        (RECOVERY, "perSecond", json!(0.5)),
        (RECOVERY, "dryRun", json!("yes")),
        ("recover", "statuses", json!([])),
        ("recover", "statuses", json!(["pending"])),
        ("replay", "statuses", json!(["failed"])),
        ("testFilter", "filter", json!(null)),
        ("testFilter", "event", json!(null)),
        ("testFilter", "event", json!({})),
        ("testFilter", "event", json!({"detail": "text"})),
        ("testFilter", "event", json!([{"detail": {}}])),
        ("testFilter", "detail", json!({})),
        ("testTransform", "transform", json!(null)),
        ("testTransform", "transform", json!({"template": ""})),
        (
            "testTransform",
            "transform",
            json!({"template": "{\"<a>\": 1}", "paths": {"a": "$.a"}}),
        ),
        ("testTransform", "transform", json!({"template": "<a>"})),
        (
            "testTransform",
            "transform",
            json!({"template": "1", "paths": {"a": "$['a']"}}),
        ),
        (
            "testTransform",
            "transform",
            json!({"template": "1", "paths": {"a b": "$.a"}}),
        ),
        ("testTransform", "contentType", json!(7)),
        ("testTransform", "contentType", json!("text/a, text/b")),
        ("testTransform", "example", json!(null)),
        ("testTransform", "example", json!("order.created")),
        ("testTransform", "event", json!(null)),
        ("testTransform", "event", json!({"detail": "text"})),
        ("testTransform", "event", json!([{"detail": {}}])),
    ];
    for url in [
        "",
        "example.com",
        "//example.com/",
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://user:password@example.com/",
        "https://example.com/#fragment",
        "https://example.com\\@10.0.0.1/",
        "https://exa mple.com/",
        "https://example.com/\r\nx-a: 1",
        "https://10.0.0.1/",
        "https://0x0a.1/",
        "https://167772161/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "http://169.254.169.254/latest/meta-data",
        "https://localhost/",
        "https://localhost./",
        "https://database.internal/",
        "https://example.com:0/",
        "https://example.com:22/",
        "https://example.com:65536/",
        &format!("https://example.com/{}", long(2_048)),
    ] {
        rows.push((SUBSCRIPTION, "url", json!(url)));
    }
    for pattern in [
        json!("total > 100"),
        json!({}),
        json!({"total": "100"}),
        json!({"total": []}),
        json!({"total": [[1]]}),
        json!({"total": [{"numeric": ["near", 1]}]}),
        json!({"total": [{"numeric": [">", 5, "<", 1]}]}),
        json!({"total": [{"regexp": ".*"}]}),
        json!({"$or": [{"a": [1]}]}),
        json!({"a.b": [1]}),
        json!({"a": [long(2_048)]}),
        deep,
    ] {
        let operations = "createSubscription updateSubscription testFilter";
        rows.push((operations, "filter", pattern));
    }
    rows
}

/// Bodies that every operation with a body refuses, with the status and the field.
fn any_body() -> Vec<(Bytes, u16, &'static str)> {
    let unprocessable = [
        "{",
        "[]",
        "\"text\"",
        "null",
        "7",
        "\u{0}",
        "{\"a\": 1} and more",
        "{'a': 1}",
    ];
    let unprocessable = unprocessable.map(|text| (Bytes::from(text), 422, "body"));
    let mut all = Vec::from(unprocessable);
    all.extend([
        (Bytes::from_static(b"\xff\xfe{}"), 422, "body"),
        (Bytes::from_static(b"{\"\xff\": 1}"), 422, "body"),
        (Bytes::from("[".repeat(60_000)), 422, "body"),
        (Bytes::from(r#"{"a":"#.repeat(10_000)), 422, "body"),
        (Bytes::from(r#"{"nonsense": 1}"#), 422, "nonsense"),
        (Bytes::from(r#"{"a": 1, "b": 1, "a": 2}"#), 422, "a"),
        (Bytes::from(" ".repeat(65_537)), 413, "body"),
    ]);
    all
}

/// A body that the operation accepts, and that does not affect the other operations.
fn good_body(operation: &str) -> Value {
    match operation {
        "createSubscription" => json!({"url": "https://example.com/", "eventTypes": ["none"]}),
        "updateSubscription" => json!({"description": "new"}),
        PORTAL_SESSION => json!({"capabilities": ["view"]}),
        "recover" | "replay" => json!({"since": "2020-01-01T00:00:00Z", "dryRun": true}),
        "testTransform" => json!({"transform": {"template": "1"}, "event": {"detail": {}}}),
        "testFilter" => json!({"filter": {"a": [1]}, "event": {"detail": {"a": 1}}}),
        _ => json!({}),
    }
}

/// One operation of the document.
struct Operation {
    id: String,
    method: Method,
    path: String,
    /// The name of each parameter and where it is (`path`, `query` or `header`).
    parameters: Vec<(String, String)>,
    /// The schema of its body.
    body: Option<Value>,
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            let schema = body["$ref"].as_str().map(|reference| {
                let pointer = reference.trim_start_matches('#');
                document.pointer(pointer).unwrap().clone()
            });
            operations.push(Operation {
                id: text(&operation["operationId"]),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                parameters: parameters
                    .map(|p| (text(&p["name"]), text(&p["in"])))
                    .collect(),
                body: schema,
            });
        }
    }
    operations
}

impl Operation {
    fn has(&self, place: &str) -> impl Iterator<Item = &str> {
        let there = self.parameters.iter().filter(move |(_, at)| at == place);
        there.map(|(name, _)| name.as_str())
    }
}

/// A request and the answer that it must get.
#[derive(Clone)]
struct Case {
    method: Method,
    /// Path and query.
    path: String,
    header: Option<(String, String)>,
    body: Option<Bytes>,
    status: u16,
    field: Option<String>,
}

/// The requests to all operations.
struct Cases {
    /// The values of path parameters, by name.
    path_values: BTreeMap<&'static str, String>,
    cases: Vec<Case>,
}

impl Cases {
    /// A request that the operation accepts.
    fn good(&self, operation: &Operation) -> Case {
        let mut path = operation.path.clone();
        for (name, id) in &self.path_values {
            path = path.replace(&format!("{{{name}}}"), id);
        }
        let body = operation.body.as_ref();
        Case {
            method: operation.method.clone(),
            path,
            header: None,
            body: body.map(|_| Bytes::from(good_body(&operation.id).to_string())),
            status: 200,
            field: None,
        }
    }

    fn add(&mut self, case: Case, status: u16, field: Option<&str>) {
        self.cases.push(Case {
            status,
            field: field.map(str::to_owned),
            ..case
        });
    }

    fn add_parameter(&mut self, operation: &Operation, name: &str, place: &str, value: &str) {
        let good = self.good(operation);
        let (case, field) = match place {
            "path" => {
                let path = good.path.replace(&self.path_values[name], value);
                (Case { path, ..good }, name.to_owned())
            }
            "query" => {
                let path = format!("{}?{name}={value}", good.path);
                (Case { path, ..good }, name.to_owned())
            }
            _ => {
                let header = Some((name.to_owned(), value.to_owned()));
                (Case { header, ..good }, name.to_lowercase())
            }
        };
        self.add(case, 400, Some(&field));
    }

    fn add_body(&mut self, operation: &Operation, body: &Value, field: &str) {
        let case = Case {
            body: Some(Bytes::from(body.to_string())),
            ..self.good(operation)
        };
        self.add(case, 422, Some(field));
    }

    fn add_operation(&mut self, operation: &Operation, foreign: &BTreeMap<&str, String>) {
        self.add_parameter(operation, "nonsense", "query", "1");
        let bad = parameters();
        for (name, place) in &operation.parameters {
            let row = bad.iter().find(|(parameter, _)| parameter == name);
            let (_, values) =
                row.unwrap_or_else(|| panic!("no bad value for the parameter `{name}`"));
            for value in values {
                self.add_parameter(operation, name, place, value);
            }
        }
        // The lists of a customer that does not exist are empty.
        let is_list = |name: &str| name == "customerId" && operation.has("path").count() == 1;
        // What does not exist is created.
        let is_created = |name: &str| name == "name" && operation.method == Method::PUT;
        let others = operation.has("path");
        for name in others.filter(|name| !is_list(name) && !is_created(name)) {
            let good = self.good(operation);
            let path = good.path.replace(&self.path_values[name], &foreign[name]);
            self.add(Case { path, ..good }, 404, None);
        }
        if let Some(schema) = &operation.body {
            self.add_bodies(operation, schema);
        }
    }

    fn add_bodies(&mut self, operation: &Operation, schema: &Value) {
        for (body, status, field) in any_body() {
            let body = Some(body);
            let case = Case {
                body,
                ..self.good(operation)
            };
            self.add(case, status, Some(field));
        }
        let good = good_body(&operation.id);
        for field in schema["properties"].as_object().into_iter().flatten() {
            let mut body = good.clone();
            body[field.0] = json!([[]]);
            self.add_body(operation, &body, field.0);
        }
        for field in schema["required"].as_array().into_iter().flatten() {
            let field = field.as_str().unwrap();
            let mut body = good.clone();
            body.as_object_mut().unwrap().remove(field);
            self.add_body(operation, &body, field);
        }
        for (operations, field, value) in bodies() {
            if operations.split(' ').any(|id| id == operation.id) {
                let mut body = good.clone();
                body[field] = value;
                self.add_body(operation, &body, field);
            }
        }
    }

    /// Adds requests with other methods to the paths of the document, and to paths that are not in
    /// it.
    fn add_other_methods_and_paths(&mut self, operations: &[Operation]) {
        let methods = [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ];
        for operation in operations {
            for method in &methods {
                let is_there =
                    |other: &Operation| other.path == operation.path && other.method == *method;
                if !operations.iter().any(is_there) {
                    let method = method.clone();
                    let good = self.good(operation);
                    self.add(Case { method, ..good }, 405, None);
                }
            }
        }
        for &(path, status, field) in PATHS {
            self.cases.push(Case {
                method: Method::GET,
                path: path.to_owned(),
                header: None,
                body: None,
                status,
                field: field.map(str::to_owned),
            });
        }
    }
}

/// Sends the request. Returns the status, `true` if the answer is a problem, and the body.
async fn send(test: &Fixture, case: &Case) -> Result<(StatusCode, bool, Bytes)> {
    let url = test.stack.output("ApiUrl")?.trim_end_matches('/');
    let mut request = Request::builder()
        .method(case.method.clone())
        .uri(format!("{url}{}", case.path));
    if let Some((name, value)) = &case.header {
        request = request.header(name, value);
    }
    let request = request.body(case.body.clone().unwrap_or_default())?;
    let answer = test.stack.signed_http().send("lambda", request).await?;
    let content_type = answer.headers().get("content-type");
    let is_problem = content_type.is_some_and(|is| is == "application/problem+json");
    Ok((answer.status(), is_problem, answer.into_body()))
}

/// Describes what is wrong with the answer to a bad request. `None` if the answer is right.
async fn fault(test: &Fixture, case: &Case) -> Option<String> {
    let got = match send(test, case).await {
        Err(error) => format!("{error:#}"),
        Ok((status, is_problem, body)) => {
            let problem: Option<Problem> = serde_json::from_slice(&body).ok();
            let is_good = is_problem
                && status.as_u16() == case.status
                && problem.is_some_and(|problem| {
                    problem.status == case.status && problem.field == case.field
                });
            if is_good {
                return None;
            }
            format!("{status} {}", String::from_utf8_lossy(&body))
        }
    };
    let body = case.body.as_deref().map(String::from_utf8_lossy);
    let body: String = body.unwrap_or_default().chars().take(200).collect();
    let Case {
        method,
        path,
        header,
        status,
        field,
        ..
    } = case;
    Some(format!(
        "{method} {path} {header:?} {body}\n  wanted {status} {field:?}, got {got}"
    ))
}

#[tokio::test]
async fn every_bad_request_is_refused_by_name_and_changes_nothing() -> Result<()> {
    let test = Fixture::new("bad-requests").await?;
    let stranger = test.another("bad-requests-stranger").await?;
    let foreign_subscription = stranger.subscribe("/theirs").await?.subscription;
    let created = test.subscribe("/ours").await?;
    let before = created.subscription.clone();
    test.put("order.created", json!({})).await?;
    let message = test.first_request("/ours").await?.webhook_id().to_owned();
    let delivery = test.settled_delivery(&message, &created).await?.id;
    let request = webhooks_client::Recover {
        since: "2020-01-01T00:00:00Z".to_owned(),
        ..Default::default()
    };
    let replay = webhooks_client::RecoveryKind::Replay;
    let recovery = test
        .api
        .start_recovery(replay, &test.customer, &before.id, &request);
    let recovery = recovery.await?.id;

    let session = good_body(PORTAL_SESSION);
    let session = test.api.create_portal_session(&test.customer, &session);
    let session = session.await?.id;

    let event_type = format!("{}.created", test.customer);
    let event_type = test.api.put_event_type(&event_type, &json!({})).await?;

    let operations = operations(&test.api.openapi().await?);
    let nobody = "0".repeat(32);
    let foreign = BTreeMap::from([
        ("customerId", stranger.customer.clone()),
        ("subscriptionId", foreign_subscription.id),
        ("messageId", format!("msg_{nobody}")),
        ("deliveryId", format!("dlv_{nobody}_{nobody}")),
        ("recoveryId", format!("rec_{nobody}")),
        ("sessionId", format!("pse_{nobody}")),
        ("name", format!("{}.none", test.customer)),
    ]);
    let mut cases = Cases {
        path_values: BTreeMap::from([
            ("customerId", test.customer.clone()),
            ("subscriptionId", before.id.clone()),
            ("messageId", message),
            ("deliveryId", delivery),
            ("recoveryId", recovery),
            ("sessionId", session),
            ("name", event_type.name.clone()),
        ]),
        cases: Vec::new(),
    };
    for operation in &operations {
        cases.add_operation(operation, &foreign);
    }
    for &(id, name, value) in PARAMETERS_OF {
        let operation = operations.iter().find(|operation| operation.id == id);
        cases.add_parameter(operation.context(id)?, name, "query", value);
    }
    cases.add_other_methods_and_paths(&operations);
    println!(
        "{} bad requests to {} operations",
        cases.cases.len(),
        operations.len()
    );

    let faults = stream::iter(&cases.cases).map(|case| fault(&test, case));
    let faults: Vec<_> = faults.buffer_unordered(AT_ONCE).collect().await;
    let faults: Vec<_> = faults.into_iter().flatten().collect();
    ensure!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );

    let customer = test.api.customer(&test.customer).await?;
    assert_eq!((customer.version, customer.subscriptions), (1, 1));
    let unchanged = test.api.event_type(&event_type.name).await?;
    assert_eq!(unchanged.version, 1);
    let all = SubscriptionsQuery::default();
    let list = test.api.subscriptions(&test.customer, &all).await?;
    assert_eq!(list.data, [before], "something was changed or created");
    // Without its fault each of these requests is accepted.
    let (mut deletion, others): (Vec<_>, Vec<_>) = operations
        .iter()
        .partition(|operation| operation.method == Method::DELETE);
    // A part before the whole.
    deletion.sort_by_key(|operation| std::cmp::Reverse(operation.path.len()));
    for operation in others.into_iter().chain(deletion) {
        let case = cases.good(operation);
        let (status, _, body) = send(&test, &case).await?;
        assert!(status.is_success(), "{}: {body:?}", operation.id);
    }
    Ok(())
}
