//! Every request is signed, and the receiver can verify it.

use anyhow::{Context, Result};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use webhooks_client::{CreatedSubscription, DeliveryStatus, NewSecret, SecretKind};
use webhooks_receiver::{Answer, Request};
use webhooks_testkit::SignedRequest;

use crate::fixture::Fixture;

/// A secret that no subscription here has.
const WRONG_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// An ed25519 key and its public half, from the test vectors.
const WHSK: &str =
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const WHPK: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";

/// Verifies with a public key, which the official library does not support yet.
fn verifies_with(request: &Request, public_key: &str) -> bool {
    let signed = SignedRequest {
        id: request.webhook_id(),
        timestamp: request.header("webhook-timestamp"),
        body: &request.body,
        signatures: request.header("webhook-signature"),
    };
    signed.verifies_with(public_key)
}

async fn rotate(
    test: &Fixture,
    created: &CreatedSubscription,
    rotation: Value,
) -> Result<NewSecret> {
    let id = &created.subscription.id;
    Ok(test
        .api
        .rotate_secret(&test.customer, id, &rotation)
        .await?)
}

#[tokio::test]
async fn a_generated_secret_verifies_the_delivery() -> Result<()> {
    let test = Fixture::new("generated").await?;
    let created = test.subscribe("/a").await?;
    assert!(created.secret.starts_with("whsec_"));
    let other = test.subscribe("/b").await?;
    assert_ne!(created.secret, other.secret);
    test.put("order.created", json!({"text": "é 🦀"})).await?;

    let request = test.first_request("/a").await?;
    request.verify(&created.secret)?;
    assert!(request.verify(&other.secret).is_err());
    assert!(request.verify(WRONG_SECRET).is_err());
    assert!(request.webhook_id().starts_with("msg_"));
    test.first_request("/b").await?.verify(&other.secret)?;
    Ok(())
}

#[tokio::test]
async fn a_given_secret_verifies_the_delivery() -> Result<()> {
    let test = Fixture::new("given").await?;
    // 24 and 64 bytes: the shortest and the longest secret that the standard allows.
    let shortest = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let longest = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";
    for (path, secret) in [("/shortest", shortest), ("/longest", longest)] {
        let created = test.subscribe_with(path, json!({"secret": secret})).await?;
        assert_eq!(created.secret, secret);
    }
    test.put("order.created", json!({})).await?;
    test.first_request("/shortest").await?.verify(shortest)?;
    test.first_request("/longest").await?.verify(longest)?;
    Ok(())
}

#[tokio::test]
async fn an_attempt_has_its_own_signature_over_the_same_bytes() -> Result<()> {
    let test = Fixture::new("attempts").await?;
    let failure = Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
    test.receiver.script("/a", [failure, Answer::ok()]);
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({"n": 1})).await?;

    let requests = test.requests("/a", 2).await?;
    let (first, second) = (&requests[0], &requests[1]);
    first.verify(&created.secret)?;
    second.verify(&created.secret)?;
    assert_eq!(first.body, second.body);
    assert_eq!(first.webhook_id(), second.webhook_id());
    let timestamp = |header: &str| header.parse::<u64>();
    assert!(
        timestamp(first.header("webhook-timestamp"))?
            < timestamp(second.header("webhook-timestamp"))?
    );
    let signature = "webhook-signature";
    assert_ne!(first.header(signature), second.header(signature));
    Ok(())
}

#[tokio::test]
async fn a_new_secret_signs_the_next_delivery() -> Result<()> {
    let test = Fixture::new("rotated").await?;
    let created = test.subscribe("/a").await?;
    let new_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let id = &created.subscription.id;
    test.api
        .update_subscription(&test.customer, id, &json!({"secret": new_secret}))
        .await?;
    test.put("order.created", json!({})).await?;

    let request = test.first_request("/a").await?;
    request.verify(new_secret)?;
    let delivery = test
        .settled_delivery(request.webhook_id(), &created)
        .await?;
    assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
    Ok(())
}

#[tokio::test]
async fn the_headers_of_the_subscription_are_sent() -> Result<()> {
    let test = Fixture::new("headers").await?;
    let headers = json!({"x-tenant": "blue", "authorization": "Bearer t"});
    let created = test
        .subscribe_with("/a", json!({"headers": headers}))
        .await?;
    test.put("order.created", json!({})).await?;

    let request = test.first_request("/a").await?;
    assert_eq!(request.header("x-tenant"), "blue");
    assert_eq!(request.header("authorization"), "Bearer t");
    request.verify(&created.secret)?;
    Ok(())
}

