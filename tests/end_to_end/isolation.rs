//! Endpoints that fail for long, and what is done so that they hurt nobody.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use webhooks_client::{Answer, DeliveryStatus};
use webhooks_domain::ids::{CustomerId, MessageId};

use crate::fixture::{ALL_ATTEMPTS, Fixture, POLL_INTERVAL};

fn server_error() -> Answer {
    Answer::status(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A subscription as the API shows it.
async fn shown(test: &Fixture, id: &str) -> Result<Value> {
    let path = ["customers", &test.customer, "subscriptions", id];
    let answer = test.api.request(Method::GET, &path, &[], None).await?;
    ensure!(answer.status == StatusCode::OK, "{}", answer.text());
    Ok(serde_json::from_slice(&answer.body)?)
}

/// Waits until a subscription is as wanted.
async fn shown_when(test: &Fixture, id: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let deadline = Instant::now() + ALL_ATTEMPTS;
    loop {
        let subscription = shown(test, id).await?;
        if wanted(&subscription) {
            return Ok(subscription);
        }
        ensure!(Instant::now() < deadline, "{subscription:#}");
        sleep(POLL_INTERVAL).await;
    }
}

/// Lets the endpoint of a subscription have failed for this long already.
async fn let_it_have_failed_for(test: &Fixture, id: &str, time: Duration) -> Result<()> {
    let since = (SystemTime::now() - time).duration_since(UNIX_EPOCH)?;
    let key = |text: String| AttributeValue::S(text);
    aws_sdk_dynamodb::Client::new(test.stack.sdk_config())
        .update_item()
        .table_name(test.stack.output("TableName")?)
        .key("pk", key(format!("CUSTOMER#{}", test.customer)))
        .key("sk", key(format!("SUBSCRIPTION#{id}")))
        .update_expression("SET health.failingSince = :since")
        .expression_attribute_values(":since", AttributeValue::N(since.as_millis().to_string()))
        .send()
        .await?;
    Ok(())
}

/// Puts this many events at once, and gives the ids of their messages.
async fn put_many(test: &Fixture, count: usize) -> Result<Vec<String>> {
    let events: Vec<_> = (0..count)
        .map(|n| test.event("order.created", json!({"n": n})))
        .collect();
    let ids = test.stack.put_events(&events).await?;
    let customer: CustomerId = test.customer.parse()?;
    let message = |id: &String| MessageId::from_event_id(&customer, id).to_string();
    Ok(ids.iter().map(message).collect())
}

#[tokio::test]
async fn a_circuit_opens_spares_the_attempts_and_closes_when_the_endpoint_is_back() -> Result<()> {
    const EVENTS: usize = 80;
    let test = Fixture::new("circuit").await?;
    test.receiver.script("/a", [server_error()]);
    // Without a circuit the attempts are used up long before the endpoint is back.
    let fields = json!({"retryPolicy": {"schedule": [0, 1, 1], "jitter": 0}});
    let created = test.subscribe_with("/a", fields).await?;
    let id = &created.subscription.id;
    let messages = put_many(&test, EVENTS).await?;

    let is_open = |shown: &Value| shown["health"]["circuitOpenUntil"].is_string();
    let open = shown_when(&test, id, is_open).await?;
    assert_eq!(open["status"], "active");
    // A probe fails, and the circuit stays open for longer.
    let first = &open["health"]["circuitOpenUntil"];
    let is_later = |shown: &Value| shown["health"]["circuitOpenUntil"] != *first;
    shown_when(&test, id, is_later).await?;
    test.receiver.script("/a", [Answer::ok()]);
    let closed = |shown: &Value| shown.get("health").is_none();
    shown_when(&test, id, closed).await?;

    let (mut delivered, mut spared) = (0, 0);
    for message in messages {
        let delivery = test.settled_delivery(&message, &created).await?;
        let succeeded = delivery.status == DeliveryStatus::Succeeded;
        delivered += usize::from(succeeded);
        spared += usize::from(succeeded && delivery.attempts.len() == 1);
    }
    assert!(
        spared > 0,
        "no delivery was parked before its first attempt"
    );
    assert!(
        delivered > EVENTS / 2,
        "{delivered} of {EVENTS} were delivered"
    );
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_fails_for_days_is_disabled_and_enabled_again() -> Result<()> {
    let test = Fixture::new("failing").await?;
    test.receiver.script("/a", [server_error()]);
    let created = test.subscribe("/a").await?;
    let id = &created.subscription.id;
    assert_eq!(shown(&test, id).await?.get("health"), None);
    test.put("order.created", json!({"n": 1})).await?;

    let failing = |shown: &Value| shown["health"]["failingSince"].is_string();
    let subscription = shown_when(&test, id, failing).await?;
    assert_eq!(subscription["status"], "active");
    assert_eq!(subscription["version"], 1);
    let first = test.first_request("/a").await?.webhook_id().to_owned();
    test.settled(&first).await?;

    let six_days = Duration::from_hours(6 * 24);
    let_it_have_failed_for(&test, id, six_days).await?;
    test.put("order.created", json!({"n": 2})).await?;
    let disabled = |shown: &Value| shown["status"] == "disabled";
    let subscription = shown_when(&test, id, disabled).await?;
    assert_eq!(subscription["disabledReason"], "failing");
    assert!(subscription["disabledAt"].is_string(), "{subscription:#}");
    let requests = test.receiver.requests_to("/a");
    let second = requests.last().unwrap().webhook_id();
    assert_ne!(second, first);
    let held = test.settled_delivery(second, &created).await?;
    assert_eq!(held.status, DeliveryStatus::Held, "{held:#?}");

    let path = ["customers", &test.customer, "subscriptions", id, "enable"];
    let answer = test.api.request(Method::POST, &path, &[], None).await?;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let enabled = shown(&test, id).await?;
    assert_eq!(enabled["status"], "active");
    for field in ["disabledReason", "disabledAt", "health"] {
        assert_eq!(enabled.get(field), None, "{enabled:#}");
    }
    Ok(())
}
