//! Each fault is planted in a valid request and must give its own reason.

use ring::rand::SystemRandom;
use webhooks_domain::ids::MessageId;
use webhooks_domain::signing::{Secret, SecretKind, signature_header};

use super::*;

const V1: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const V1A: &str =
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const BODY: &str = "{\"type\":\"order.created\",\"data\":{\"n\":1.50}}";
const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// A request as made by the stack.
struct Request {
    id: String,
    timestamp: String,
    signatures: String,
    body: Vec<u8>,
}

fn request_at(secrets: &[&str], at: Timestamp, body: &str) -> Request {
    let id = MessageId::from_event_id(&"acme".parse().unwrap(), "e");
    let secrets: Vec<Secret> = secrets
        .iter()
        .map(|secret| secret.parse().unwrap())
        .collect();
    Request {
        id: id.to_string(),
        timestamp: at.as_secs().to_string(),
        signatures: signature_header(&secrets, &id, at, body.as_bytes()),
        body: body.as_bytes().to_vec(),
    }
}

fn request(secrets: &[&str]) -> Request {
    request_at(secrets, NOW, BODY)
}

impl Request {
    fn verdict(&self, keys: &[&str]) -> Verdict {
        let keys: Vec<_> = keys.iter().map(|key| key_of(key).unwrap()).collect();
        let signed = Signed {
            id: Some(&self.id),
            timestamp: Some(&self.timestamp),
            signatures: Some(&self.signatures),
            body: &self.body,
        };
        signed.check(&keys, NOW)
    }

    /// Returns the codes of the reasons why it is invalid.
    fn codes(&self, keys: &[&str]) -> Vec<&'static str> {
        let verdict = self.verdict(keys);
        assert_eq!(verdict.valid, verdict.reasons.is_empty());
        verdict.reasons.iter().map(|reason| reason.code).collect()
    }
}

fn key_of(text: &str) -> anyhow::Result<Key> {
    Key::parse(&text.parse::<crate::input::SecretText>().unwrap())
}

fn public_key(secret: &str) -> String {
    let secret: Secret = secret.parse().unwrap();
    secret.public_key().unwrap().to_string()
}

#[test]
fn a_good_request_is_valid_with_each_of_its_secrets() {
    let request = request(&[V1, V1A]);
    let public_key = public_key(V1A);
    for (key, kind) in [(V1, "v1"), (V1A, "v1a"), (&public_key, "v1a")] {
        let verdict = request.verdict(&[key]);
        assert!(verdict.valid, "{verdict:?}");
        assert_eq!(verdict.signed_with, Some(kind));
        assert_eq!(verdict.age_seconds, Some(0));
    }
    assert!(request.verdict(&[OTHER, V1]).valid);
}

#[test]
fn the_official_library_takes_what_is_valid() {
    let now = Timestamp::from(std::time::SystemTime::now());
    let request = request_at(&[V1], now, BODY);
    let mut headers = http::HeaderMap::new();
    headers.insert("webhook-id", request.id.parse().unwrap());
    headers.insert("webhook-timestamp", request.timestamp.parse().unwrap());
    headers.insert("webhook-signature", request.signatures.parse().unwrap());
    let webhook = standardwebhooks::Webhook::new(V1).unwrap();
    webhook.verify(&request.body, &headers).unwrap();
}

#[test]
fn another_secret_is_not_right() {
    let verdict = request(&[V1]).verdict(&[OTHER]);
    assert_eq!(verdict.reasons[0].code, "signatureWrong");
    assert!(
        verdict.reasons[0]
            .text
            .contains("the secret is the wrong one"),
        "{verdict:?}"
    );
    assert_eq!(verdict.signed_with, None);
    let other = public_key(&Secret::generate(SecretKind::V1a, &SystemRandom::new()).expose());
    assert_eq!(request(&[V1A]).codes(&[&other]), ["signatureWrong"]);
}

