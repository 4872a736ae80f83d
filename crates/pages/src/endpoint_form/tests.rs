use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::*;

fn subscription(fields: &Value) -> Subscription {
    let mut subscription = json!({
        "id": "sub_1", "customerId": "acme", "url": "https://example.com/", "eventTypes": ["a", "b.*"],
        "payloadFormat": "standard", "secrets": [], "status": "active", "version": 3,
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
    });
    let fields = fields.as_object().unwrap().clone();
    subscription.as_object_mut().unwrap().extend(fields);
    serde_json::from_value(subscription).unwrap()
}

fn parsed(fields: &[(&str, &str)]) -> EndpointForm {
    let body = Serializer::new(String::new()).extend_pairs(fields).finish();
    EndpointForm::parse(body.as_bytes())
}

fn json_of(patch: &SubscriptionPatch) -> Value {
    serde_json::to_value(patch).unwrap()
}

#[test]
fn a_new_endpoint_has_what_was_entered() {
    let form = parsed(&[
        ("csrf", "token"),
        ("url", " https://example.com/a "),
        ("eventTypes", "order.*\r\n\r\ninvoice.paid, a b"),
        ("filter", "{\"a\": [12345678901234567890.10]}"),
        ("payloadFormat", "detail"),
        ("headers", "X-Api-Key: k:1\r\n"),
        ("secretHeaders", "authorization:  Bearer x"),
        ("authentication", "apiKey"),
        ("authenticationHeader", "x-key"),
        ("authenticationSecret", "k3y "),
        ("retry", "schedule"),
        ("schedule", "0, 60 3600"),
        ("maxAttempts", "9"),
        ("timeoutSeconds", "5"),
        ("maxInFlight", "99999999999"),
    ]);
    let patch = form.patch(None).unwrap();
    let filter = r#"{"a": [12345678901234567890.10]}"#;
    let Nullable::Value(kept) = &patch.filter else {
        panic!("no filter")
    };
    assert_eq!(kept.as_json(), filter);
    let patch = SubscriptionPatch {
        filter: Nullable::Absent,
        ..patch
    };
    assert_eq!(
        json_of(&patch),
        json!({
            "url": "https://example.com/a", "eventTypes": ["order.*", "invoice.paid", "a b"],
            "payloadFormat": "detail", "headers": {"x-api-key": "k:1"},
            "secretHeaders": {"authorization": "Bearer x"},
            "authentication": {"type": "apiKey", "header": "x-key", "value": "k3y "}, "retryPolicy": {"schedule": [0, 60, 3600]},
            "timeoutSeconds": 5, "maxInFlight": u32::MAX,
        })
    );
}

#[test]
fn a_form_that_was_not_touched_changes_nothing() {
    let all = json!({
        "filter": {"a": [1]}, "description": "ours", "headers": {"x-a": "1", "x-b": "a: b"},
        "secretHeaders": ["x-c"], "authentication": {"type": "basic", "username": "ann"}, "timeoutSeconds": 5, "rateLimitPerSecond": 7, "maxInFlight": 2,
        "retryPolicy": {"maxAttempts": 5, "intervalSeconds": 10, "backoffRate": 2.5, "maxDelaySeconds": 60, "jitter": 0.2},
    });
    let schedule = json!({"retryPolicy": {"schedule": [0, 5], "jitter": 0.0}});
    for fields in [json!({}), all, schedule] {
        let before = subscription(&fields);
        let patch = EndpointForm::of(&before).patch(Some(&before)).unwrap();
        assert_eq!(patch, SubscriptionPatch::default());
    }
}

#[test]
fn only_what_differs_is_sent() {
    let before = subscription(&json!({
        "filter": {"a": [1]}, "description": "ours", "headers": {"x-a": "1", "x-b": "2"},
        "secretHeaders": ["authorization", "x-s"], "timeoutSeconds": 5, "retryPolicy": {"schedule": [0, 5]},
    }));
    let form = EndpointForm {
        filter: String::new(),
        description: String::new(),
        headers: "x-b: 3".to_owned(),
        removed_secret_headers: vec!["authorization".to_owned()],
        retry: RetryForm::default(),
        timeout_seconds: String::new(),
        ..EndpointForm::of(&before)
    };
    assert_eq!(
        json_of(&form.patch(Some(&before)).unwrap()),
        json!({
            "filter": null, "description": null, "headers": {"x-a": null, "x-b": "3"},
            "secretHeaders": {"authorization": null}, "retryPolicy": null, "timeoutSeconds": null,
        })
    );
}

