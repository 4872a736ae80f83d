//! Rotating the secrets of a subscription.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::FutureExt;
use proptest::prelude::*;
use webhooks_domain::ids::MessageId;
use webhooks_domain::manage::{ExpectedVersion, ManageError};
use webhooks_domain::ports::Clock;
use webhooks_domain::signing::{SealedSecrets, Secret, SecretKind, signature_header};
use webhooks_domain::subscription::Subscription;
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::changes::{change, rotation};
use webhooks_testkit::{Fault, ManagedSubscription, SignedRequest, samples};

const V1: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const V1A: &str =
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";

/// A subscription that was created with this secret.
fn stage(secret: &str) -> ManagedSubscription {
    let body = r#"{"url":"https://example.com/","eventTypes":["*"],"secret":"SECRET"}"#;
    ManagedSubscription::create(&body.replace("SECRET", secret))
}

fn rotate(stage: &ManagedSubscription, body: &str) -> Result<(Subscription, Secret), ManageError> {
    let rotation = rotation(body);
    let (customer, id) = (&stage.created.customer_id, &stage.created.id);
    let rotated = stage
        .manage
        .rotate(customer, id, &ExpectedVersion::Any, rotation);
    rotated.now_or_never().unwrap()
}

fn opened_at(stage: &ManagedSubscription, at: Timestamp) -> Vec<Secret> {
    let stored = stage.stored();
    let opened = stage.manage.vault.open_all(&stored, at);
    opened.now_or_never().unwrap().unwrap()
}

fn opened(stage: &ManagedSubscription) -> Vec<String> {
    let opened = opened_at(stage, stage.backend.now());
    opened.iter().map(Secret::expose).collect()
}

