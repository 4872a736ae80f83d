//! Everything is delivered at least once, and there is still only one delivery.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use webhooks_client::{DeliveryStatus, ExecutionStatus, Stack};
use webhooks_lambda::Metric;

use crate::{
    emulator::tasks_are_acknowledged,
    fixture::{ARRIVAL, Fixture, POLL_INTERVAL},
    logs::log_lines,
};

#[tokio::test]
async fn one_idempotency_key_is_one_delivery() -> Result<()> {
    let test = Fixture::new("key").await?;
    let created = test.subscribe("/a").await?;
    let event = test.event(
        "order.created",
        json!({"idempotencyKey": "order-1-created"}),
    );
    test.put_event(event.clone()).await?;
    let request = test.first_request("/a").await?;
    let id = request.webhook_id();
    test.settled(id).await?;
    test.put_event(event).await?;

    executions_end(&test.stack, &test.customer, 2).await?;
    let delivery = test.settled_delivery(id, &created).await?;
    tasks_are_acknowledged(&test.stack, &delivery.id).await?;
    assert_eq!(delivery.attempts.len(), 1, "{delivery:#?}");
    assert_eq!(test.receiver.requests().len(), 1, "{delivery:#?}");
    Ok(())
}

#[tokio::test]
async fn one_idempotency_key_used_concurrently_is_one_delivery() -> Result<()> {
    let test = Fixture::new("key-at-once").await?;
    let created = test.subscribe("/a").await?;
    let event = test.event(
        "order.created",
        json!({"idempotencyKey": "order-1-created"}),
    );
    test.stack.put_events(&[event.clone(), event]).await?;

    executions_end(&test.stack, &test.customer, 2).await?;
    let request = test.first_request("/a").await?;
    let message = test.settled(request.webhook_id()).await?;
    assert_eq!(message.deliveries.len(), 1, "{message:#?}");
    let delivery = message.delivery_to(&created.subscription.id).unwrap();
    tasks_are_acknowledged(&test.stack, &delivery.id).await?;
    assert_eq!(delivery.attempts.len(), 1, "{delivery:#?}");
    // Two queue messages that are processed at the same moment may both send. The receiver
    // recognises the second request by its webhook-id.
    let requests = test.receiver.requests();
    assert!(requests.len() <= 2, "{delivery:#?}");
    assert!(requests.iter().all(|r| r.webhook_id() == message.id));
    Ok(())
}

#[tokio::test]
async fn without_an_idempotency_key_two_events_are_two_messages() -> Result<()> {
    let test = Fixture::new("no-key").await?;
    test.subscribe("/a").await?;
    let event = test.event("order.created", json!({"id": "one order, two events"}));
    test.stack.put_events(&[event.clone(), event]).await?;

    let requests = test.requests("/a", 2).await?;
    let ids: BTreeSet<_> = requests.iter().map(|r| r.webhook_id()).collect();
    assert_eq!(ids.len(), 2);
    Ok(())
}