#[test]
fn an_authentication_is_kept_replaced_or_removed() {
    let before = subscription(&json!({"authentication": {"type": "basic", "username": "ann"}}));
    let patch = |change: fn(&mut AuthenticationForm)| {
        let mut form = EndpointForm::of(&before);
        change(&mut form.authentication);
        form.patch(Some(&before)).map(|patch| json_of(&patch))
    };
    assert_eq!(patch(|_| {}).unwrap(), json!({}));
    let rotated = json!({"type": "basic", "username": "ann", "password": "new"});
    assert_eq!(
        patch(|form| form.secret = "new".to_owned()).unwrap(),
        json!({"authentication": rotated})
    );
    assert_eq!(
        patch(|form| form.kind = String::new()).unwrap(),
        json!({"authentication": null})
    );
    // The API refuses the empty token.
    assert_eq!(
        patch(|form| form.kind = "bearer".to_owned()).unwrap(),
        json!({"authentication": {"type": "bearer", "token": ""}})
    );
    let refused = patch(|form| form.kind = "digest".to_owned()).unwrap_err();
    assert!(refused.is_of("authentication"));
}

#[test]
fn the_settings_of_access_tokens_are_read_and_shown() {
    let read = EndpointForm::parse(
        b"url=https://example.com/&authentication=oauth2&tokenUrl=https://login.example.com/token\
          &clientId=acme&scope=a+b&audience=&clientAuthentication=body&authenticationSecret=new",
    );
    let given = json!({
        "type": "oauth2", "tokenUrl": "https://login.example.com/token", "clientId": "acme",
        "clientSecret": "new", "scope": "a b", "clientAuthentication": "body",
    });
    let patch = json_of(&read.patch(None).unwrap());
    assert_eq!(patch["authentication"], given);
    let mut shown = given;
    shown.as_object_mut().unwrap().remove("clientSecret");
    let before = subscription(&json!({"authentication": shown}));
    let mut form = EndpointForm::of(&before);
    assert_eq!(
        form.patch(Some(&before)).unwrap(),
        SubscriptionPatch::default()
    );
    form.authentication.client_authentication = "query".to_owned();
    let refused = form.patch(Some(&before)).unwrap_err();
    assert!(refused.is_of("authentication"));
}

#[test]
fn a_client_certificate_is_kept_or_replaced() {
    let before = subscription(&json!({"authentication": {
        "type": "mtls", "subject": "CN=a", "issuer": "CN=b", "sha256Fingerprint": "00",
        "notBefore": "2026-01-01T00:00:00.000Z", "notAfter": "2027-01-01T00:00:00.000Z",
    }}));
    assert_eq!(EndpointForm::of(&before).authentication.kind, "mtls");
    let body = |certificate: &str, key: &str| {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.append_pair("authentication", "mtls");
        body.append_pair("authenticationCertificate", certificate);
        body.append_pair("authenticationPrivateKey", key);
        EndpointForm::parse(body.finish().as_bytes()).authentication
    };
    let patch = |authentication: AuthenticationForm| {
        let mut form = EndpointForm::of(&before);
        form.authentication = authentication;
        json_of(&form.patch(Some(&before)).unwrap())
    };
    assert_eq!(patch(body("", "")), json!({}));
    let entered = body("-----BEGIN\r\nAAAA\r\n", "-----BEGIN\r\nBBBB\r\n");
    assert!(!format!("{entered:?}").contains("BBBB"));
    let given = json!({
        "type": "mtls", "certificate": "-----BEGIN\nAAAA", "privateKey": "-----BEGIN\nBBBB",
    });
    assert_eq!(patch(entered), json!({"authentication": given}));
}

#[test]
fn a_problem_names_its_field() {
    let url = ("url", "https://example.com/");
    let format = ("payloadFormat", "standard");
    for (fields, field, text) in [
        (
            vec![("headers", "x-a: 1\n\nnothing")],
            "headers",
            "line 3: must be",
        ),
        (
            vec![("headers", "x-a: 1\nX-A: 2")],
            "headers",
            "line 2: has the name",
        ),
        (vec![("secretHeaders", "x")], "secretHeaders", "line 1"),
        (vec![("filter", "{")], "filter", "is not JSON"),
        (
            vec![("timeoutSeconds", "-1")],
            "timeoutSeconds",
            "whole number",
        ),
        (
            vec![("retry", "backoff")],
            "retryPolicy.maxAttempts",
            "whole number",
        ),
        (
            vec![("retry", "schedule"), ("schedule", "0, x")],
            "retryPolicy.schedule",
            "whole number",
        ),
        (
            vec![("retry", "schedule"), ("jitter", "NaN")],
            "retryPolicy.jitter",
            "must be a number",
        ),
        (vec![("payloadFormat", "xml")], "payloadFormat", "choices"),
    ] {
        let fields: Vec<_> = [url, format].into_iter().chain(fields).collect();
        let problem = parsed(&fields).patch(None).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some(field));
        assert!(problem.text.contains(text), "{problem:?}");
    }
}

