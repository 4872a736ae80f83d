//! The secret headers of a subscription: their change, their bounds, and their end when the URL
//! has another origin.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::FutureExt;
use webhooks_domain::manage::ExpectedVersion;
use webhooks_domain::ports::Clock;
use webhooks_domain::subscription::Subscription;
use webhooks_testkit::changes::{change, rotation};
use webhooks_testkit::{ManagedSubscription, samples};

/// A part of every secret value here, so that a leak is found.
const MARK: &str = "s3cret";

const FIELDS: &str = r#"{"url":"https://example.com/hook","eventTypes":["*"],"headers":{"x-team":"a"},
    "secretHeaders":{"Authorization":"Bearer s3cret","x-key":"s3cret-2"}}"#;

fn stage() -> ManagedSubscription {
    ManagedSubscription::create(FIELDS)
}

fn refused(stage: &ManagedSubscription, body: &str) -> String {
    let refused = stage.update(body).unwrap_err().to_string();
    assert!(!refused.contains(MARK), "{refused}");
    refused
}

/// The headers that an attempt would send.
fn opened(stage: &ManagedSubscription) -> Vec<(String, String)> {
    let stored = stage.stored();
    let opened = stage.manage.vault.open_headers(&stored);
    opened.now_or_never().unwrap().unwrap()
}

