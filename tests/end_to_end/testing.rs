//! Test messages that an operator sends to a subscription.

use anyhow::Result;
use http::StatusCode;
use serde_json::{Value, json};
use webhooks_client::{AttemptOutcome, DeliveryReason, DeliveryStatus, DeliveryTrigger};
use webhooks_receiver::Answer;

use crate::fixture::Fixture;

#[tokio::test]
async fn a_test_is_sent_at_once_signed_and_listed() -> Result<()> {
    let test = Fixture::new("test").await?;
    let (api, customer) = (&test.api, &test.customer);
    // The subscription is paused and does not match the test's event type.
    let created = test
        .subscribe_with("/a", json!({"status": "paused"}))
        .await?;
    let id = created.subscription.id.as_str();

    let answer = api.test_subscription(customer, id, None).answer().await?;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let tested = api
        .delivery(json_text(&answer.body, "id")?.as_str())
        .await?
        .delivery;
    assert_eq!(tested.status, DeliveryStatus::Succeeded, "{tested:#?}");
    assert_eq!(tested.trigger, DeliveryTrigger::Test);
    assert_eq!(tested.event_type, "webhook.test");
    assert_eq!(tested.attempts.len(), 1);

    let requests = test.receiver.requests_to("/a");
    assert_eq!(requests.len(), 1, "sent before the API answered");
    let request = &requests[0];
    assert_eq!(request.webhook_id(), tested.message_id);
    request.verify(&created.secret)?;
    let body: Value = serde_json::from_slice(&request.body)?;
    assert_eq!(body["type"], "webhook.test");
    assert_eq!(body["data"]["customerId"], json!(customer));

    let message = api.message(&tested.message_id).await?;
    assert_eq!(message.deliveries.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_test_that_fails_shows_its_attempt_and_is_not_retried() -> Result<()> {
    let test = Fixture::new("test-fails").await?;
    let (api, customer) = (&test.api, &test.customer);
    let gone = Answer::status(StatusCode::GONE).with_body("moved away");
    test.receiver.script("/a", [gone]);
    let created = test.subscribe("/a").await?;
    let id = created.subscription.id.as_str();
    let tested = api
        .test_subscription(customer, id, Some("order.created"))
        .await?;
    assert_eq!(tested.status, DeliveryStatus::Failed, "{tested:#?}");
    assert_eq!(tested.reason, Some(DeliveryReason::TestFailed));
    assert_eq!(tested.event_type, "order.created");
    assert_eq!(tested.attempts[0].outcome, AttemptOutcome::HttpError);
    assert_eq!(
        tested.attempts[0].response_excerpt.as_deref(),
        Some("moved away")
    );
    assert_eq!(tested.next_attempt_at, None);
    let subscription = api.subscription(customer, id).await?;
    assert_eq!(subscription, created.subscription, "a test changes nothing");
    Ok(())
}

#[tokio::test]
async fn a_test_of_an_unknown_subscription_or_with_a_bad_event_type_is_refused() -> Result<()> {
    let test = Fixture::new("test-refused").await?;
    let (api, customer) = (&test.api, &test.customer);
    let created = test.subscribe("/a").await?;
    let id = created.subscription.id.as_str();
    let strangers = api.test_subscription("somebody-else", id, None);
    assert_eq!(strangers.answer().await?.status, StatusCode::NOT_FOUND);
    let empty = api
        .test_subscription(customer, id, Some(""))
        .answer()
        .await?;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let field = empty.problem().and_then(|problem| problem.field);
    assert_eq!(field.as_deref(), Some("eventType"));
    api.delete_subscription(customer, id).await?;
    let gone = api.test_subscription(customer, id, None).answer().await?;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(test.receiver.requests_to("/a").is_empty());
    Ok(())
}

fn json_text(body: &[u8], member: &str) -> Result<String> {
    let body: Value = serde_json::from_slice(body)?;
    Ok(body[member].as_str().unwrap_or_default().to_owned())
}
