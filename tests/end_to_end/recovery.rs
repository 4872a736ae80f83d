//! The `webhooks` commands that an operator runs after a failure of the system itself: events and
//! tasks that were set aside or lost are delivered, once.
//!
//! These tests pause the delivery queue, and take messages from queues that all tests share. So
//! each test runs alone.

use anyhow::{Context, Result};
use aws_sdk_sqs::types::{Message, MessageAttributeValue};
use http::StatusCode;
use serde_json::{Value, json};
use webhooks_cli::Outcome;
use webhooks_client::DeliveryStatus;
use webhooks_receiver::Answer;

use crate::command_line::webhooks;
use crate::emulator::{
    pause_delivery, queue_bodies, queue_message_with, resume_delivery, tasks_are_acknowledged,
};
use crate::fixture::{ALL_ATTEMPTS, Fixture, until_due};

/// The part of a `dlq …` result that belongs to one queue.
fn queue<'a>(result: &'a Value, name: &str) -> &'a Value {
    let queues = result.as_array().unwrap();
    queues.iter().find(|row| row["queue"] == name).unwrap()
}

/// Tests that run while no other test does.
mod alone {
    use super::*;

    #[tokio::test]
    async fn a_failed_event_is_delivered_once_its_cause_is_gone() -> Result<()> {
        let (test, _alone) = Fixture::alone("redrive-events").await?;
        let queue_url = test.stack.output("FailedEventsQueueUrl")?;
        let created = test.subscribe("/a").await?;
        // The cause of this event's failure stays: it has no customer id.
        let nobodys = json!({"fault of": test.customer}).to_string();
        test.put_event(test.raw_event("order.created", nobodys))
            .await?;
        queue_message_with(&test.stack, queue_url, &test.customer).await?;
        // The cause of this event's failure is gone: the table answers again.
        let event = test.envelope("failed", "order.created", json!({}));
        let reasons = [("error", "StoreUnavailable"), ("cause", "it was throttled")];
        set_aside(&test, queue_url, &event.to_string(), &reasons).await?;

        let (_, listed) = webhooks(&["dlq", "list"]).await?;
        let errors = queue(&listed, "events")["errors"].to_string();
        for error in ["StoreUnavailable", "MissingCustomerId"] {
            assert!(errors.contains(error), "{listed}");
        }

        // The state after a crash between the start of the execution and the deletion of its message.
        let message = receive_one(&test, queue_url, "-failed\"").await?;
        let name = format!("redrive-{}", message.message_id().unwrap());
        let event = message.body().unwrap();
        test.stack.start_execution_once(&name, event).await?;
        let request = test.first_request("/a").await?;
        release(&test, queue_url, &message).await?;
        let (outcome, redriven) = webhooks(&["dlq", "redrive", "events"]).await?;
        assert_eq!(outcome, Outcome::Complete, "{redriven}");

        let delivery = test
            .settled_delivery(request.webhook_id(), &created)
            .await?;
        assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
        tasks_are_acknowledged(&test.stack, &delivery.id).await?;
        assert_eq!(test.receiver.requests().len(), 1, "{delivery:#?}");
        // It fails again, and goes back to the failed-events queue.
        queue_message_with(&test.stack, queue_url, "fault of").await?;
        let bodies = queue_bodies(&test.stack, queue_url).await?;
        let left = bodies.iter().filter(|body| body.contains(&test.customer));
        assert_eq!(left.count(), 1);
        let (outcome, _) = webhooks(&["dlq", "drop", "events", "--yes"]).await?;
        assert_eq!(outcome, Outcome::Complete);
        Ok(())
    }

