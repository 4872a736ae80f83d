//! The delivery workflow: its states, its writes and its output for one event.

use std::collections::HashMap;

use anyhow::{Context, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use webhooks_client::{CreatedSubscription, DeliveryStatus, ExecutionStatus};

use crate::failed_events::failed_event;
use crate::fixture::Fixture;
use crate::machine::{Machine, Run, by_second_interpreter};

const ONE_PAGE: [&str; 8] = [
    "LookUpSubscriptions",
    "HasSubscriptions",
    "PrepareCalls",
    "RecordMessage",
    "WriteCalls",
    "RecordCall",
    "IsQueued",
    "QueueCall",
];

/// Runs the delivery workflow without any planned failure and with its real waits.
async fn run(test: &Fixture, event: &Value) -> Result<(Machine, Run)> {
    let machine = Machine::load(&test.stack, "StateMachineArn").await?;
    let run = machine.run(test, event, "").await?;
    Ok((machine, run))
}

/// Asserts the result of an execution. AWS documents that `Output` is the output of the state, but
/// the emulator's own interpreter gives the input of a Succeed state.
fn assert_succeeded(run: &Run, output: &Value) {
    assert_eq!(run.status, ExecutionStatus::Succeeded, "{run:#?}");
    if by_second_interpreter() {
        assert_eq!(run.output.as_ref(), Some(output), "{run:#?}");
    }
}

fn followed_by<'a>(states: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [states, more].concat()
}

