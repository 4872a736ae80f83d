//! A subscription's filter, written by a customer, applied to a producer's payload.

use serde_json::value::RawValue;
use webhooks_domain::filter::Filter;

use crate::law::check_law;
use crate::near::near;

const FILTERS: [&str; 8] = [
    r#"{"currency":["EUR","USD"]}"#,
    r#"{"total":[{"numeric":[">",100,"<=",200]}]}"#,
    r#"{"tags":["b"],"buyer":{"country":[{"prefix":"D"}]}}"#,
    r#"{"coupon":[{"exists":false}]}"#,
    r#"{"currency":[{"anything-but":["EUR"]}]}"#,
    r#"{"name":[{"wildcard":"a*b"},{"suffix":"c"},{"equals-ignore-case":"D"}]}"#,
    r#"{"$or":[{"a":[1]},{"b":[null,true]}]}"#,
    r#"{"ip":[{"cidr":"10.0.0.0/8"}]}"#,
];
const PAYLOADS: [&str; 3] = [
    r#"{"total":120.5,"currency":"EUR","tags":["a","b"],"buyer":{"country":"DE"},"name":"axb"}"#,
    r#"{"a":1,"b":[null,true,{"c":[]}],"ip":"10.1.2.3","d":{"d":{"d":{}}}}"#,
    r#"{"total":1e2,"n":12345678901234567890,"m":-0.0,"u":"ü\u00fc\ud83d\ude00","":[[]]}"#,
];
const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u00e9",
    "\\ud800",
    "null",
    "true",
    "1e400",
    "-0",
    "*",
    "**",
    "{\"exists\":true}",
    "{\"numeric\":[\"=\",0]}",
    "{\"wildcard\":\"*\"}",
    "{\"regexp\":\"a*\"}",
    "{\"prefix\":\"\"}",
    "{\"anything-but\":",
    "\0",
    "\u{10ffff}",
];

#[test]
fn laws_hold() {
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let payloads = PAYLOADS.map(str::to_owned).into_iter().chain([deep]);
    check_law!((near(FILTERS, TOKENS), near(payloads, TOKENS)), |(
        pattern,
        payload,
    )| {
        let Ok(filter) = Filter::parse(pattern) else {
            return;
        };
        assert!(pattern.len() <= Filter::MAX_BYTES && is_object(pattern));
        if is_object(payload) {
            // There is always an answer, and it is always the same.
            let answer = filter.matches(payload).unwrap();
            let stored = Filter::from_stored(filter.as_str().to_owned());
            assert_eq!(stored.matches(payload), Ok(answer));
        }
    });
}

/// Returns true if the text is a JSON object, as required for an event's `detail`.
fn is_object(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok_and(|value| value.get().starts_with('{'))
}