#[test]
fn a_body_that_something_changed_says_how() {
    for (sent, received, how) in [
        (BODY, format!("{BODY}\n"), "a line feed at its end"),
        (BODY, format!("{BODY}\r\n"), "a line feed at its end"),
        ("{}\n", "{}".to_owned(), "line feed at its end is missing"),
        (BODY, format!("  {BODY} "), "white space around"),
        (BODY, format!("\u{feff}{BODY}"), "byte order mark"),
        ("{\n}", "{\r\n}".to_owned(), "CRLF"),
        (
            BODY,
            "{ \"type\": \"order.created\",\n \"data\": {\"n\": 1.50}}".to_owned(),
            "formatted anew",
        ),
    ] {
        for secret in [V1, V1A] {
            let mut request = request_at(&[secret], NOW, sent);
            request.body = received.clone().into_bytes();
            let verdict = request.verdict(&[secret]);
            assert_eq!(verdict.reasons.len(), 1, "{verdict:?}");
            assert_eq!(verdict.reasons[0].code, "bodyChanged");
            assert!(verdict.reasons[0].text.contains(how), "{verdict:?}");
        }
    }
    let mut request = request(&[V1]);
    request.body = b"{}".to_vec();
    assert_eq!(request.codes(&[V1]), ["signatureWrong"]);
    request.body = vec![0xff];
    assert_eq!(request.codes(&[V1]), ["bodyNotText"]);
}

#[test]
fn a_time_out_of_bounds_says_by_how_much_and_that_the_rest_is_right() {
    let age = |seconds| request_at(&[V1], NOW - Duration::from_secs(seconds), BODY);
    assert!(age(300).verdict(&[V1]).valid);
    let verdict = age(7_384).verdict(&[V1]);
    assert_eq!(
        verdict.reasons,
        [reason(
            "timestampTooOld",
            "the timestamp is 2h 3m old: receivers accept at most 5m"
        )]
    );
    assert_eq!(verdict.signed_with, Some("v1"));
    let ahead = request_at(&[V1], NOW + Duration::from_secs(301), BODY);
    assert_eq!(ahead.codes(&[V1]), ["timestampAhead"]);
    assert_eq!(
        age(7_384).codes(&[OTHER]),
        ["signatureWrong", "timestampTooOld"]
    );
}

#[test]
fn a_header_that_is_missing_or_malformed_is_named() {
    let good = || request(&[V1]);
    let nothing = Signed {
        id: None,
        timestamp: None,
        signatures: None,
        body: b"",
    };
    let codes: Vec<_> = nothing
        .check(&[], NOW)
        .reasons
        .iter()
        .map(|reason| reason.code)
        .collect();
    assert_eq!(codes, ["idMissing", "timestampMissing", "signatureMissing"]);

    let with = |change: &dyn Fn(&mut Request)| {
        let mut request = good();
        change(&mut request);
        request.codes(&[V1])
    };
    assert_eq!(
        with(&|r| r.timestamp = "yesterday".into()),
        ["timestampMalformed"]
    );
    assert_eq!(
        with(&|r| r.timestamp.push_str("000")),
        ["timestampMalformed"]
    );
    assert_eq!(with(&|r| r.id = format!(" {}", r.id)), ["idChanged"]);
    assert_eq!(with(&|r| r.id = r.id.replace("msg_", "")), ["idChanged"]);
    assert_eq!(
        with(&|r| r.signatures = r.signatures.replace("v1,", "")),
        ["signatureMalformed"]
    );
    assert_eq!(with(&|r| r.signatures.truncate(20)), ["signatureMalformed"]);
    assert_eq!(
        with(&|r| r.signatures = "v1,%%%".into()),
        ["signatureMalformed"]
    );
    assert_eq!(
        with(&|r| r.signatures = r.signatures.replace("v1,", "v2,")),
        ["versionUnknown"]
    );
    assert!(with(&|r| r.signatures = format!("v2,abc {}", r.signatures)).is_empty());
}

#[test]
fn a_signature_of_the_other_kind_says_which_key_to_take() {
    let verdict = request(&[V1A]).verdict(&[V1]);
    assert_eq!(verdict.reasons[0].code, "wrongKind");
    assert!(
        verdict.reasons[0]
            .text
            .contains("verify with the public key whpk_"),
        "{verdict:?}"
    );
    let verdict = request(&[V1]).verdict(&[V1A]);
    assert!(
        verdict.reasons[0].text.contains("verify with whsec_"),
        "{verdict:?}"
    );
}

#[test]
fn an_invalid_secret_is_explained_and_not_shown() {
    for (text, problem) in [
        ("hunter2", "must begin with"),
        ("whsec_hunter2", "must be `whsec_` (v1)"),
        ("whsec_aHVudGVyMg==", "24 to 64 bytes"),
        ("whpk_aHVudGVyMg==", "32 bytes"),
    ] {
        let error = key_of(text).err().unwrap().to_string();
        assert!(error.contains(problem), "{error}");
        assert!(
            !error.contains("hunter2") && !error.contains("aHVudGVyMg"),
            "{error}"
        );
    }
    assert!(key_of(&format!(" {V1}\n")).is_ok());
}