#[tokio::test]
async fn without_a_subscription_nothing_is_prepared() -> Result<()> {
    let test = Fixture::new("workflow-none").await?;
    let event = test.envelope("1", "order.created", json!({}));
    let (machine, run) = run(&test, &event).await?;
    assert_succeeded(&run, &json!({}));
    let states = ["LookUpSubscriptions", "HasSubscriptions", "NoSubscription"];
    assert_eq!(run.entered, machine.shown(&states), "{run:#?}");
    assert_eq!(run.requests, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn a_delivery_is_recorded_then_queued_then_made() -> Result<()> {
    let test = Fixture::new("workflow-one").await?;
    let created = test.subscribe("/a").await?;
    // Two payloads: one is stored as text, and one is compressed.
    for (id, text) in [
        ("short", "é \"\\ 1".to_owned()),
        ("long", "x".repeat(9_000)),
    ] {
        let event = test.envelope(id, "order.created", json!({"text": text}));
        let (machine, run) = run(&test, &event).await?;
        assert_succeeded(&run, &json!({}));
        let states = followed_by(&ONE_PAGE, &["MorePages", "Done"]);
        assert_eq!(run.entered, machine.shown(&states), "{run:#?}");
        let message = test.message_of(&event).to_string();
        let delivery = test.settled_delivery(&message, &created).await?;
        assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
        let requests = test.receiver.requests_to("/a");
        let request = requests.last().context("no request")?;
        request.verify(&created.secret)?;
        let body: Value = serde_json::from_slice(&request.body)?;
        assert_eq!(body["data"], event["detail"]);
        if by_second_interpreter() {
            let [_, _, queued] = &run.requests[..] else {
                panic!("{run:#?}");
            };
            assert_eq!(queued["QueueUrl"], test.stack.output("DeliveryQueueUrl")?);
            let task: Value = serde_json::from_str(queued["MessageBody"].as_str().unwrap())?;
            assert_eq!(task["deliveryId"], json!(delivery.id));
            assert_eq!(task["attempt"], json!(1));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_held_delivery_is_recorded_as_prepared_and_not_queued() -> Result<()> {
    let test = Fixture::new("workflow-held").await?;
    let paused = json!({"status": "paused"});
    let created = test.subscribe_with("/a", paused).await?;
    let event = test.envelope("1", "order.created", json!({"text": "x".repeat(9_000)}));
    let (machine, run) = run(&test, &event).await?;
    assert_succeeded(&run, &json!({}));
    let held = ["CallHeld", "MorePages", "Done"];
    let states = followed_by(&ONE_PAGE[..7], &held);
    assert_eq!(run.entered, machine.shown(&states), "{run:#?}");
    let message = test.message_of(&event).to_string();
    let delivery = test.settled_delivery(&message, &created).await?;
    assert_eq!(delivery.status, DeliveryStatus::Held, "{delivery:#?}");
    if by_second_interpreter() {
        assert_eq!(run.requests.len(), 2, "{run:#?}");
        for request in &run.requests {
            assert_written(&test, &request["Item"]).await?;
        }
    }
    Ok(())
}

/// An execution records a delivery and fails before it queues it. Then the subscription is paused,
/// and the event is redriven.
#[tokio::test]
async fn a_delivery_that_was_never_queued_is_held_when_its_event_is_redriven() -> Result<()> {
    let test = Fixture::new("workflow-unqueued").await?;
    let created = test
        .subscribe_with("/a", json!({"status": "paused"}))
        .await?;
    let event = test.envelope("1", "order.created", json!({}));
    run(&test, &event).await?;
    let message = test.message_of(&event).to_string();
    let as_recorded = aws_sdk_dynamodb::Client::new(test.stack.sdk_config())
        .update_item()
        .table_name(test.stack.output("TableName")?)
        .key("pk", AttributeValue::S(format!("MESSAGE#{message}")))
        .key(
            "sk",
            AttributeValue::S(format!("DELIVERY#{}", created.subscription.id)),
        )
        .condition_expression("#status = :held")
        .update_expression("SET #status = :pending REMOVE owedTo")
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":held", AttributeValue::S("held".to_owned()))
        .expression_attribute_values(":pending", AttributeValue::S("pending".to_owned()));
    as_recorded.send().await?;

    let (machine, redriven) = run(&test, &event).await?;
    let duplicate = ["IsDuplicate", "CompareDuplicate", "IsConflict"];
    let states = [&ONE_PAGE[..4], &duplicate, &ONE_PAGE[4..]].concat();
    let states = followed_by(&states, &["MorePages", "Done"]);
    assert_eq!(redriven.entered, machine.shown(&states), "{redriven:#?}");
    let delivery = test.settled_delivery(&message, &created).await?;
    assert_eq!(delivery.status, DeliveryStatus::Held, "{delivery:#?}");
    Ok(())
}

/// Asserts that an item was stored exactly as the workflow had it. It must have plain values only,
/// because Step Functions takes a `B` value as text and encodes it again.
async fn assert_written(test: &Fixture, item: &Value) -> Result<()> {
    let attributes = item.as_object().with_context(|| item.to_string())?;
    for (name, value) in attributes {
        let kinds: Vec<_> = value.as_object().unwrap().keys().collect();
        let plain = [["S"], ["N"], ["BOOL"]];
        assert!(
            plain.iter().any(|kind| kinds == *kind),
            "{name} is {kinds:?}"
        );
    }
    let key = |name: &str| AttributeValue::S(item[name]["S"].as_str().unwrap().to_owned());
    let stored: HashMap<String, AttributeValue> =
        aws_sdk_dynamodb::Client::new(test.stack.sdk_config())
            .get_item()
            .table_name(test.stack.output("TableName")?)
            .key("pk", key("pk"))
            .key("sk", key("sk"))
            .consistent_read(true)
            .send()
            .await?
            .item
            .with_context(|| item.to_string())?;
    assert_eq!(stored.len(), attributes.len(), "{stored:#?}");
    for (name, value) in stored {
        let expected = match value {
            AttributeValue::S(string) => json!({"S": string}),
            AttributeValue::N(number) => json!({"N": number}),
            AttributeValue::Bool(value) => json!({"BOOL": value}),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(item[&name], expected, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_duplicate_is_compared_and_finds_its_items_and_queues_again() -> Result<()> {
    let test = Fixture::new("workflow-twice").await?;
    let created = test.subscribe("/a").await?;
    let event = test.envelope("1", "order.created", json!({}));
    for compared in [&[][..], &["IsDuplicate", "CompareDuplicate", "IsConflict"]] {
        let (machine, run) = run(&test, &event).await?;
        assert_succeeded(&run, &json!({}));
        let states = [&ONE_PAGE[..4], compared, &ONE_PAGE[4..]].concat();
        let states = followed_by(&states, &["MorePages", "Done"]);
        assert_eq!(run.entered, machine.shown(&states), "{run:#?}");
        let message = test.message_of(&event).to_string();
        let delivery = test.settled_delivery(&message, &created).await?;
        assert_eq!(delivery.attempts.len(), 1, "{delivery:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn many_subscriptions_are_written_in_pages() -> Result<()> {
    const SUBSCRIPTIONS: usize = 120;
    let test = Fixture::new("workflow-pages").await?;
    let mut created: Vec<CreatedSubscription> = Vec::new();
    for n in 0..SUBSCRIPTIONS {
        let url = test.receiver.url(&format!("/many?n={n}"));
        let subscription = test.subscribe_with("/many", json!({"url": url})).await?;
        created.push(subscription);
    }
    let event = test.envelope("1", "order.created", json!({}));
    let (_, run) = run(&test, &event).await?;
    assert_succeeded(&run, &json!({}));
    let count = |name: &str| run.entered.iter().filter(|state| *state == name).count();
    let pages = count("LookUpSubscriptions");
    assert!(pages > 1, "{:?}", run.entered);
    assert_eq!((count("MorePages"), count("Done")), (pages, 1));
    // The later pages find the message that the first page recorded.
    assert_eq!(count("CompareDuplicate"), 0);
    if by_second_interpreter() {
        let calls = (count("RecordCall"), count("QueueCall"));
        assert_eq!(calls, (SUBSCRIPTIONS, SUBSCRIPTIONS));
    }
    test.requests("/many", SUBSCRIPTIONS).await?;
    let message = test.settled(&test.message_of(&event).to_string()).await?;
    for subscription in &created {
        let delivery = message.delivery_to(&subscription.subscription.id);
        let status = delivery.map(|delivery| &delivery.status);
        assert_eq!(status, Some(&DeliveryStatus::Succeeded), "{delivery:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_event_that_cannot_be_delivered_is_kept_and_the_execution_succeeds() -> Result<()> {
    let test = Fixture::new("workflow-failed").await?;
    let whole = test.envelope("1", "order.created", json!({}));
    let without = |pointer: &str, field: &str| {
        let mut event = whole.clone();
        let object = event.pointer_mut(pointer).unwrap().as_object_mut();
        object.unwrap().remove(field);
        event
    };
    let mut no_object = whole.clone();
    no_object["detail"] = json!(["not an object"]);
    let mut strange = without("/detail", "customerId");
    strange["detail"]["text"] = json!("quotes \" and \\ and \u{e9}\u{1f600}");
    for (event, error) in [
        (without("/detail", "customerId"), "MissingCustomerId"),
        (without("", "detail-type"), "MissingEventType"),
        (no_object, "DetailNotAnObject"),
        (strange, "MissingCustomerId"),
    ] {
        let (machine, run) = run(&test, &event).await?;
        let status = "sent to the failed-events queue";
        assert_succeeded(&run, &json!({"status": status, "error": error}));
        let entered = ["LookUpSubscriptions", "SendToFailedEvents", "EventKept"];
        assert_eq!(run.entered, machine.shown(&entered), "{run:#?}");
        let kept = failed_event(&test.stack, |kept| {
            kept.attributes.get("execution") == Some(&run.arn)
        });
        let kept = kept.await?;
        assert_eq!(kept.attributes["error"], error, "{kept:?}");
        assert_eq!(serde_json::from_str::<Value>(&kept.body)?, event);
    }
    Ok(())
}