#[tokio::test]
async fn one_event_that_the_bus_delivers_twice_is_one_delivery() -> Result<()> {
    let test = Fixture::new("twice").await?;
    let created = test.subscribe("/a").await?;
    let event = test.envelope("same", "order.created", json!({}));
    for _ in 0..2 {
        let execution = test.run_workflow(&event).await?;
        assert_eq!(
            execution.status,
            ExecutionStatus::Succeeded,
            "{execution:?}"
        );
        // Two tasks that are processed at the same moment may both send. So the first is finished
        // before the event is put again.
        let request = test.first_request("/a").await?;
        let delivery = test
            .settled_delivery(request.webhook_id(), &created)
            .await?;
        tasks_are_acknowledged(&test.stack, &delivery.id).await?;
        assert_eq!(test.receiver.requests().len(), 1, "{delivery:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_queue_message_that_comes_twice_makes_no_second_request() -> Result<()> {
    let test = Fixture::new("queue").await?;
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({})).await?;
    let request = test.first_request("/a").await?;
    let id = request.webhook_id();
    let before = test.settled_delivery(id, &created).await?;
    assert_eq!(before.status, DeliveryStatus::Succeeded, "{before:#?}");

    let again = json!({"v": 1, "deliveryId": before.id, "attempt": 1});
    for _ in 0..2 {
        aws_sdk_sqs::Client::new(test.stack.sdk_config())
            .send_message()
            .queue_url(test.stack.output("DeliveryQueueUrl")?)
            .message_group_id(&created.subscription.id)
            .message_body(again.to_string())
            .send()
            .await?;
    }
    tasks_are_acknowledged(&test.stack, &before.id).await?;
    let after = test.api.delivery(&before.id).await?.delivery;
    assert_eq!(after.attempts.len(), 1, "{after:#?}");
    assert_eq!(test.receiver.requests().len(), 1, "{after:#?}");
    Ok(())
}

/// The traces that duplicates of a message leave: the log lines with its id, and the value of the
/// metric since a time.
struct Traces {
    lines: Vec<Value>,
    counted: u64,
}

async fn traces(test: &Fixture, message: &str) -> Result<Traces> {
    let mut traces = Traces {
        lines: Vec::new(),
        counted: 0,
    };
    for line in log_lines(&test.stack, test.began_at_millis).await? {
        let Ok(line) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        let metric = Metric::ConflictingDuplicates.as_str();
        traces.counted += line[metric].as_u64().unwrap_or_default();
        if line["message.id"] == message && line["kept.event.id"].is_string() {
            traces.lines.push(line);
        }
    }
    Ok(traces)
}

/// Tests that run while no other test does.
mod alone {
    use super::*;

    /// If a producer uses one key for two different events by mistake, the second event is lost. This
    /// leaves a trace. A duplicate with the same payload leaves none.
    #[tokio::test]
    async fn a_duplicate_with_another_payload_leaves_a_trace_and_no_other_does() -> Result<()> {
        // Runs alone, so that no other test's duplicates are counted.
        let (test, _alone) = Fixture::alone("conflict").await?;
        test.subscribe("/a").await?;
        let event = |id: &str, total: Value| {
            let planted = format!("planted-{}", test.customer);
            let detail = json!({"idempotencyKey": "order-1", "total": total, "text": planted});
            test.envelope(id, "order.created", detail)
        };
        let first = event("1", json!(1));
        let again = event("2", json!(1));
        let other = event("3", json!(2));
        test.run_workflow(&first).await?;
        let request = test.first_request("/a").await?;
        let message = request.webhook_id().to_owned();
        test.settled(&message).await?;
        test.run_workflow(&again).await?;
        // The second way to put an event: by the bus.
        let put = test.event("order.created", first["detail"].clone());
        test.put_event(put).await?;
        executions_end(&test.stack, &test.customer, 3).await?;

        test.run_workflow(&other).await?;
        let deadline = Instant::now() + ARRIVAL;
        let found = loop {
            let found = traces(&test, &message).await?;
            if found.counted > 0 && !found.lines.is_empty() {
                break found;
            }
            ensure!(Instant::now() < deadline, "no trace of {message}");
            sleep(POLL_INTERVAL).await;
        };
        assert_eq!(found.counted, 1);
        let [line] = &found.lines[..] else {
            panic!("{:#?}", found.lines)
        };
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["event.id"], other["id"]);
        assert_eq!(line["event.source"], other["source"]);
        assert_eq!(line["kept.event.id"], first["id"]);
        assert!(!line.to_string().contains("planted-"), "{line}");
        // The first event is the one that is delivered, and to its own subscriptions only: the second
        // one of another type must not send it to those of that type.
        let wants = json!({"eventTypes": ["invoice.paid"]});
        test.subscribe_with("/invoices", wants).await?;
        let detail = first["detail"].clone();
        test.run_workflow(&test.envelope("4", "invoice.paid", detail))
            .await?;
        assert_eq!(test.settled(&message).await?.deliveries.len(), 1);
        let sent = test.receiver.requests();
        assert_eq!(sent.len(), 1);
        Ok(())
    }
}

/// Waits until this many executions for a customer's events have ended.
async fn executions_end(stack: &Stack, customer: &str, count: usize) -> Result<()> {
    let client = aws_sdk_sfn::Client::new(stack.sdk_config());
    let deadline = Instant::now() + ARRIVAL;
    let mut others = BTreeSet::new();
    loop {
        let mut ended = 0;
        let list = client
            .list_executions()
            .state_machine_arn(stack.output("StateMachineArn")?);
        for listed in list.send().await?.executions {
            if others.contains(&listed.execution_arn) {
                continue;
            }
            let execution = client
                .describe_execution()
                .execution_arn(&listed.execution_arn)
                .send()
                .await?;
            if !execution.input.unwrap_or_default().contains(customer) {
                others.insert(listed.execution_arn);
            } else if execution.status.as_str() != "RUNNING" {
                ended += 1;
            }
        }
        if ended >= count {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{ended} of {count} executions for {customer} ended within {ARRIVAL:?}");
        }
        sleep(POLL_INTERVAL).await;
    }
}
