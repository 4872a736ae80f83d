//! Every request is signed, and the receiver can tell.

use anyhow::Result;
use http::StatusCode;
use serde_json::json;
use webhooks_client::{Answer, DeliveryStatus};

use crate::fixture::Fixture;

/// Another secret than any that a subscription here has.
const WRONG_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

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
    // 24 and 64 bytes: the shortest and the longest that the standard has.
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
