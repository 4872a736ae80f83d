//! Failing endpoints, and the measures that keep them from harming others.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use webhooks_client::DeliveryStatus;
use webhooks_domain::ids::{CustomerId, MessageId};
use webhooks_receiver::Answer;

use crate::emulator::{
    QueueMessage, pause_delivery, queue_message_with, queue_messages, resume_delivery,
};
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

/// Waits until a subscription satisfies `wanted`.
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

/// Changes the stored health of a subscription as if it had been failing for this long.
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

/// Changes the stored health of a subscription so that its endpoint is slow.
async fn let_it_be_slow(test: &Fixture, id: &str) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let since = AttributeValue::N(now.as_millis().to_string());
    let health = HashMap::from([("slowSince".to_owned(), since)]);
    let key = |text: String| AttributeValue::S(text);
    aws_sdk_dynamodb::Client::new(test.stack.sdk_config())
        .update_item()
        .table_name(test.stack.output("TableName")?)
        .key("pk", key(format!("CUSTOMER#{}", test.customer)))
        .key("sk", key(format!("SUBSCRIPTION#{id}")))
        .update_expression("SET health = :health")
        .expression_attribute_values(":health", AttributeValue::M(health))
        .send()
        .await?;
    Ok(())
}

/// Puts this many events at once. Returns the ids of their messages.
pub(crate) async fn put_many(test: &Fixture, count: usize) -> Result<Vec<String>> {
    let events: Vec<_> = (0..count)
        .map(|n| test.event("order.created", json!({"n": n})))
        .collect();
    let ids = test.stack.put_events(&events).await?;
    let customer: CustomerId = test.customer.parse()?;
    let message = |id: &String| MessageId::from_event_id(&customer, id).to_string();
    Ok(ids.iter().map(message).collect())
}

