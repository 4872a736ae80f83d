//! A batch of queue messages, in the form of Lambda's SQS event source.

use std::collections::HashMap;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use tracing::error;
use webhooks_domain::timestamp::Timestamp;

/// The event, with only the fields that we use. In the type of `aws_lambda_events` ids and bodies
/// are optional, and every invocation would also read seven fields and the attributes of each
/// message that nobody uses.
#[derive(Debug, Deserialize)]
pub struct Batch {
    /// The messages.
    #[serde(rename = "Records")]
    pub records: Vec<Record>,
}

/// One message of the batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// SQS's own id of the message.
    pub message_id: String,
    /// The text of the message.
    pub body: String,
    /// The attributes that SQS adds.
    #[serde(default)]
    pub attributes: Attributes,
}

/// The attributes that SQS adds, with only those that we use.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Attributes {
    sent_timestamp: Option<String>,
    #[serde(rename = "AWSTraceHeader")]
    trace_header: Option<String>,
}

impl Record {
    /// The header of the X-Ray trace to which it belongs.
    pub fn trace_header(&self) -> Option<&str> {
        self.attributes.trace_header.as_deref()
    }

    /// The time at which it was sent, before its delay. `None` if SQS does not report it.
    pub fn sent_at(&self) -> Option<Timestamp> {
        let millis = self.attributes.sent_timestamp.as_ref()?.parse().ok()?;
        Some(Timestamp::from_millis(millis))
    }
}

/// The messages that go back to the queue (`ReportBatchItemFailures`).
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// The messages that failed. The others are deleted from the queue.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// A message that goes back to the queue.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// SQS's own id of the message.
    pub item_identifier: String,
}

/// Processes all messages concurrently. A message that fails, panics, or is not finished after
/// `time_left` goes back to the queue. It does not affect the others.
///
/// Messages with the same `subject` are processed one after another, so that the second sees the
/// effects of the first.
pub async fn run<E, S: Eq + Hash>(
    batch: Batch,
    time_left: Duration,
    subject: impl Fn(&Record) -> S,
    handle: impl AsyncFn(&Record) -> Result<(), E>,
) -> BatchResponse {
    let end = Instant::now() + time_left;
    let handle = &handle;
    let groups = grouped(batch.records, subject);
    let groups = groups.into_iter().map(|records| async move {
        let mut failures = Vec::new();
        for record in records {
            if !finishes(&record, end, handle).await {
                failures.push(BatchItemFailure {
                    item_identifier: record.message_id,
                });
            }
        }
        failures
    });
    let failures = join_all(groups).await.into_iter().flatten();
    BatchResponse {
        batch_item_failures: failures.collect(),
    }
}

fn grouped<S: Eq + Hash>(records: Vec<Record>, subject: impl Fn(&Record) -> S) -> Vec<Vec<Record>> {
    let mut groups: HashMap<S, Vec<Record>> = HashMap::new();
    for record in records {
        groups.entry(subject(&record)).or_default().push(record);
    }
    groups.into_values().collect()
}

async fn finishes<E>(
    record: &Record,
    end: Instant,
    handle: &impl AsyncFn(&Record) -> Result<(), E>,
) -> bool {
    // A panic can only affect the message's own state, and the message is processed from the start
    // again.
    let handled = AssertUnwindSafe(handle(record)).catch_unwind();
    match timeout_at(end, handled).await {
        Ok(Ok(result)) => result.is_ok(),
        Ok(Err(_panic)) => {
            error!(
                sqs.message_id = record.message_id,
                "handling a queue message panicked; it goes back to the queue",
            );
            false
        }
        Err(_) => {
            error!(
                sqs.message_id = record.message_id,
                "handling a queue message took too long; it goes back to the queue",
            );
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    const ENOUGH: Duration = Duration::from_mins(1);

    fn batch(bodies: &[&str]) -> Batch {
        let record = |(position, body): (usize, &&str)| Record {
            message_id: format!("id-{position}"),
            body: (*body).to_owned(),
            attributes: Attributes::default(),
        };
        Batch {
            records: bodies.iter().enumerate().map(record).collect(),
        }
    }

    fn body(record: &Record) -> String {
        record.body.clone()
    }

    fn failed(response: &BatchResponse) -> Vec<&str> {
        let failures = response.batch_item_failures.iter();
        failures.map(|failure| &*failure.item_identifier).collect()
    }

    #[test]
    fn the_event_and_the_answer_have_lambdas_form() {
        let batch: Batch = serde_json::from_str(
            r#"{"Records":[{"messageId":"a","body":"1","attributes":{"SentTimestamp":"1700000000000","AWSTraceHeader":"Root=1"}},{"messageId":"b","body":"2"}]}"#,
        )
        .unwrap();
        assert_eq!(batch.records[1].message_id, "b");
        let sent_at = Timestamp::from_millis(1_700_000_000_000);
        assert_eq!(batch.records[0].sent_at(), Some(sent_at));
        assert_eq!(batch.records[1].sent_at(), None);
        assert_eq!(batch.records[0].trace_header(), Some("Root=1"));
        let response = BatchResponse {
            batch_item_failures: vec![BatchItemFailure {
                item_identifier: "b".to_owned(),
            }],
        };
        assert_eq!(
            serde_json::to_string(&response).unwrap(),
            r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#
        );
    }

    #[tokio::test]
    async fn a_message_that_fails_or_panics_goes_back_alone() {
        let response = run(
            batch(&["good", "bad", "panics"]),
            ENOUGH,
            body,
            async |record| {
                assert_ne!(record.body, "panics");
                if record.body == "bad" {
                    Err(())
                } else {
                    Ok(())
                }
            },
        )
        .await;
        let mut failed = failed(&response);
        failed.sort_unstable();
        assert_eq!(failed, ["id-1", "id-2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_is_not_finished_in_time_goes_back_alone() {
        let response = run(batch(&["quick", "hangs"]), ENOUGH, body, async |record| {
            if record.body == "hangs" {
                std::future::pending::<()>().await;
            }
            Ok::<_, ()>(())
        })
        .await;
        assert_eq!(failed(&response), ["id-1"]);
    }

    #[tokio::test]
    async fn messages_with_one_subject_run_in_sequence_and_others_concurrently() {
        let running = Cell::new(0);
        let seen = RefCell::new(Vec::new());
        run(batch(&["a", "b", "a"]), ENOUGH, body, async |record| {
            running.set(running.get() + 1);
            seen.borrow_mut().push((record.body.clone(), running.get()));
            tokio::task::yield_now().await;
            running.set(running.get() - 1);
            Ok::<_, ()>(())
        })
        .await;
        let mut seen = seen.into_inner();
        seen.sort();
        let most = seen.iter().map(|(_, running)| *running).max();
        assert_eq!(most, Some(2), "{seen:?}");
        assert_eq!(seen.len(), 3);
    }
}