fn field(result: Result<(Subscription, Secret), ManageError>) -> String {
    match result {
        Err(ManageError::Field(error)) => error.field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rotation_generates_a_secret_of_the_current_kind() {
    for (text, kind) in [(V1, SecretKind::V1), (V1A, SecretKind::V1a)] {
        let stage = stage(text);
        let (rotated, secret) = rotate(&stage, "{}").unwrap();
        assert_eq!(secret.kind(), kind);
        assert_eq!(opened(&stage), [secret.expose().as_str(), text]);
        assert_eq!(rotated, stage.stored());
        assert_eq!(rotated.version, stage.created.version + 1);
        let almost =
            samples::NOW + Duration::from_hours(24).saturating_sub(Duration::from_millis(1));
        assert_eq!(opened_at(&stage, almost).len(), 2);
        assert_eq!(
            opened_at(&stage, samples::NOW + Duration::from_hours(24)),
            [secret]
        );
    }
}

#[test]
fn a_subscription_migrates_to_the_other_kind() {
    let stage = stage(V1);
    let (_, key) = rotate(&stage, r#"{"kind":"v1a"}"#).unwrap();
    assert_eq!(key.kind(), SecretKind::V1a);
    assert_eq!(opened(&stage), [key.expose().as_str(), V1]);
    let imported = r#"{"secret":"SECRET","overlapSeconds":0}"#.replace("SECRET", V1A);
    rotate(&stage, &imported).unwrap();
    assert_eq!(
        opened(&stage),
        [V1A, V1],
        "an overlap of 0 ends only the current secret"
    );
}

#[test]
fn a_signing_secret_cannot_be_imported_again() {
    let stage = stage(V1);
    rotate(&stage, "{}").unwrap();
    let import = format!(r#"{{"secret":"{V1}"}}"#);
    assert_eq!(field(rotate(&stage, &import)), "secret");
    stage
        .backend
        .set_now(samples::NOW + Duration::from_hours(24));
    rotate(&stage, &import).unwrap();
    assert_eq!(
        opened(&stage)[0],
        V1,
        "an expired secret may be imported again"
    );
}

#[test]
fn a_sixth_concurrent_secret_is_refused() {
    let stage = stage(V1);
    for _ in 0..4 {
        rotate(&stage, "{}").unwrap();
    }
    let before = stage.stored();
    assert_eq!(field(rotate(&stage, "{}")), "overlapSeconds");
    assert_eq!(stage.stored(), before);
    rotate(&stage, r#"{"overlapSeconds":0}"#).unwrap();
    assert_eq!(opened(&stage).len(), SealedSecrets::MAX_SIGNING);
}

#[test]
fn a_patched_secret_replaces_all_others() {
    let stage = stage(V1);
    rotate(&stage, "{}").unwrap();
    let (customer, id) = (&stage.created.customer_id, &stage.created.id);
    let patch = change(&format!(r#"{{"secret":"{V1A}"}}"#));
    let patched = stage
        .manage
        .update(customer, id, &ExpectedVersion::Any, patch);
    let patched = patched.now_or_never().unwrap().unwrap();
    assert_eq!(opened(&stage), [V1A]);
    assert_eq!(patched.subscription.secrets.current().version, 3);
}

#[test]
fn a_rotation_whose_answer_is_lost_keeps_the_old_secret_signing() {
    let stage = stage(V1);
    // Read and write; the data key is in memory.
    stage.backend.plant([Fault::None, Fault::After]);
    assert!(matches!(rotate(&stage, "{}"), Err(ManageError::Store(_))));
    assert_eq!(opened(&stage)[1], V1);
    rotate(&stage, "{}").unwrap();
    assert_eq!(opened(&stage)[2], V1, "a repeated rotation does no harm");
}

/// The key of a receiver, and the time until which it must verify.
struct Held {
    key: String,
    ends: Option<Timestamp>,
}

fn held(secret: &Secret) -> Held {
    let public_key = secret.public_key();
    Held {
        key: public_key.map_or_else(|| secret.expose(), |key| key.to_string()),
        ends: None,
    }
}

fn rotations() -> impl Strategy<Value = Vec<(u64, u64, Option<&'static str>)>> {
    let wait_secs = prop_oneof![1 => Just(0), 3 => 0..200_000_u64];
    let overlap_secs = prop_oneof![1 => Just(0), 3 => 0..=604_800_u64];
    let kind = prop_oneof![2 => Just(None), 1 => Just(Some("v1")), 1 => Just(Some("v1a"))];
    proptest::collection::vec((wait_secs, overlap_secs, kind), 0..10)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// While an overlap lasts, a receiver with either secret verifies every request.
    #[test]
    fn a_receiver_verifies_until_the_overlap_of_its_secret_ends(
        rotations in rotations(),
        probes in proptest::collection::vec(0..700_000_u64, 5),
    ) {
        let stage = stage(V1);
        let mut receivers = vec![held(&V1.parse().unwrap())];
        for (wait_secs, overlap_secs, kind) in rotations {
            let now = stage.backend.now() + Duration::from_secs(wait_secs);
            stage.backend.set_now(now);
            let kind = kind.map_or_else(String::new, |kind| format!(r#","kind":"{kind}""#));
            match rotate(&stage, &format!(r#"{{"overlapSeconds":{overlap_secs}{kind}}}"#)) {
                Ok((_, secret)) => {
                    receivers.last_mut().unwrap().ends = Some(now + Duration::from_secs(overlap_secs));
                    receivers.push(held(&secret));
                }
                Err(ManageError::Field(error)) => prop_assert_eq!(error.field, "overlapSeconds"),
                Err(error) => panic!("{error}"),
            }
            for at in probes.iter().map(|&secs| now + Duration::from_secs(secs)).chain([now]) {
                verify(&stage, &receivers, at)?;
            }
        }
    }
}

/// Signs a request at this time, and checks that each receiver verifies it until its key ends.
fn verify(
    stage: &ManagedSubscription,
    receivers: &[Held],
    at: Timestamp,
) -> Result<(), TestCaseError> {
    let (id, body) = (
        MessageId::from_event_id(&stage.created.customer_id, "e"),
        b"{}",
    );
    let signatures = signature_header(&opened_at(stage, at), &id, at, body);
    let (id, timestamp) = (id.to_string(), at.as_secs().to_string());
    let request = SignedRequest {
        id: &id,
        timestamp: &timestamp,
        body,
        signatures: &signatures,
    };
    for Held { key, ends } in receivers {
        let valid = ends.is_none_or(|ends| at < ends);
        prop_assert_eq!(
            request.verifies_with(key),
            valid,
            "{} at {}, ends {:?}",
            key,
            at,
            ends
        );
    }
    Ok(())
}