#[test]
fn a_filter_is_tried_on_an_event() {
    let form = parsed(&[
        ("button", "try"),
        ("filter", "{\"a\":[1]}"),
        ("event", "{\"detail\":{\"a\":1.0}}"),
    ]);
    assert_eq!(form.button, Button::Try);
    let test = form.filter_test().unwrap();
    assert_eq!(test.event.detail.get(), "{\"a\":1.0}");
    for (event, text) in [("[]", "expected"), ("{}", "must have a `detail`")] {
        let form = EndpointForm {
            event: event.to_owned(),
            ..form.clone()
        };
        let problem = form.filter_test().unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("event"));
        assert!(problem.text.contains(text), "{problem:?}");
    }
    assert!(EndpointForm::new().filter_test().is_err());
}

#[test]
fn a_transform_is_tried_on_the_example_of_a_type_or_on_the_event() {
    let fields = [
        ("button", "tryTransform"),
        ("transform", "1"),
        ("event", "{\"detail\":{}}"),
    ];
    let on_event = parsed(&fields).transform_test().unwrap();
    assert_eq!(on_event.event.unwrap().get(), "{\"detail\":{}}");
    assert_eq!(on_event.example, None);
    let with_example = [
        &fields[..2],
        &[("event", "{"), ("example", "order.created")],
    ]
    .concat();
    let on_example = parsed(&with_example).transform_test().unwrap();
    assert!(on_example.event.is_none());
    assert_eq!(on_example.example.as_deref(), Some("order.created"));
}

#[test]
fn the_shape_of_a_payload_is_read() {
    let shape = [
        ("payloadFormat", "transform"),
        ("payloadFields", "/a,c\r\n/b"),
        ("transformPaths", "Total: $.detail.total"),
        ("transform", "{\"t\": <Total>}"),
        ("contentType", "application/json"),
        ("method", "PUT"),
        ("queryParameters", "A: b: c"),
    ];
    let expected = json!({
        "url": "", "eventTypes": [], "payloadFormat": "transform", "payloadFields": ["/a,c", "/b"],
        "transform": {"paths": {"Total": "$.detail.total"}, "template": "{\"t\": <Total>}"},
        "contentType": "application/json", "method": "PUT", "queryParameters": {"A": "b: c"},
    });
    assert_eq!(json_of(&parsed(&shape).patch(None).unwrap()), expected);
    let stored = json!({
        "payloadFormat": "transform", "transform": expected["transform"], "method": "PUT",
        "payloadFields": ["/a,c", "/b"], "contentType": "application/json", "queryParameters": {"A": "b: c"},
    });
    let before = subscription(&stored);
    let same = EndpointForm::of(&before).patch(Some(&before)).unwrap();
    assert_eq!(json_of(&same), json!({}));
    let emptied = EndpointForm {
        shape: ShapeForm {
            method: "POST".to_owned(),
            ..ShapeForm::default()
        },
        ..EndpointForm::of(&before)
    };
    assert_eq!(
        json_of(&emptied.patch(Some(&before)).unwrap()),
        json!({"payloadFields": null, "transform": null, "contentType": null, "method": "POST",
            "queryParameters": null})
    );
    for (name, value) in [
        ("method", "GET"),
        ("queryParameters", "a"),
        ("transformPaths", "a"),
    ] {
        let problem = parsed(&[(name, value)]).patch(None).unwrap_err();
        assert!(problem.is_of(name), "{name}: {problem:?}");
    }
}

/// A form shows the stored texts, and a browser sends them back with other ends of lines.
#[test]
fn a_transform_that_was_not_edited_is_not_written() {
    let template = "{\r\n\"t\": <total>}\n";
    let before = subscription(&json!({
        "payloadFormat": "transform",
        "transform": {"paths": {"total": "$.detail.total"}, "template": template},
    }));
    let form = EndpointForm::of(&before);
    let sent = |paths: &str| EndpointForm {
        description: "edited".to_owned(),
        shape: ShapeForm {
            paths: paths.to_owned(),
            template: "{\n\"t\": <total>}".to_owned(),
            ..form.shape.clone()
        },
        ..form.clone()
    };
    let patch = sent("total: $.detail.total").patch(Some(&before)).unwrap();
    assert_eq!(json_of(&patch), json!({"description": "edited"}));
    let patch = sent("total: $.detail.sum").patch(Some(&before)).unwrap();
    let transform = json!({"paths": {"total": "$.detail.sum"}, "template": template});
    assert_eq!(json_of(&patch)["transform"], transform);
}