#[tokio::test]
async fn an_open_circuit_breaker_saves_attempts_and_closes_when_the_endpoint_recovers() -> Result<()>
{
    /// With three attempts each these open the circuit breaker, however many environments share
    /// them.
    const FAILING: usize = 40;
    const LATER: usize = 60;
    let test = Fixture::new("circuit").await?;
    test.receiver.script("/a", [server_error()]);
    // Without a circuit breaker the attempts would be used up long before the endpoint is back.
    let fields = json!({"retryPolicy": {"schedule": [0, 1, 1], "jitter": 0}});
    let created = test.subscribe_with("/a", fields).await?;
    let id = &created.subscription.id;
    put_many(&test, FAILING).await?;

    let is_open = |shown: &Value| shown["health"]["circuitOpenUntil"].is_string();
    let open = shown_when(&test, id, is_open).await?;
    assert_eq!(open["status"], "active");
    // These events meet an open circuit breaker, so only probes use up attempts, one at a time. If
    // they were put before it opens, a fast machine would fail all of them.
    let messages = put_many(&test, LATER).await?;
    // A probe fails, and the circuit breaker stays open for longer.
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
        "no delivery was deferred before its first attempt"
    );
    assert!(
        delivered > LATER / 2,
        "{delivered} of {LATER} were delivered"
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

/// Tests that run while no other test does.
mod alone {
    use super::*;

    #[tokio::test]
    async fn a_hanging_endpoint_uses_the_slow_queue_until_it_is_quick_again() -> Result<()> {
        const SLOW: &str = "SlowDeliveryQueueUrl";
        let (test, _alone) = Fixture::alone("slow").await?;
        test.receiver.script("/hangs", [Answer::never()]);
        let fields = json!({"timeoutSeconds": 1, "retryPolicy": {"schedule": [0, 1], "jitter": 0}});
        let created = test.subscribe_with("/hangs", fields).await?;
        let id = &created.subscription.id;
        let [first] = &put_many(&test, 1).await?[..] else {
            anyhow::bail!("one event")
        };
        let is_slow = |shown: &Value| shown["health"]["slowSince"].is_string();
        shown_when(&test, id, is_slow).await?;
        let ended = test.settled_delivery(first, &created).await?;
        test.subscribe("/ok").await?;

        // Nothing reads the slow queue now, so its messages stay.
        let paused = pause_delivery(&test.stack, SLOW).await?;
        let waiting = async {
            let [next] = &put_many(&test, 1).await?[..] else {
                anyhow::bail!("one event")
            };
            test.first_request("/ok").await?;
            let slow_queue = test.stack.output(SLOW)?;
            let message = next.trim_start_matches("msg_");
            queue_message_with(&test.stack, slow_queue, message).await?;
            // A task that arrives by the fast queue is moved to the slow one.
            test.api.resend_delivery(&ended.id).await?;
            queue_message_with(&test.stack, slow_queue, &ended.id).await?;
            assert_eq!(test.receiver.requests_to("/hangs").len(), 2);
            anyhow::Ok(())
        }
        .await;
        test.receiver.script("/hangs", [Answer::ok()]);
        resume_delivery(&test.stack, paused).await?;
        waiting?;
        test.requests("/hangs", 4).await?;

        // One execution environment must see several quick attempts.
        let deadline = Instant::now() + ALL_ATTEMPTS;
        while shown(&test, id).await?.get("health").is_some() {
            ensure!(Instant::now() < deadline, "it is slow for ever");
            put_many(&test, 10).await?;
            sleep(4 * POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Fair queues keep one message group from delaying the others. So the group of a message is the
    /// delivery's customer, whichever part of the system sends it.
    #[tokio::test]
    async fn every_message_of_both_delivery_queues_is_in_the_group_of_its_customer() -> Result<()> {
        const QUEUES: [&str; 2] = ["DeliveryQueueUrl", "SlowDeliveryQueueUrl"];
        let (test, _alone) = Fixture::alone("groups").await?;
        test.receiver.script("/fails", [server_error()]);
        let quick = test.subscribe("/quick").await?;
        let slow = test.subscribe("/slow").await?;
        let slow_id = slow.subscription.id.as_str();
        let_it_be_slow(&test, slow_id).await?;
        let often = json!({"retryPolicy": {"schedule": [0, 2, 2, 2, 2, 2, 2, 2], "jitter": 0}});
        let failing = test.subscribe_with("/fails", often).await?;
        let [first] = &put_many(&test, 1).await?[..] else {
            anyhow::bail!("one event")
        };
        test.first_request("/fails").await?;
        let quick_id = quick.subscription.id.as_str();
        let ended = |message: &webhooks_client::Message| {
            let delivery = message.delivery_to(quick_id);
            delivery.is_some_and(|delivery| delivery.status == DeliveryStatus::Succeeded)
        };
        let ended = test.api.message_when(first, ALL_ATTEMPTS, ended).await?;
        let ended = ended.delivery_to(quick_id).context("no delivery")?;

        // Nothing reads the queues now, so their messages stay.
        let paused = [
            pause_delivery(&test.stack, QUEUES[0]).await?,
            pause_delivery(&test.stack, QUEUES[1]).await?,
        ];
        let grouped = async {
            put_many(&test, 1).await?;
            test.api.resend_delivery(&ended.id).await?;
            let failing_id = failing.subscription.id.as_str();
            let all = [quick_id, slow_id, failing_id];
            // Messages sent by the workflow to both queues, by a resend, and by a failed attempt.
            let wanted = [
                (0, quick_id, 1),
                (0, quick_id, 2),
                (0, failing_id, 1),
                (1, slow_id, 1),
            ];
            let deadline = Instant::now() + ALL_ATTEMPTS;
            loop {
                let mut found = Vec::new();
                for (queue, output) in QUEUES.iter().enumerate() {
                    let queue_url = test.stack.output(output)?;
                    for message in queue_messages(&test.stack, queue_url).await? {
                        found.extend(task_of(&test, &all, queue, &message)?);
                    }
                }
                let is_there = |(queue, subscription, attempt): &(usize, &str, u64)| {
                    let subscription = subscription.trim_start_matches("sub_");
                    found.iter().any(|(in_queue, delivery, of)| {
                        in_queue == queue && delivery.ends_with(subscription) && of == attempt
                    })
                };
                let is_retried = found.iter().any(|(_, delivery, attempt)| {
                    delivery.ends_with(failing_id.trim_start_matches("sub_")) && *attempt > 1
                });
                if wanted.iter().all(is_there) && is_retried {
                    return Ok(());
                }
                ensure!(Instant::now() < deadline, "{found:?} of {wanted:?}");
                sleep(POLL_INTERVAL).await;
            }
        }
        .await;
        test.receiver.script("/fails", [Answer::ok()]);
        for paused in paused {
            resume_delivery(&test.stack, paused).await?;
        }
        grouped
    }
}

/// The queue, delivery and attempt of a message. `None` if it is not a delivery task for one of these
/// subscriptions: another test may have left some. Fails if it is not in the group of this test's
/// customer.
fn task_of(
    test: &Fixture,
    subscriptions: &[&str],
    queue: usize,
    message: &QueueMessage,
) -> Result<Option<(usize, String, u64)>> {
    let task: Value = serde_json::from_str(&message.body)?;
    let (Some(delivery), Some(attempt)) = (task["deliveryId"].as_str(), task["attempt"].as_u64())
    else {
        return Ok(None);
    };
    let is_to = |id: &&str| delivery.ends_with(id.trim_start_matches("sub_"));
    if !subscriptions.iter().any(is_to) {
        return Ok(None);
    }
    let is_ours = message.group_id.as_ref() == Some(&test.customer);
    ensure!(is_ours, "a message in another group: {message:?}");
    Ok(Some((queue, delivery.to_owned(), attempt)))
}
