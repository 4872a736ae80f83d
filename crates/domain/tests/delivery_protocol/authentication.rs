//! Attempts authenticate to the endpoint.

use crate::stage::{Stage, header, schedule, stage};
use webhooks_domain::delivery::{DeliveryStatus, FailureReason};
use webhooks_domain::outbound::WebhookResponse;
use webhooks_testkit::samples;

const BASIC: &str =
    r#"{"authentication":{"type":"basic","username":"ann","password":"s3cret-of-ann"}}"#;
/// `ann:s3cret-of-ann` in base64.
const PAIR: &str = "YW5uOnMzY3JldC1vZi1hbm4=";

fn sent(stage: &Stage) -> Vec<String> {
    let requests = stage.backend.requests();
    let requests = requests.iter();
    requests
        .map(|(_, request)| header(request, "authorization").to_owned())
        .collect()
}

#[test]
fn an_attempt_authenticates_with_the_credential_of_its_own_time() {
    let stage = stage(schedule(&[0, 5]));
    let echo = format!("ann with s3cret-of-ann, Basic {PAIR}, {PAIR}");
    stage.backend.answer([WebhookResponse {
        body: samples::body(&echo),
        ..samples::response(500)
    }]);
    stage.update(BASIC);
    stage.run_first();
    stage.update(r#"{"authentication":{"type":"bearer","token":"t0ken-2"}}"#);
    stage.drain();
    assert_eq!(
        sent(&stage),
        [format!("Basic {PAIR}"), "Bearer t0ken-2".to_owned()]
    );
    let attempts = stage.delivery().attempts;
    assert_eq!(
        attempts[0].response_excerpt.as_deref(),
        Some("ann with ***, ***, ***"),
        "an excerpt is stored and shown"
    );
    let shown = format!("{:?}", stage.shown());
    assert!(shown.contains(r#"("authorization", "***")"#), "{shown}");
    for secret in ["s3cret", PAIR, "t0ken-2"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn the_header_of_an_authentication_is_shown_in_its_place_and_masked() {
    let stage = stage(schedule(&[0]));
    stage.update(
        r#"{"headers":{"x-team":"blue"},"secretHeaders":{"x-a":"s3cret-1","x-z":"s3cret-2"},
            "authentication":{"type":"apiKey","header":"X-Key","value":"s3cret-3"}}"#,
    );
    stage.drain();
    let (_, request) = stage.backend.requests().remove(0);
    let names = |headers: &[(String, String)]| -> Vec<_> {
        headers.iter().map(|(name, _)| name.clone()).collect()
    };
    let shown = stage.shown().remove(0).request.unwrap();
    assert_eq!(names(&shown.headers), names(&request.headers));
    let (_, value) = shown
        .headers
        .iter()
        .find(|(name, _)| name == "x-key")
        .unwrap();
    assert_eq!(value, "***");
    assert_eq!(header(&request, "x-key"), "s3cret-3");
}

/// As a header that becomes a secret header.
#[test]
fn a_header_that_becomes_the_authentication_is_masked_in_earlier_requests_too() {
    let stage = stage(schedule(&[0, 5]));
    stage.backend.answer([samples::response(500)]);
    stage.update(r#"{"headers":{"authorization":"Bearer s3cret"}}"#);
    stage.run_first();
    stage.update(
        r#"{"headers":{"authorization":null},"authentication":{"type":"bearer","token":"s3cret"}}"#,
    );
    stage.drain();
    assert_eq!(sent(&stage), ["Bearer s3cret"; 2]);
    let shown = format!("{:?}", stage.shown());
    assert!(!shown.contains("s3cret"), "{shown}");
}

/// A writer of the table who changes a URL gets no secret.
#[test]
fn an_authentication_is_sent_to_no_other_origin() {
    let stage = stage(schedule(&[0]));
    stage.update(BASIC);
    stage.change(stage.ids[0], |subscription| {
        subscription.url = samples::url("https://example.org/hook");
    });
    stage.drain();
    assert!(stage.backend.requests().is_empty());
    let unreadable = DeliveryStatus::Failed(FailureReason::SubscriptionUnreadable);
    assert_eq!(stage.delivery().status, unreadable);
}

/// KMS is asked for the data key, and for nothing else.
#[test]
fn an_authentication_costs_no_further_request_of_kms() {
    let calls = |fields: Option<&str>| {
        let stage = stage(schedule(&[0]));
        fields.inspect(|fields| stage.update(fields));
        let before = stage.backend.key_service_calls();
        stage.drain();
        assert_eq!(stage.backend.requests().len(), 1);
        stage.backend.key_service_calls() - before
    };
    assert_eq!(calls(Some(BASIC)), calls(None));
}
