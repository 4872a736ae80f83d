//! Limits of subscriptions and customers.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use webhooks_client::{CreatedSubscription, DeliveryStatus};
use webhooks_receiver::Answer;

use crate::command_line::webhooks;
use crate::emulator::queue_bodies;
use crate::fixture::{ALL_ATTEMPTS, Fixture, POLL_INTERVAL};
use crate::isolation::put_many;

/// The arrival times of the requests to an endpoint, in order.
async fn arrivals(test: &Fixture, path: &str, count: usize) -> Result<Vec<SystemTime>> {
    let requests = test.requests(path, count).await?;
    let mut arrivals: Vec<_> = requests.iter().map(|r| r.received_at).collect();
    arrivals.sort();
    Ok(arrivals)
}

/// The largest number of arrivals within any period of this length.
fn most_within(arrivals: &[SystemTime], time: Duration) -> usize {
    let within = |first: &SystemTime| {
        let end = *first + time;
        arrivals
            .iter()
            .filter(|&at| first <= at && *at < end)
            .count()
    };
    arrivals.iter().map(within).max().unwrap_or_default()
}

/// Asserts that each of these messages was delivered at its first attempt.
async fn succeeded_at_once(
    test: &Fixture,
    created: &CreatedSubscription,
    messages: &[String],
) -> Result<()> {
    for message in messages {
        let delivery = test.settled_delivery(message, created).await?;
        assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
        assert_eq!(delivery.attempts.len(), 1, "{delivery:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn webhooks_never_exceed_the_rate_limit_of_a_subscription() -> Result<()> {
    const EVENTS: usize = 40;
    const RATE: usize = 4;
    let test = Fixture::new("rate-limit").await?;
    let created = test
        .subscribe_with("/a", json!({"rateLimitPerSecond": RATE}))
        .await?;
    let messages = put_many(&test, EVENTS).await?;
    let arrivals = arrivals(&test, "/a", EVENTS).await?;
    // The first second's worth may come at once, and then the rate applies; the function may be
    // slow in between.
    let seconds = 4;
    let most = most_within(&arrivals, Duration::from_secs(seconds));
    let allowed = (usize::try_from(seconds)? + 2) * RATE;
    assert!(most <= allowed, "{most} within {seconds} s");
    succeeded_at_once(&test, &created, &messages).await
}

#[tokio::test]
async fn concurrent_requests_never_exceed_max_in_flight() -> Result<()> {
    const EVENTS: usize = 20;
    const MOST: usize = 2;
    let took = Duration::from_millis(700);
    let test = Fixture::new("in-flight").await?;
    test.receiver.script("/a", [Answer::ok().after(took)]);
    let created = test
        .subscribe_with("/a", json!({"maxInFlight": MOST}))
        .await?;
    let messages = put_many(&test, EVENTS).await?;
    let arrivals = arrivals(&test, "/a", EVENTS).await?;
    assert_eq!(most_within(&arrivals, took), MOST);
    succeeded_at_once(&test, &created, &messages).await
}

/// After a limit is raised, a waiting delivery follows the new limit: it is sent before the time
/// that it had reserved under the old one.
#[tokio::test]
async fn a_raised_limit_applies_to_waiting_deliveries() -> Result<()> {
    const EVENTS: usize = 120;
    let test = Fixture::new("raised-limit").await?;
    let created = test
        .subscribe_with("/a", json!({"rateLimitPerSecond": 1}))
        .await?;
    let id = created.subscription.id.as_str();
    let messages = put_many(&test, EVENTS).await?;
    // Reads the reservations as soon as each event has one or was delivered.
    let queue = test.stack.output("DeliveryQueueUrl")?;
    let deadline = Instant::now() + ALL_ATTEMPTS;
    let last = loop {
        let reservations = reservations(&queue_bodies(&test.stack, queue).await?, id);
        let came = test.receiver.requests_to("/a").len();
        if reservations.len() + came >= EVENTS {
            let last = reservations
                .into_iter()
                .max_by_key(|(_, reserved_at)| *reserved_at);
            break last.context("no delivery waits")?;
        }
        ensure!(Instant::now() < deadline, "{reservations:?}");
        sleep(POLL_INTERVAL).await;
    };
    let raised = json!({"rateLimitPerSecond": 100});
    let update = test
        .api
        .update_subscription(&test.customer, id, &raised)
        .answer()
        .await?;
    assert_eq!(update.status, StatusCode::OK, "{}", update.text());

    let requests = test.requests("/a", EVENTS).await?;
    succeeded_at_once(&test, &created, &messages).await?;
    let (delivery, reserved_at) = last;
    let message = delivery.split('_').nth(1).context("no delivery")?;
    let request = requests
        .iter()
        .find(|request| request.webhook_id().ends_with(message))
        .context("the last delivery did not arrive")?;
    let came_at = request.received_at.duration_since(UNIX_EPOCH)?.as_millis();
    assert!(
        came_at < u128::from(reserved_at),
        "{delivery} arrived at {came_at}, not before its old reservation: {reserved_at}"
    );
    Ok(())
}

/// The latest reservation of each delivery that waits for a subscription, in milliseconds since
/// 1970.
fn reservations(bodies: &[String], subscription: &str) -> HashMap<String, u64> {
    let subscription = subscription.trim_start_matches("sub_");
    let mut reserved = HashMap::new();
    for body in bodies.iter().filter(|body| body.contains(subscription)) {
        let task: Value = serde_json::from_str(body).unwrap_or_default();
        if let (Some(delivery), Some(at)) =
            (task["deliveryId"].as_str(), task["notBefore"].as_u64())
        {
            let latest = reserved.entry(delivery.to_owned()).or_default();
            *latest = at.max(*latest);
        }
    }
    reserved
}

#[tokio::test]
async fn webhooks_never_exceed_the_rate_limit_of_a_customer() -> Result<()> {
    const EVENTS: usize = 20;
    const RATE: usize = 4;
    let test = Fixture::new("customer-rate").await?;
    let (customer, rate) = (test.customer.as_str(), RATE.to_string());
    let put = [
        "customers",
        "put",
        customer,
        "--rate-limit-per-second",
        &rate,
    ];
    let put = webhooks(&put).await?.1;
    assert_eq!(put["rateLimitPerSecond"], json!(RATE));
    let created = [test.subscribe("/a").await?, test.subscribe("/b").await?];
    let messages = put_many(&test, EVENTS).await?;
    let mut all = arrivals(&test, "/a", EVENTS).await?;
    all.extend(arrivals(&test, "/b", EVENTS).await?);
    let seconds = 4;
    let most = most_within(&all, Duration::from_secs(seconds));
    let allowed = (usize::try_from(seconds)? + 2) * RATE;
    assert!(most <= allowed, "{most} within {seconds} s");
    for created in &created {
        succeeded_at_once(&test, created, &messages).await?;
    }
    Ok(())
}
