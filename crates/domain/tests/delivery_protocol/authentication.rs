//! Attempts authenticate to the endpoint.

use std::time::Duration;

use crate::stage::{Stage, header, schedule, stage, stage_with};
use webhooks_domain::delivery::{DeliveryStatus, FailureReason};
use webhooks_domain::outbound::WebhookResponse;
use webhooks_domain::outbound::authentication::ClientCertificate;
use webhooks_testkit::client_certificates::ClientAuthority;
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

/// The key is in no header, and so in no exchange either.
#[test]
fn an_attempt_has_the_client_certificate_of_its_own_time() {
    let authority = ClientAuthority::new("Example CA");
    let stage = stage(schedule(&[0, 5]));
    stage.backend.answer([samples::response(500)]);
    let (from, to) = (samples::NOW, samples::NOW + Duration::from_hours(24));
    let issued = ["one", "two"].map(|name| authority.issue(name, from, to));
    stage.update(&issued[0].change());
    stage.run_first();
    stage.update(&issued[1].change());
    stage.drain();
    let requests = stage.backend.requests();
    let identities: Vec<_> = requests
        .iter()
        .map(|(_, request)| request.identity.clone().unwrap())
        .collect();
    for (identity, issued) in identities.iter().zip(&issued) {
        let given = ClientCertificate::from_pem(&issued.certificate, &issued.private_key);
        assert_eq!(*identity.certificate(), given.unwrap().1);
    }
    assert_ne!(identities[0].id(), identities[1].id());
    let names = requests.iter().flat_map(|(_, request)| &request.headers);
    assert!(names.clone().all(|(name, _)| name != "authorization"));
    stage.update(r#"{"authentication":null}"#);
    let shown = format!("{:?}", stage.shown());
    assert!(!shown.contains("PRIVATE"), "{shown}");
}

/// The endpoint decides, because some accept it, and their clocks count.
#[test]
fn an_attempt_after_the_end_of_a_certificate_is_made() {
    let authority = ClientAuthority::new("Example CA");
    let stage = stage(schedule(&[0]));
    let end = samples::NOW + Duration::from_secs(1);
    stage.update(&authority.issue("one", samples::NOW, end).change());
    stage.backend.set_now(end + Duration::from_secs(1));
    stage.drain();
    assert!(stage.backend.requests()[0].1.identity.is_some());
}

/// Two customers may have the same certificate, for example one that a platform hands out.
#[test]
fn subscriptions_with_the_same_certificate_have_different_identities() {
    let authority = ClientAuthority::new("Example CA");
    let stage = stage_with(schedule(&[0]), &[None, None]);
    let to = samples::NOW + Duration::from_hours(24);
    let change = authority.issue("one", samples::NOW, to).change();
    stage.update(&change);
    stage.update_of(stage.ids[1], &change);
    stage.drain();
    let requests = stage.backend.requests();
    let [one, two] = [0, 1].map(|index: usize| requests[index].1.identity.clone().unwrap());
    assert_eq!(one.certificate(), two.certificate());
    assert_ne!(one.id(), two.id());
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

/// A header, or the identity of the connection, and never both or none.
#[test]
fn an_attempt_authenticates_in_one_way_with_each_type() {
    let authority = ClientAuthority::new("Example CA");
    let to = samples::NOW + Duration::from_hours(24);
    let certificate = authority.issue("one", samples::NOW, to).change();
    let oauth2 = r#"{"authentication":{"type":"oauth2","tokenUrl":"https://login.example.com/token",
        "clientId":"acme","clientSecret":"s3cret"}}"#;
    let bearer = r#"{"authentication":{"type":"bearer","token":"t0ken"}}"#;
    let api_key = r#"{"authentication":{"type":"apiKey","header":"X-Key","value":"k3y"}}"#;
    let basic = format!("Basic {PAIR}");
    for (change, expected) in [
        (BASIC, Some(("authorization", basic.as_str()))),
        (bearer, Some(("authorization", "Bearer t0ken"))),
        (api_key, Some(("x-key", "k3y"))),
        (oauth2, Some(("authorization", "Bearer t0ken-1"))),
        (certificate.as_str(), None),
    ] {
        let stage = stage(schedule(&[0]));
        stage.update(change);
        stage.drain();
        let (_, request) = stage.backend.requests().remove(0);
        let headers = request.headers.iter();
        let headers: Vec<_> = headers
            .filter(|(name, _)| ["authorization", "x-key", ""].contains(&name.as_str()))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(headers, Vec::from_iter(expected));
        assert_eq!(request.identity.is_some(), expected.is_none());
        for token in stage.backend.token_requests() {
            assert!(token.identity.is_none());
        }
    }
}