fn pairs(opened: &[(String, String)]) -> Vec<(&str, &str)> {
    let opened = opened.iter();
    opened
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

const BOTH: [(&str, &str); 2] = [("authorization", "Bearer s3cret"), ("x-key", "s3cret-2")];

#[test]
fn secret_headers_are_merged_name_by_name() {
    let stage = stage();
    assert_eq!(pairs(&opened(&stage)), BOTH);
    stage
        .update(r#"{"secretHeaders":{"X-KEY":null,"x-new":"s3cret-3"}}"#)
        .unwrap();
    let merged = [BOTH[0], ("x-new", "s3cret-3")];
    assert_eq!(pairs(&opened(&stage)), merged);
    stage.update(r#"{"secretHeaders":null}"#).unwrap();
    assert_eq!(pairs(&opened(&stage)), []);
}

#[test]
fn another_origin_clears_the_secret_headers_that_are_not_given() {
    for (body, expected, cleared) in [
        (
            r#"{"url":"https://example.com:443/other?x=1"}"#,
            &BOTH[..],
            &[][..],
        ),
        (
            r#"{"url":"https://example.com:8443/hook"}"#,
            &[],
            &["authorization", "x-key"],
        ),
        (
            r#"{"url":"https://example.org/hook"}"#,
            &[],
            &["authorization", "x-key"],
        ),
        (
            r#"{"url":"https://sub.example.com/hook","secretHeaders":{"X-Key":"s3cret-2"}}"#,
            &BOTH[1..],
            &["authorization"],
        ),
        (
            r#"{"url":"https://example.org/","secretHeaders":{"authorization":"Bearer s3cret","x-key":"s3cret-2"}}"#,
            &BOTH,
            &[],
        ),
        (
            r#"{"url":"https://example.org/","secretHeaders":{"x-new":"s3cret-3"}}"#,
            &[("x-new", "s3cret-3")],
            &["authorization", "x-key"],
        ),
    ] {
        let stage = stage();
        let updated = stage.update(body).unwrap();
        assert_eq!(pairs(&opened(&stage)), expected, "{body}");
        assert_eq!(updated.cleared_secret_headers(), cleared, "{body}");
        assert_eq!(stage.stored().headers.len(), 1, "others stay: {body}");
    }
}

/// Two requests that each change half do not carry a secret away either.
#[test]
fn a_secret_header_does_not_return_with_its_origin() {
    let stage = stage();
    stage.update(r#"{"url":"https://example.org/"}"#).unwrap();
    stage
        .update(r#"{"url":"https://example.com/hook"}"#)
        .unwrap();
    assert_eq!(pairs(&opened(&stage)), []);
}

#[test]
fn a_value_that_stays_makes_no_new_version() {
    let stage = stage();
    stage
        .backend
        .set_now(stage.backend.now() + Duration::from_mins(1));
    for same in [
        FIELDS,
        r#"{"secretHeaders":{"x-key":"s3cret-2"}}"#,
        r#"{"secretHeaders":{"x-none":null}}"#,
        r#"{"secretHeaders":{}}"#,
    ] {
        let updated = stage.update(same).unwrap();
        assert_eq!(updated.subscription, stage.created, "{same}");
        assert!(updated.changed_secret_headers().is_empty(), "{same}");
        assert_eq!(stage.stored(), stage.created, "{same}");
    }
    let changed = stage
        .update(
            r#"{"secretHeaders":{"x-key":"s3cret-4","x-new":"","authorization":"Bearer s3cret"}}"#,
        )
        .unwrap();
    assert_eq!(changed.subscription.version, 2);
    let names: Vec<_> = changed.changed_secret_headers().into_iter().collect();
    assert_eq!(names, ["x-key", "x-new"]);
    assert!(!changed.has_new_secret());
}

#[test]
fn a_refused_header_is_named_and_its_value_is_not() {
    let stage = stage();
    let of_20 = |field: &str| {
        let headers: Vec<_> = (0..18).map(|n| format!(r#""x-{n}":"s3cret""#)).collect();
        format!(r#"{{"{field}":{{{}}}}}"#, headers.join(","))
    };
    let long = |bytes: usize| "s3cret".repeat(400)[..bytes].to_owned();
    let both = |field: &str, bytes: usize| {
        let (one, other) = (long(2_040), long(bytes));
        format!(r#"{{"{field}":{{"x-1":"{one}","x-2":"{other}"}}}}"#)
    };
    for (body, problem) in [
        (
            r#"{"secretHeaders":{"host":"s3cret"}}"#.to_owned(),
            "secretHeaders: header `host`: must not be `host`, which the sender controls",
        ),
        (
            r#"{"secretHeaders":{"x-key":"s3cret\n"}}"#.to_owned(),
            "secretHeaders: header `x-key`: value must be printable ASCII without a space at either end",
        ),
        (
            r#"{"secretHeaders":{"X-A":"s3cret","x-a":"s3cret"}}"#.to_owned(),
            "secretHeaders: header `x-a`: must be given once, as case does not matter",
        ),
        (
            r#"{"secretHeaders":{"x-key":"********"}}"#.to_owned(),
            "secretHeaders: header `x-key`: value must be the secret itself, is a mask of asterisks",
        ),
        (
            r#"{"secretHeaders":{"X-Team":"s3cret"}}"#.to_owned(),
            "secretHeaders: header `x-team`: must be in one of `headers` and `secretHeaders`, is in both",
        ),
        (
            r#"{"headers":{"X-Key":"public"}}"#.to_owned(),
            "headers: header `x-key`: must be in one of `headers` and `secretHeaders`, is in both",
        ),
        (
            of_20("secretHeaders"),
            "secretHeaders: 21 headers: must be at most 20",
        ),
        (of_20("headers"), "headers: 21 headers: must be at most 20"),
        (
            both("secretHeaders", 2_005),
            "secretHeaders: headers of 4097 bytes: must be at most 4096 bytes together",
        ),
    ] {
        assert_eq!(refused(&stage, &body), problem);
        assert_eq!(stage.stored(), stage.created);
    }
    for accepted in [both("secretHeaders", 2_004), both("headers", 2_004)] {
        self::stage().update(&accepted).unwrap();
    }
    // One request may move a header from one kind to the other.
    let moved = r#"{"headers":{"x-team":null},"secretHeaders":{"x-team":"s3cret"}}"#;
    stage.update(moved).unwrap();
}

#[test]
fn a_rotation_of_the_signing_secret_keeps_the_secret_headers() {
    let stage = stage();
    let (customer, id) = (&stage.created.customer_id, &stage.created.id);
    let rotated = stage
        .manage
        .rotate(customer, id, &ExpectedVersion::Any, rotation("{}"));
    rotated.now_or_never().unwrap().unwrap();
    assert_eq!(pairs(&opened(&stage)), BOTH);
}

/// They were changed in the table, or copied there from another subscription.
#[test]
fn a_header_that_cannot_be_opened_is_replaced_by_a_new_value() {
    let stage = stage();
    let spoilt = Subscription {
        secret_headers: samples::secret_headers(),
        ..stage.created.clone()
    };
    stage.backend.store_subscription(&spoilt);
    let spoilt = stage.manage.vault.open_headers(&spoilt);
    assert!(spoilt.now_or_never().unwrap().is_err());
    stage.update(r#"{"description":"other fields"}"#).unwrap();
    stage
        .update(r#"{"secretHeaders":{"authorization":"Bearer s3cret","x-api-key":"s3cret-2"}}"#)
        .unwrap();
    assert_eq!(opened(&stage).len(), 2);
}

/// The old URL is unknown, so the new one may have another origin.
#[test]
fn the_repair_of_an_unreadable_subscription_keeps_no_header_for_another_origin() {
    let stage = stage();
    let (customer, id) = (&stage.created.customer_id, stage.created.id);
    stage.backend.break_subscription(customer, id, "url");
    let repaired = stage.update(r#"{"url":"https://example.org/"}"#).unwrap();
    assert_eq!(
        repaired.cleared_secret_headers(),
        ["authorization", "x-key"]
    );
    stage
        .backend
        .break_subscription(customer, id, "secretHeaders");
    let refused = refused(&stage, r#"{"description":"d"}"#);
    assert!(refused.starts_with("secretHeaders: "), "{refused}");
    stage.update(r#"{"secretHeaders":null}"#).unwrap();
    assert_eq!(pairs(&opened(&stage)), []);
}

#[test]
fn the_debug_form_of_a_change_shows_no_value() {
    let text = format!("{:?}", change(FIELDS));
    assert!(
        text.contains("Authorization") && !text.contains(MARK),
        "{text}"
    );
}
