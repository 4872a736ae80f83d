//! Resends of single deliveries.

use anyhow::{Context, Result};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use webhooks_client::{Answered, Delivery, DeliveryStatus, DeliveryTrigger, SubscriptionStatus};
use webhooks_receiver::Answer;

use crate::fixture::Fixture;

fn server_error() -> Answer {
    Answer::status(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Resends a delivery.
async fn resend(test: &Fixture, delivery: &str) -> Result<Answered> {
    let path = ["deliveries", delivery, "resend"];
    Ok(test.api.request(Method::POST, &path, &[], None).await?)
}

/// Resends a delivery, and fails if that is refused.
async fn resent(test: &Fixture, delivery: &str) -> Result<Delivery> {
    let answer = resend(test, delivery).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    Ok(serde_json::from_slice(&answer.body)?)
}

/// Asserts that an answer is a 409 of this kind.
fn refused(answer: &Answered, kind: &str) {
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text());
    let problem = answer.problem().map(|problem| problem.kind);
    assert_eq!(problem, Some(format!("urn:webhooks:problem:{kind}")));
}

async fn set_status(test: &Fixture, subscription: &str, status: &str) -> Result<()> {
    let change = json!({"status": status});
    test.api
        .update_subscription(&test.customer, subscription, &change)
        .await?;
    Ok(())
}

async fn enable(test: &Fixture, subscription: &str) -> Result<Value> {
    let customer = &test.customer;
    let path = [
        "customers",
        customer,
        "subscriptions",
        subscription,
        "enable",
    ];
    let keep = json!({"held": "keep"});
    let answer = test.api.request(Method::POST, &path, &[], Some(&keep));
    let answer = answer.await?;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    Ok(serde_json::from_slice(&answer.body)?)
}

#[tokio::test]
async fn a_failed_delivery_is_resent_with_the_same_id_and_body() -> Result<()> {
    let test = Fixture::new("resend").await?;
    test.receiver
        .script("/a", [server_error(), server_error(), Answer::ok()]);
    let policy = json!({"retryPolicy": {"schedule": [0, 1]}});
    let created = test.subscribe_with("/a", policy).await?;
    test.put("order.created", json!({"total": 1})).await?;
    let before = test.requests("/a", 2).await?;
    let id = before[0].webhook_id();
    let failed = test.settled_delivery(id, &created).await?;
    assert_eq!(failed.status, DeliveryStatus::Failed, "{failed:#?}");
    assert_eq!(failed.trigger, DeliveryTrigger::Event);

    let again = resent(&test, &failed.id).await?;
    assert_eq!(again.trigger, DeliveryTrigger::Resend);
    assert_eq!(again.status, DeliveryStatus::Pending, "{again:#?}");
    assert!(again.next_attempt_at.is_some(), "{again:#?}");
    assert_eq!(again.reason, None);
    let after = test.requests("/a", 3).await?;
    assert_eq!(after[2].webhook_id(), id);
    assert_eq!(after[2].body, before[0].body);
    after[2].verify(&created.secret)?;
    let delivery = test.settled_delivery(id, &created).await?;
    assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
    assert_eq!(delivery.attempts.len(), 3, "{delivery:#?}");
    Ok(())
}

#[tokio::test]
async fn a_delivery_that_succeeded_can_be_resent() -> Result<()> {
    let test = Fixture::new("resend-succeeded").await?;
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({})).await?;
    let first = test.first_request("/a").await?;
    let delivery = test.settled_delivery(first.webhook_id(), &created).await?;
    assert_eq!(delivery.status, DeliveryStatus::Succeeded);
    resent(&test, &delivery.id).await?;
    let requests = test.requests("/a", 2).await?;
    assert_eq!(requests[1].webhook_id(), first.webhook_id());
    assert_eq!(requests[1].body, first.body);
    let delivery = test.settled_delivery(first.webhook_id(), &created).await?;
    assert_eq!(delivery.status, DeliveryStatus::Succeeded);
    assert_eq!(delivery.attempts.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_pending_delivery_cannot_be_resent() -> Result<()> {
    let test = Fixture::new("resend-pending").await?;
    test.receiver.script("/a", [server_error()]);
    let policy = json!({"retryPolicy": {"schedule": [0, 3600]}});
    let created = test.subscribe_with("/a", policy).await?;
    test.put("order.created", json!({})).await?;
    let id = test.first_request("/a").await?.webhook_id().to_owned();
    let attempted = |message: &webhooks_client::Message| {
        let delivery = message.delivery_to(&created.subscription.id);
        delivery.is_some_and(|delivery| delivery.attempts.len() == 1)
    };
    let message = test
        .api
        .message_when(&id, crate::fixture::ARRIVAL, attempted)
        .await?;
    let delivery = message.delivery_to(&created.subscription.id);
    let delivery = &delivery.context("it was attempted")?.id;
    refused(&resend(&test, delivery).await?, "conflict");
    Ok(())
}

#[tokio::test]
async fn a_held_delivery_can_be_resent_after_its_subscription_is_enabled() -> Result<()> {
    let test = Fixture::new("resend-held").await?;
    let created = test.subscribe("/a").await?;
    let subscription = &created.subscription.id;
    // The second endpoint receives the message, so the test learns its id.
    test.subscribe("/up").await?;
    set_status(&test, subscription, "paused").await?;
    test.put("order.created", json!({})).await?;
    let id = test.first_request("/up").await?.webhook_id().to_owned();
    let held = test.settled_delivery(&id, &created).await?;
    assert_eq!(held.status, DeliveryStatus::Held, "{held:#?}");
    let answer = resend(&test, &held.id).await?;
    refused(&answer, "subscription-not-active");

    let enabled = enable(&test, subscription).await?;
    assert_eq!(enabled["status"], "active");
    resent(&test, &held.id).await?;
    assert_eq!(test.first_request("/a").await?.webhook_id(), id);
    let delivery = test.settled_delivery(&id, &created).await?;
    assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
    Ok(())
}

#[tokio::test]
async fn a_gone_endpoint_is_enabled_and_gets_its_delivery() -> Result<()> {
    let test = Fixture::new("resend-gone").await?;
    test.receiver
        .script("/a", [Answer::status(StatusCode::GONE), Answer::ok()]);
    let created = test.subscribe("/a").await?;
    let subscription = &created.subscription.id;
    test.put("order.created", json!({})).await?;
    let id = test.first_request("/a").await?.webhook_id().to_owned();
    let gone = test.settled_delivery(&id, &created).await?;
    assert_eq!(gone.status, DeliveryStatus::Failed, "{gone:#?}");
    let disabled = async || {
        let shown = test.api.subscription(&test.customer, subscription).await?;
        Ok::<_, anyhow::Error>(shown.status == SubscriptionStatus::Disabled)
    };
    while !disabled().await? {
        tokio::time::sleep(crate::fixture::POLL_INTERVAL).await;
    }
    let answer = resend(&test, &gone.id).await?;
    refused(&answer, "subscription-not-active");
    enable(&test, subscription).await?;
    resent(&test, &gone.id).await?;
    assert_eq!(test.requests("/a", 2).await?[1].webhook_id(), id);
    Ok(())
}

#[tokio::test]
async fn an_unknown_delivery_or_a_bad_request_is_refused() -> Result<()> {
    let test = Fixture::new("resend-bad").await?;
    let nothing = "dlv_00000000000000000000000000000001_00000000000000000000000000000002";
    let answer = resend(&test, nothing).await?;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text());
    let answer = resend(&test, "dlv_1").await?;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
    let path = ["deliveries", nothing, "resend"];
    for (body, field) in [(json!({"at": 1}), "at"), (json!([]), "body")] {
        let request = test.api.request(Method::POST, &path, &[], Some(&body));
        let answer = request.await?;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let problem = answer.problem().context("it is a problem")?;
        assert_eq!(problem.field.as_deref(), Some(field));
    }
    Ok(())
}
