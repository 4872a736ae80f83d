//! Deliveries to an endpoint that has been unavailable for an hour are held, and sent by themselves
//! once it answers.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use http::StatusCode;
use serde_json::json;
use tokio::time::{Instant, sleep};
use webhooks_client::{
    CreatedSubscription, DeliveriesQuery, Delivery, DeliveryReason, DeliveryStatus, DeliveryTrigger,
};
use webhooks_domain::timestamp::Timestamp;
use webhooks_receiver::Answer;

use crate::emulator::invoke;
use crate::fixture::{ALL_ATTEMPTS, Fixture, POLL_INTERVAL};

/// The time until the next probe. The deliveries of all events must be held within it.
const COOLDOWN: Duration = Duration::from_secs(20);
const EVENTS: usize = 5;

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Changes the stored health of a subscription as if its circuit breaker had opened two hours ago.
/// The next probe is allowed after the cooldown.
async fn let_it_have_been_unavailable(test: &Fixture, id: &str) -> Result<()> {
    let now = Timestamp::from(SystemTime::now());
    let since = now - Duration::from_hours(2);
    let until = now + COOLDOWN;
    let key = |text: String| AttributeValue::S(text);
    let health = HashMap::from([
        ("failingSince", number(since.as_millis())),
        ("openSince", number(since.as_millis())),
        ("openUntil", number(until.as_millis())),
        ("cooldownSeconds", number(900)),
        ("holdSince", number(since.as_millis())),
        ("checkAt", number(until.as_millis())),
    ]);
    let health = health.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    aws_sdk_dynamodb::Client::new(test.stack.sdk_config())
        .update_item()
        .table_name(test.stack.output("TableName")?)
        .key("pk", key(format!("CUSTOMER#{}", test.customer)))
        .key("sk", key(format!("SUBSCRIPTION#{id}")))
        .update_expression(
            "SET health = :health, owedTo = :unhealthy, dueShard = :shard, sweepAt = :check",
        )
        .expression_attribute_values(":health", AttributeValue::M(health))
        .expression_attribute_values(":unhealthy", key("UNHEALTHY".to_owned()))
        .expression_attribute_values(":shard", number(8))
        .expression_attribute_values(":check", number(until.as_millis()))
        .send()
        .await?;
    Ok(())
}

/// Runs the sweep until all deliveries of the subscription satisfy `wanted`.
async fn when_all(
    test: &Fixture,
    to: &CreatedSubscription,
    wanted: impl Fn(&Delivery) -> bool,
) -> Result<Vec<Delivery>> {
    let deadline = Instant::now() + ALL_ATTEMPTS;
    let query = DeliveriesQuery::default();
    loop {
        let (customer, id) = (&test.customer, &to.subscription.id);
        let found = test.api.deliveries(customer, id, &query).await?.data;
        if found.len() == EVENTS && found.iter().all(&wanted) {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "{found:#?}");
        invoke(&test.stack, "RequeueDueDeliveriesFunction").await?;
        sleep(POLL_INTERVAL).await;
    }
}

#[tokio::test]
async fn an_endpoint_that_was_down_for_an_hour_gets_everything_when_it_is_back() -> Result<()> {
    let test = Fixture::new("holding").await?;
    test.receiver
        .script("/a", [Answer::status(StatusCode::SERVICE_UNAVAILABLE)]);
    let created = test.subscribe("/a").await?;
    let id = &created.subscription.id;
    let_it_have_been_unavailable(&test, id).await?;
    for n in 0..EVENTS {
        test.put("order.created", json!({"n": n})).await?;
    }
    let is_held = |delivery: &Delivery| delivery.status == DeliveryStatus::Held;
    for held in when_all(&test, &created, is_held).await? {
        assert_eq!(held.reason, Some(DeliveryReason::EndpointUnavailable));
        assert_eq!(held.attempts.len(), 0, "{held:#?}");
    }
    assert_eq!(test.receiver.requests_to("/a").len(), 0);

    test.receiver.script("/a", [Answer::ok()]);
    let is_sent = |delivery: &Delivery| delivery.status == DeliveryStatus::Succeeded;
    for sent in when_all(&test, &created, is_sent).await? {
        assert_eq!(sent.trigger, DeliveryTrigger::Event, "{sent:#?}");
        assert_eq!(sent.attempts.len(), 1, "{sent:#?}");
    }
    assert_eq!(test.receiver.requests_to("/a").len(), EVENTS);
    Ok(())
}
