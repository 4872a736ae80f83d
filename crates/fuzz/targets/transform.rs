//! A subscription's transform, written by a customer, applied to a producer's event.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use webhooks_domain::payload_shape::{ContentType, Transform, try_transform};

use crate::law::check_law;
use crate::near::near;

const TEMPLATES: [&str; 7] = [
    r#"{"order":<a>,"text":"for <b>"}"#,
    r#"["<a> and <b>",<aws.events.event.json>]"#,
    "<aws.events.event>",
    r#""<a>""#,
    "a <a> b <missing> c\n<b>",
    r#"{"blocks":[{"text":"*<a>*"},<a>,<b>,<a>]}"#,
    "<a>",
];
const PATHS: [&str; 5] = [
    "$.detail.order.id",
    "$.detail.lines[0].sku",
    "$.detail",
    "$.time",
    "$.detail.a.b.c[12]",
];
const EVENTS: [&str; 4] = [
    r#"{"time":"2026-01-31T09:30:00Z","detail":{"order":{"id":"ord_1"},"lines":[{"sku":"é"}]}}"#,
    r#"{"detail":{"order":{"id":1e400},"a":{"b":{"c":[0.10,null]}},"lines":[[]]}}"#,
    r#"{"detail":{"order":{"id":"\u0001\ud83d\ude00\"\\"}},"detail":{}}"#,
    r#"{"detail":{}}"#,
];
const CONTENT_TYPES: [&str; 4] = [
    "application/json",
    "text/plain;charset=utf-8",
    "application/x-www-form-urlencoded",
    "application/xml",
];
const TOKENS: &[&str] = &[
    "<",
    ">",
    "<a>",
    "<b>",
    "<a",
    "<>",
    "<aws.events.event.json>",
    "<aws.events.event>",
    "<aws.events.rule-arn>",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "null",
    "$",
    "$.",
    "$..",
    "[*]",
    "[99999999999999999999]",
    "detail",
    "\0",
    "\n",
    "&",
    "=",
    "\u{10ffff}",
];

/// The largest body, whatever event and template are.
const MAX_BODY_BYTES: usize = 1_048_576;

/// The body and its content type, or nothing.
fn body_of(transform: &Transform, content_type: &str, event: &str) -> Option<(String, String)> {
    let content_type = ContentType::parse(content_type).ok();
    try_transform(transform.clone(), content_type, event).ok()
}

#[test]
fn laws_hold() {
    let deep = format!(
        r#"{{"detail":{{"a":{}1{}}}}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    // Each placeholder repeats the whole event.
    let bomb = "<aws.events.event.json> ".repeat(340);
    let templates = TEMPLATES.map(str::to_owned).into_iter().chain([bomb]);
    let long = format!(
        r#"{{"detail":{{"order":{{"id":"{}"}}}}}}"#,
        "x".repeat(60_000)
    );
    let events = EVENTS.map(str::to_owned).into_iter().chain([deep, long]);
    check_law!(
        (
            near(templates, TOKENS),
            (near(PATHS, TOKENS), near(PATHS, TOKENS)),
            near(events, TOKENS),
            near(CONTENT_TYPES, TOKENS),
        ),
        |(template, (a, b), event, content_type)| {
            let paths = [("a", a), ("b", b)];
            let paths = paths.map(|(name, path)| (name.to_owned(), path.clone()));
            let paths: BTreeMap<String, String> = paths.into();
            let transform = Transform::new(paths, template.clone());
            let Some((body, named)) = body_of(&transform, content_type, event) else {
                return;
            };
            assert!(body.len() <= MAX_BODY_BYTES, "{} bytes", body.len());
            if named.starts_with("application/json") {
                let json: Result<&RawValue, _> = serde_json::from_str(&body);
                assert!(json.is_ok(), "{body}");
            }
            // The same event has the same body in each attempt.
            let again = body_of(&transform, content_type, event);
            assert_eq!(again, Some((body, named)));
        }
    );
}
