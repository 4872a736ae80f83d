//! Items that have expired but are not yet deleted.

use anyhow::Result;
use aws_sdk_dynamodb::types::AttributeValue;
use http::{Method, StatusCode};
use serde_json::json;

use super::{delivery_key, message_key, overwrite, shown, status};
use crate::fixture::Fixture;

#[tokio::test]
async fn an_event_whose_first_message_has_expired_is_delivered_as_a_new_one() -> Result<()> {
    let test = Fixture::new("expired").await?;
    let created = test.subscribe("/a").await?;
    let subscription = created.subscription.id.as_str();
    let event = test.event("order.created", json!({"idempotencyKey": "order-1"}));
    test.put_event(event.clone()).await?;
    let first = test.first_request("/a").await?;
    let message = first.webhook_id();
    let before = test.settled_delivery(message, &created).await?;

    let customer = test.customer.as_str();
    let lists = [
        vec!["customers", customer, "messages"],
        vec!["customers", customer, "deliveries"],
        vec![
            "customers",
            customer,
            "subscriptions",
            subscription,
            "deliveries",
        ],
    ];
    for list in &lists {
        assert_eq!(
            shown(&test, list).await?["data"][0]["eventType"],
            "order.created",
            "{list:?}"
        );
    }
    // DynamoDB deletes an expired item days later; until then it is in the table.
    let long_ago = AttributeValue::N("1".to_owned());
    let delivery = delivery_key(message, subscription);
    overwrite(&test, delivery, "expiresAt", long_ago.clone()).await?;
    overwrite(&test, message_key(message), "expiresAt", long_ago).await?;
    for list in &lists {
        assert_eq!(shown(&test, list).await?["data"], json!([]), "{list:?}");
    }
    for (method, path) in [
        (Method::GET, vec!["messages", message]),
        (Method::GET, vec!["deliveries", &before.id]),
        (Method::POST, vec!["deliveries", &before.id, "resend"]),
    ] {
        let answered = status(&test, method, &path).await?;
        assert_eq!(answered, StatusCode::NOT_FOUND, "{path:?}");
    }

    test.put_event(event).await?;
    let requests = test.requests("/a", 2).await?;
    assert_eq!(requests[1].webhook_id(), message);
    let after = test.settled_delivery(message, &created).await?;
    assert_eq!(after.id, before.id);
    assert_eq!(after.attempts.len(), 1, "{after:#?}");
    assert_ne!(after.created_at, before.created_at);
    Ok(())
}
