//! Operational events and traces.

use anyhow::{Context, Result};
use aws_sdk_sqs::types::{MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use webhooks_client::{CreatedSubscription, DeliveryStatus};
use webhooks_receiver::{Answer, Request};

use crate::emulator::{pause_delivery, queue_message_with, resume_delivery};
use crate::fixture::{ARRIVAL, Fixture, POLL_INTERVAL};
use crate::logs::log_lines;

/// The operator's customer id, as `cargo xtask test` deploys the stack.
const OPERATOR: &str = "operator";

/// Creates a subscription of the operator to the operational events about this test's customer and
/// about the operator itself.
async fn subscribe_operator(
    test: &Fixture,
    path: &str,
    event_types: &[&str],
) -> Result<CreatedSubscription> {
    let subscription = json!({
        "url": test.receiver.url(path),
        "eventTypes": event_types,
        "filter": {"customerId": [test.customer, OPERATOR]},
    });
    Ok(test
        .api
        .create_subscription(OPERATOR, &subscription)
        .await?)
}

fn body(request: &Request) -> Result<Value> {
    Ok(serde_json::from_slice(&request.body)?)
}

/// Tests that run while no other test does.
mod alone {
    use super::*;

    #[tokio::test]
    async fn the_operator_gets_operational_events_but_none_about_its_own_deliveries() -> Result<()>
    {
        let (test, _alone) = Fixture::alone("operational").await?;
        let observer =
            subscribe_operator(&test, "/told", &["delivery.*", "subscription.*"]).await?;
        let gone = || Answer::status(StatusCode::GONE);
        test.receiver.script("/operator-fails", [gone()]);
        let failing = subscribe_operator(&test, "/operator-fails", &["delivery.*"]).await?;
        test.receiver.script("/gone", [gone()]);
        let customers = test.subscribe("/gone").await?;
        test.put("order.created", json!({})).await?;

        // The failure of the delivery and the disabling of the subscription are published in any order.
        let mut events = Vec::new();
        for request in test.requests("/told", 4).await? {
            request.verify(&observer.secret)?;
            events.push((body(&request)?, request));
        }
        events.sort_by_key(|(event, _)| event["type"].to_string());
        let types: Vec<_> = events.iter().map(|(event, _)| &event["type"]).collect();
        let expected = [
            "delivery.failed",
            "subscription.created",
            "subscription.disabled",
            "subscription.warning",
        ];
        assert_eq!(types, expected);
        let (event, request) = &events[0];
        let warning = &events[3].0["data"];
        assert_eq!(warning["step"], "disabled", "{warning}");
        assert_eq!(warning["reason"], "endpointGone", "{warning}");
        assert_eq!(warning["contacts"], json!([]), "{warning}");
        assert_eq!(event["data"]["customerId"], test.customer, "{event}");
        assert_eq!(event["data"]["reason"], "endpointGone", "{event}");
        let delivery = event["data"]["deliveryId"].as_str().context("deliveryId")?;
        let shown = test.api.delivery(delivery).await?.delivery;
        assert_eq!(shown.status, DeliveryStatus::Failed, "{shown:?}");

        // The operator's other endpoint fails on the same event. If this published an event, the first
        // endpoint would receive it before the event of the rotation below.
        let failed = test
            .settled_delivery(request.webhook_id(), &failing)
            .await?;
        assert_eq!(failed.status, DeliveryStatus::Failed, "{failed:?}");
        let path = [
            "customers",
            &test.customer,
            "subscriptions",
            &customers.subscription.id,
            "secret",
            "rotate",
        ];
        let rotated = test
            .api
            .request(http::Method::POST, &path, &[], Some(&json!({})))
            .await?;
        assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.text());
        loop {
            let requests = test.receiver.requests_to("/told");
            let events = requests.iter().map(|request| body(request));
            let events = events.collect::<Result<Vec<_>>>()?;
            for event in &events {
                assert_eq!(event["data"]["customerId"], test.customer, "{event}");
            }
            if events
                .iter()
                .any(|event| event["type"] == "subscription.secret_rotated")
            {
                return Ok(());
            }
            test.requests("/told", requests.len() + 1).await?;
        }
    }

    #[tokio::test]
    async fn a_trace_continues_through_the_queue_to_every_attempt() -> Result<()> {
        const TRACE: &str = "1-6560c1f8-0123456789abcdef01234567";
        let (test, _alone) = Fixture::alone("trace").await?;
        let failure = || Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
        test.receiver
            .script("/a", [failure(), failure(), Answer::ok()]);
        let created = test.subscribe("/a").await?;
        let queue = test.stack.output("DeliveryQueueUrl")?;
        let sqs = aws_sdk_sqs::Client::new(test.stack.sdk_config());
        let paused = pause_delivery(&test.stack, "DeliveryQueueUrl").await?;
        let sent = async {
            test.put("order.created", json!({})).await?;
            let subscription = created.subscription.id.trim_start_matches("sub_");
            let task = queue_message_with(&test.stack, queue, subscription).await?;
            sqs.purge_queue().queue_url(queue).send().await?;
            // The trace header of a workflow that X-Ray samples.
            let header = format!("Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=1");
            let header = MessageSystemAttributeValue::builder()
                .data_type("String")
                .string_value(header)
                .build()?;
            sqs.send_message()
                .queue_url(queue)
                .message_body(task)
                .message_system_attributes(
                    MessageSystemAttributeNameForSends::AwsTraceHeader,
                    header,
                )
                .send()
                .await?;
            anyhow::Ok(())
        }
        .await;
        resume_delivery(&test.stack, paused).await?;
        sent?;
        test.requests("/a", 3).await?;
        let deadline = Instant::now() + ARRIVAL;
        let subscription = created.subscription.id.trim_start_matches("sub_");
        loop {
            let lines = log_lines(&test.stack, test.began_at_millis).await?;
            let traced = lines.iter().filter_map(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                let is_ours = line["delivery.id"].as_str()?.ends_with(subscription);
                (is_ours && line["trace.id"] == TRACE).then(|| line["attempt"].clone())
            });
            let mut attempts: Vec<_> = traced.filter_map(|number| number.as_u64()).collect();
            attempts.sort_unstable();
            if attempts == [1, 2] {
                return Ok(());
            }
            assert!(Instant::now() < deadline, "traced: {attempts:?}");
            sleep(POLL_INTERVAL).await;
        }
    }
}
