//! The metrics that the functions write as log lines, from which CloudWatch makes the metrics.
//!
//! Each test runs alone, so that no other test adds to its counts. Work that an earlier test left
//! behind may still be counted, so the tests assert "at least".

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use aws_sdk_dynamodb::types::AttributeValue;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use webhooks_client::{Delivery, Stack};
use webhooks_lambda::Metric;
use webhooks_receiver::Answer;

use crate::emulator::queue_bodies;
use crate::fixture::{ARRIVAL, Fixture, POLL_INTERVAL};
use crate::logs::log_lines;

/// Reads the metric log lines since a time.
struct MetricLog<'a> {
    stack: &'a Stack,
    since_millis: u64,
}

impl<'a> MetricLog<'a> {
    fn begin(stack: &'a Stack) -> Result<Self> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(Self {
            stack,
            since_millis: u64::try_from(since.as_millis())?,
        })
    }

    async fn lines(&self) -> Result<Vec<Value>> {
        let lines = log_lines(self.stack, self.since_millis).await?;
        let parsed = lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let is_new = |line: &Value| {
            line["_aws"]["Timestamp"]
                .as_u64()
                .is_some_and(|at| at >= self.since_millis)
        };
        Ok(parsed.filter(is_new).collect())
    }

    /// The bytes of our own lines, plus the 26 that CloudWatch adds for each line. The emulator
    /// adds lines of its own for every invocation, which the template disables on AWS.
    async fn logged_bytes(&self) -> Result<usize> {
        let lines = log_lines(self.stack, self.since_millis).await?;
        let ours = lines.iter().filter(|line| line.starts_with('{'));
        Ok(ours.map(|line| line.len() + 26).sum())
    }

    /// Every value of a metric.
    async fn values(&self, metric: Metric) -> Result<Vec<u64>> {
        let mut values = Vec::new();
        for line in self.lines().await? {
            match &line[metric.as_str()] {
                Value::Array(many) => values.extend(many.iter().filter_map(Value::as_u64)),
                one => values.extend(one.as_u64()),
            }
        }
        Ok(values)
    }

    /// Waits until the values of a metric satisfy `wanted`.
    async fn until(&self, metric: Metric, wanted: impl Fn(&[u64]) -> bool) -> Result<Vec<u64>> {
        let deadline = Instant::now() + ARRIVAL + ARRIVAL;
        loop {
            let values = self.values(metric).await?;
            if wanted(&values) {
                return Ok(values);
            }
            if Instant::now() > deadline {
                bail!("{metric:?} is {values:?}");
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    async fn sums_to(&self, metric: Metric, at_least: u64) -> Result<()> {
        let enough = |values: &[u64]| values.iter().sum::<u64>() >= at_least;
        self.until(metric, enough).await.map(drop)
    }
}

/// Tests that run while no other test does.
mod alone {
    use super::*;

    #[tokio::test]
    async fn deliveries_are_counted_by_their_outcome_and_timed() -> Result<()> {
        let (test, _alone) = Fixture::alone("watch-deliveries").await?;
        test.subscribe("/ok").await?;
        let failure = Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
        test.receiver.script("/fails", [failure, Answer::ok()]);
        test.subscribe("/fails").await?;
        let gone = Answer::status(StatusCode::GONE);
        test.receiver.script("/gone", [gone]);
        test.subscribe("/gone").await?;
        test.subscribe_with("/paused", json!({"status": "paused"}))
            .await?;
        let metrics = MetricLog::begin(&test.stack)?;
        test.put("order.created", json!({})).await?;

        for (metric, at_least) in [
            (Metric::Accepted, 1),
            (Metric::Matched, 4),
            (Metric::Held, 1),
            (Metric::Delivered, 2),
            (Metric::Failed, 1),
            (Metric::Retried, 1),
            (Metric::AttemptsSucceeded, 2),
            (Metric::AttemptsHttpError, 2),
        ] {
            metrics.sums_to(metric, at_least).await?;
        }
        let share = metrics.values(Metric::AttemptFailure).await?;
        assert!(share.contains(&100) && share.contains(&0), "{share:?}");
        let first = metrics.values(Metric::FirstAttemptLatency).await?;
        assert!(first.len() >= 3, "{first:?}");
        let bound = u64::try_from(ARRIVAL.as_millis())?;
        assert!(first.iter().any(|millis| *millis < bound), "{first:?}");
        assert!(metrics.values(Metric::QueueLag).await?.len() >= 4);
        Ok(())
    }

    #[tokio::test]
    async fn a_webhook_that_is_delivered_at_once_logs_at_most_1200_bytes() -> Result<()> {
        // So many that a line of a sweep, or of another test's last webhook, matters little.
        const WEBHOOKS: usize = 30;
        let (test, _alone) = Fixture::alone("watch-bytes").await?;
        test.subscribe("/ok").await?;
        test.put("order.created", json!({})).await?;
        test.first_request("/ok").await?;
        let metrics = MetricLog::begin(&test.stack)?;
        for _ in 0..WEBHOOKS {
            test.put("order.created", json!({})).await?;
        }
        metrics.sums_to(Metric::Delivered, WEBHOOKS as u64).await?;
        let bytes = metrics.logged_bytes().await? / WEBHOOKS;
        println!("logged: {bytes} bytes for each webhook");
        assert!(bytes <= 1_200, "{bytes} bytes");
        Ok(())
    }

    #[tokio::test]
    async fn a_late_attempt_reports_its_lag() -> Result<()> {
        let (test, _alone) = Fixture::alone("watch-late").await?;
        let to = test.subscribe("/a").await?;
        test.put("order.created", json!({})).await?;
        let request = test.first_request("/a").await?;
        let delivery = test.settled_delivery(request.webhook_id(), &to).await?;
        let metrics = MetricLog::begin(&test.stack)?;
        let late = Duration::from_mins(10);
        let due_at = metrics.since_millis - u64::try_from(late.as_millis())?;
        make_pending(&test, &delivery, due_at).await?;
        let task = json!({
            "v": 1,
            "deliveryId": delivery.id,
            "attempt": 2,
            "dueAt": due_at,
        });
        send_to_delivery_queue(&test, &task).await?;
        let late_enough = |values: &[u64]| {
            values
                .iter()
                .any(|lag| u128::from(*lag) >= late.as_millis())
        };
        metrics.until(Metric::QueueLag, late_enough).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_task_of_an_unknown_version_stays_in_the_queue() -> Result<()> {
        let (test, _alone) = Fixture::alone("watch-version").await?;
        let metrics = MetricLog::begin(&test.stack)?;
        let task = json!({"v": 1_000_000, "deliveryId": test.customer, "attempt": 1});
        send_to_delivery_queue(&test, &task).await?;
        metrics.sums_to(Metric::HandedBack, 1).await?;
        let queue = test.stack.output("DeliveryQueueUrl")?;
        let bodies = queue_bodies(&test.stack, queue).await?;
        let kept = bodies.iter().any(|body| body.contains(&test.customer));
        assert!(kept, "{bodies:?}");
        Ok(())
    }
}

/// Changes a delivery with one attempt so that its second attempt was due at this time.
async fn make_pending(test: &Fixture, delivery: &Delivery, due_at: u64) -> Result<()> {
    let string = |value: &str| AttributeValue::S(value.to_owned());
    aws_sdk_dynamodb::Client::new(test.stack.sdk_config())
        .update_item()
        .table_name(test.stack.output("TableName")?)
        .key("pk", string(&format!("MESSAGE#{}", delivery.message_id)))
        .key(
            "sk",
            string(&format!("DELIVERY#{}", delivery.subscription_id)),
        )
        .update_expression("SET #status = :pending, nextAttemptAt = :dueAt")
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":pending", string("pending"))
        .expression_attribute_values(":dueAt", AttributeValue::N(due_at.to_string()))
        .send()
        .await?;
    Ok(())
}

#[tokio::test]
async fn every_sweep_is_counted() -> Result<()> {
    let test = Fixture::new("watch-sweep").await?;
    let metrics = MetricLog::begin(&test.stack)?;
    metrics.sums_to(Metric::Sweeps, 1).await
}

#[tokio::test]
async fn requests_to_the_api_are_counted_by_status() -> Result<()> {
    let test = Fixture::new("watch-api").await?;
    let metrics = MetricLog::begin(&test.stack)?;
    let unknown = test
        .api
        .message("msg_00000000000000000000000000000000")
        .await;
    assert!(unknown.is_err());
    metrics.sums_to(Metric::ApiRequests, 1).await?;
    metrics.sums_to(Metric::ApiClientErrors, 1).await
}

async fn send_to_delivery_queue(test: &Fixture, task: &Value) -> Result<()> {
    aws_sdk_sqs::Client::new(test.stack.sdk_config())
        .send_message()
        .queue_url(test.stack.output("DeliveryQueueUrl")?)
        .message_body(task.to_string())
        .message_group_id("metrics")
        .send()
        .await?;
    Ok(())
}