#[tokio::test]
async fn during_an_overlap_either_secret_verifies_every_delivery() -> Result<()> {
    const EACH: usize = 4;
    let test = Fixture::new("overlap").await?;
    let created = test.subscribe("/a").await?;
    for n in 0..EACH {
        test.put("order.created", json!({"n": n})).await?;
    }
    // Rotates while these events are in flight.
    let new_secret = rotate(&test, &created, json!({})).await?.secret;
    assert!(new_secret.starts_with("whsec_"));
    for n in EACH..2 * EACH {
        test.put("order.created", json!({"n": n})).await?;
    }

    for request in test.requests("/a", 2 * EACH).await? {
        request.verify(&created.secret)?;
        let body: Value = serde_json::from_slice(&request.body)?;
        let n = body["data"]["n"].as_u64().context("no number")?;
        if usize::try_from(n)? >= EACH {
            request.verify(&new_secret)?;
        }
    }
    let id = &created.subscription.id;
    let shown = test.api.subscription(&test.customer, id).await?;
    let secrets = shown.secrets.iter();
    let secrets: Vec<_> = secrets
        .map(|s| (s.version, s.expires_at.is_some()))
        .collect();
    assert_eq!(secrets, [(2, false), (1, true)]);
    Ok(())
}

#[tokio::test]
async fn without_an_overlap_the_next_attempt_has_the_new_signature_only() -> Result<()> {
    let test = Fixture::new("no-overlap").await?;
    let failure = Answer::status(StatusCode::INTERNAL_SERVER_ERROR).on_release();
    test.receiver.script("/a", [failure, Answer::ok()]);
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({})).await?;
    test.first_request("/a").await?.verify(&created.secret)?;
    let rotated = rotate(&test, &created, json!({"overlapSeconds": 0})).await?;
    test.receiver.release();

    let second = test.requests("/a", 2).await?.swap_remove(1);
    second.verify(&rotated.secret)?;
    assert!(second.verify(&created.secret).is_err());
    Ok(())
}

#[tokio::test]
async fn a_subscription_migrates_to_ed25519() -> Result<()> {
    let test = Fixture::new("migrated").await?;
    let created = test.subscribe("/a").await?;
    let rotated = rotate(&test, &created, json!({"kind": "v1a"})).await?;
    assert!(rotated.secret.starts_with("whsk_"));
    let public_key = rotated.public_key.context("no public key")?;
    test.put("order.created", json!({"text": "é 🦀"})).await?;

    let request = test.first_request("/a").await?;
    request.verify(&created.secret)?;
    assert!(verifies_with(&request, &public_key));
    assert!(!verifies_with(&request, WHPK));
    let id = &created.subscription.id;
    let shown = test.api.subscription(&test.customer, id).await?;
    let kinds: Vec<_> = shown.secrets.iter().map(|s| s.kind).collect();
    assert_eq!(kinds, [SecretKind::V1a, SecretKind::V1]);
    assert_eq!(shown.secrets[0].public_key, Some(public_key));
    let private = rotated.secret.trim_start_matches("whsk_");
    assert!(!serde_json::to_string(&shown)?.contains(&private[..40]));
    Ok(())
}

#[tokio::test]
async fn a_given_ed25519_key_signs() -> Result<()> {
    let test = Fixture::new("given-key").await?;
    let created = test.subscribe_with("/a", json!({"secret": WHSK})).await?;
    assert_eq!(created.secret, WHSK);
    assert_eq!(created.public_key.as_deref(), Some(WHPK));
    test.put("order.created", json!({})).await?;
    assert!(verifies_with(&*test.first_request("/a").await?, WHPK));
    Ok(())
}

#[tokio::test]
async fn an_invalid_rotation_is_refused_with_the_name_of_the_field() -> Result<()> {
    let test = Fixture::new("bad-rotation").await?;
    let created = test.subscribe("/a").await?;
    let id = created.subscription.id.as_str();
    let refusal = async |id, body: &Value| {
        let subscription = ["customers", &test.customer, "subscriptions", id];
        let path = [&subscription[..], &["secret", "rotate"]].concat();
        let answer = test.api.request(Method::POST, &path, &[], Some(body));
        let answer = answer.await?;
        let problem = answer.problem().with_context(|| answer.text())?;
        anyhow::Ok((problem.status, problem.field.unwrap_or_default()))
    };
    for _ in 0..4 {
        rotate(&test, &created, json!({})).await?;
    }
    for (field, body) in [
        ("overlapSeconds", json!({})),
        ("overlapSeconds", json!({"overlapSeconds": 604_801})),
        ("kind", json!({"kind": "v2"})),
        ("kind", json!({"kind": "v1", "secret": WHSK})),
        ("secret", json!({"secret": WHPK})),
        ("secret", json!({"secret": created.secret})),
        ("colour", json!({"colour": "red"})),
        ("body", json!([])),
    ] {
        assert_eq!(refusal(id, &body).await?, (422, field.to_owned()), "{body}");
    }
    let unknown = "sub_00000000000000000000000000000000";
    assert_eq!(refusal(unknown, &json!({})).await?.0, 404);
    Ok(())
}
