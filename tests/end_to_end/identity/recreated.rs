//! A subscription that is deleted, and created again by the same request.

use anyhow::Result;
use http::StatusCode;
use serde_json::{Value, json};
use webhooks_client::{CreatedSubscription, DeliveriesQuery, DeliveryReason, DeliveryStatus};
use webhooks_receiver::Answer;

use crate::emulator::tasks_are_acknowledged;
use crate::fixture::{ALL_ATTEMPTS, Fixture};

/// Creates a subscription with an idempotency key, so the request may be a repetition. The result is
/// without warnings: they are those of the catalogue of the moment, which other tests change.
async fn create(test: &Fixture, path: &str, key: &str) -> Result<CreatedSubscription> {
    let subscription = json!({
        "url": test.receiver.url(path),
        "eventTypes": ["order.created"],
        "retryPolicy": {"schedule": [0, 3], "jitter": 0},
    });
    let created = test.api.create_subscription(&test.customer, &subscription);
    let mut created = created.idempotency_key(key).await?;
    created.subscription.warnings.clear();
    Ok(created)
}

#[tokio::test]
async fn a_recreated_subscription_gets_no_delivery_of_the_deleted_one() -> Result<()> {
    let test = Fixture::new("again").await?;
    let failure = Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
    test.receiver.script("/old", [failure]);
    let old = create(&test, "/old", "key-1").await?;
    let repeated = create(&test, "/old", "key-1").await?;
    assert_eq!(repeated.subscription, old.subscription, "the same request");
    assert_eq!(repeated.secret, old.secret);
    let other = create(&test, "/other", "key-1").await.unwrap_err();
    assert!(other.to_string().contains("another body"), "{other:#}");

    test.put("order.created", json!({"n": 1})).await?;
    let owed = test.first_request("/old").await?.webhook_id().to_owned();
    let failed_once = |message: &webhooks_client::Message| {
        let delivery = message.delivery_to(&old.subscription.id);
        delivery.is_some_and(|delivery| delivery.attempts.len() == 1)
    };
    let waits = test.api.message_when(&owed, ALL_ATTEMPTS, failed_once);
    waits.await?;
    let id = old.subscription.id.as_str();
    test.api.delete_subscription(&test.customer, id).await?;
    let new = create(&test, "/new", "key-1").await?;
    assert_ne!(new.subscription.id, old.subscription.id);
    assert_ne!(new.secret, old.secret);
    assert_eq!(new.subscription.version, 1);
    let repeated = create(&test, "/new", "key-1").await?;
    assert_eq!(repeated.subscription, new.subscription, "the same request");

    let cancelled = test.settled_delivery(&owed, &old).await?;
    assert_eq!(
        cancelled.status,
        DeliveryStatus::Cancelled,
        "{cancelled:#?}"
    );
    assert_eq!(cancelled.reason, Some(DeliveryReason::SubscriptionDeleted));
    tasks_are_acknowledged(&test.stack, &cancelled.id).await?;
    assert_eq!(test.receiver.requests().len(), 1);

    test.put("order.created", json!({"n": 2})).await?;
    let request = test.first_request("/new").await?;
    request.verify(&new.secret)?;
    assert_ne!(request.webhook_id(), owed);
    let body: Value = serde_json::from_slice(&request.body)?;
    assert_eq!(body["data"]["n"], 2, "{body}");
    test.settled_delivery(request.webhook_id(), &new).await?;
    let id = new.subscription.id.as_str();
    let listed = test
        .api
        .deliveries(&test.customer, id, &DeliveriesQuery::default());
    assert_eq!(listed.await?.data.len(), 1);
    Ok(())
}