    #[tokio::test]
    async fn an_event_in_the_rules_dead_letter_queue_is_delivered() -> Result<()> {
        let (test, _alone) = Fixture::alone("redrive-rule").await?;
        let queue_url = test.stack.output("RuleDeadLetterQueueUrl")?;
        let created = test.subscribe("/a").await?;
        let event = test.envelope("refused", "order.created", json!({"total": 12.5}));
        put_into_rule_dead_letter_queue(&test, queue_url, &event).await?;

        let (_, listed) = webhooks(&["dlq", "list"]).await?;
        let errors = &queue(&listed, "rule")["errors"];
        assert_eq!(errors[0]["name"], "NO_PERMISSIONS", "{listed}");
        assert_eq!(errors[0]["cause"], "not authorized", "{listed}");
        let (outcome, redriven) = webhooks(&["dlq", "redrive", "rule"]).await?;
        assert_eq!(outcome, Outcome::Complete, "{redriven}");
        assert_eq!(queue(&redriven, "rule")["moved"], 1, "{redriven}");

        let request = test.first_request("/a").await?;
        request.verify(&created.secret)?;
        let message = test.message_of(&event);
        assert_eq!(request.webhook_id(), message.to_string());
        let delivery = test
            .settled_delivery(request.webhook_id(), &created)
            .await?;
        assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
        assert!(queue_bodies(&test.stack, queue_url).await?.is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn a_task_in_the_dead_letter_queue_is_delivered() -> Result<()> {
        let (test, _alone) = Fixture::alone("redrive-deliveries").await?;
        let created = test.subscribe("/a").await?;
        let delivery_queue = test.stack.output("DeliveryQueueUrl")?;
        let dead_letters = test.stack.output("DeliveryDeadLetterQueueUrl")?;
        let paused = pause_delivery(&test.stack, "DeliveryQueueUrl").await?;
        let moved = async {
            test.put("order.created", json!({})).await?;
            let subscription = created.subscription.id.trim_start_matches("sub_");
            let task = queue_message_with(&test.stack, delivery_queue, subscription).await?;
            purge(&test, delivery_queue).await?;
            for body in [&task, "not a task"] {
                sqs(&test)
                    .send_message()
                    .queue_url(dead_letters)
                    .message_body(body)
                    .send()
                    .await?;
            }
            anyhow::Ok(())
        }
        .await;
        resume_delivery(&test.stack, paused).await?;
        moved?;

        let (_, planned) = webhooks(&["dlq", "redrive", "deliveries", "--dry-run"]).await?;
        assert_eq!(queue(&planned, "deliveries")["toMove"], 2, "{planned}");
        assert_eq!(queue(&planned, "deliveries")["moved"], 0, "{planned}");
        let (outcome, redriven) = webhooks(&["dlq", "redrive", "deliveries"]).await?;
        assert_eq!(outcome, Outcome::Incomplete, "{redriven}");
        assert_eq!(queue(&redriven, "deliveries")["moved"], 1, "{redriven}");
        let request = test.first_request("/a").await?;
        request.verify(&created.secret)?;

        let left = queue_bodies(&test.stack, dead_letters).await?;
        assert_eq!(left, ["not a task"]);
        let (outcome, dropped) = webhooks(&["dlq", "drop", "deliveries", "--yes"]).await?;
        assert_eq!(outcome, Outcome::Complete);
        assert_eq!(queue(&dropped, "deliveries")["dropped"], 1, "{dropped}");
        assert!(queue_bodies(&test.stack, dead_letters).await?.is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn a_purged_delivery_queue_loses_nothing() -> Result<()> {
        let (test, _alone) = Fixture::alone("requeue").await?;
        let delivery_queue = test.stack.output("DeliveryQueueUrl")?;
        let failure = Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
        test.receiver.script("/retried", [failure]);
        let retried = test.subscribe("/retried").await?;
        let fresh = json!({"eventTypes": ["order.cancelled"]});
        let fresh = test.subscribe_with("/fresh", fresh).await?;

        test.put("order.created", json!({})).await?;
        let first = test.first_request("/retried").await?;
        let paused = pause_delivery(&test.stack, "DeliveryQueueUrl").await?;
        let purged = async {
            // Waits until every request is recorded, so that none is in flight.
            let waits = |message: &webhooks_client::Message| {
                let delivery = message.delivery_to(&retried.subscription.id);
                let sent = test.receiver.requests_to("/retried").len();
                delivery.is_some_and(|delivery| delivery.attempts.len() == sent)
            };
            let message = test
                .api
                .message_when(first.webhook_id(), ALL_ATTEMPTS, waits)
                .await?;
            let delivery = message.delivery_to(&retried.subscription.id).unwrap();
            assert_eq!(delivery.status, DeliveryStatus::Pending, "{delivery:#?}");
            test.put("order.cancelled", json!({})).await?;
            for waiting in [&retried, &fresh] {
                let subscription = waiting.subscription.id.trim_start_matches("sub_");
                queue_message_with(&test.stack, delivery_queue, subscription).await?;
            }
            purge(&test, delivery_queue).await?;
            until_due(delivery).await?;
            anyhow::Ok(delivery.attempts.len())
        }
        .await;
        resume_delivery(&test.stack, paused).await?;
        let tried = purged?;
        test.receiver.script("/retried", [Answer::ok()]);

        let (_, young) = webhooks(&["requeue", "--older-than", "1h"]).await?;
        assert_eq!(young["queued"], 0, "{young}");
        let now = ["requeue", "--older-than", "0s"];
        let (_, counted) = webhooks(&[&now[..], &["--dry-run"]].concat()).await?;
        assert_eq!(counted["queued"], 0, "{counted}");
        let (outcome, requeued) = webhooks(&now).await?;
        assert_eq!(outcome, Outcome::Complete, "{requeued}");
        assert_eq!(requeued["queued"], requeued["found"], "{requeued}");
        assert!(requeued["readUnits"].as_f64().unwrap() > 0.0, "{requeued}");

        let second = test.first_request("/fresh").await?;
        for (message_id, subscription, attempts) in [
            (first.webhook_id(), &retried, tried + 1),
            (second.webhook_id(), &fresh, 1),
        ] {
            let delivery = test.settled_delivery(message_id, subscription).await?;
            assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
            assert_eq!(delivery.attempts.len(), attempts, "{delivery:#?}");
        }
        assert_eq!(test.receiver.requests().len(), tried + 2);
        Ok(())
    }
}

fn sqs(test: &Fixture) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(test.stack.sdk_config())
}

/// Puts an event into the rule's dead-letter queue, in the form that EventBridge uses if it cannot
/// start the workflow: the body is the event, and the attributes give the reason.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>
async fn put_into_rule_dead_letter_queue(
    test: &Fixture,
    queue_url: &str,
    event: &Value,
) -> Result<()> {
    let rule = format!("arn:aws:events:{}:000000000000:rule/r", test.stack.region());
    let attributes = [
        ("RULE_ARN", rule.as_str()),
        ("TARGET_ARN", test.stack.output("StateMachineArn")?),
        ("ERROR_CODE", "NO_PERMISSIONS"),
        ("ERROR_MESSAGE", "not authorized"),
    ];
    set_aside(test, queue_url, &event.to_string(), &attributes).await
}

/// Puts an event into a queue of failed events.
pub(crate) async fn set_aside(
    test: &Fixture,
    queue_url: &str,
    event: &str,
    attributes: &[(&str, &str)],
) -> Result<()> {
    let mut sent = sqs(test)
        .send_message()
        .queue_url(queue_url)
        .message_body(event);
    for &(name, value) in attributes {
        let value = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(value)
            .build()?;
        sent = sent.message_attributes(name, value);
    }
    sent.send().await?;
    Ok(())
}

async fn purge(test: &Fixture, queue_url: &str) -> Result<()> {
    sqs(test).purge_queue().queue_url(queue_url).send().await?;
    Ok(())
}

/// Receives the message with this text and this test's customer, and releases the others.
async fn receive_one(test: &Fixture, queue_url: &str, part: &str) -> Result<Message> {
    let received = sqs(test)
        .receive_message()
        .queue_url(queue_url)
        .max_number_of_messages(10)
        .wait_time_seconds(1)
        .send()
        .await?;
    let mut found = None;
    for message in received.messages.unwrap_or_default() {
        let body = message.body().unwrap();
        if body.contains(&test.customer) && body.contains(part) {
            found = Some(message);
        } else {
            release(test, queue_url, &message).await?;
        }
    }
    found.with_context(|| format!("no event of {} in {queue_url}", test.customer))
}

/// Makes a received message visible again.
async fn release(test: &Fixture, queue_url: &str, message: &Message) -> Result<()> {
    sqs(test)
        .change_message_visibility()
        .queue_url(queue_url)
        .receipt_handle(message.receipt_handle().unwrap())
        .visibility_timeout(0)
        .send()
        .await?;
    Ok(())
}
