//! A batch of queue messages, as Lambda's SQS event source hands it over.

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

/// The event: only what we use of it.
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
    /// Its text.
    pub body: String,
}

/// Which messages go back to the queue (`ReportBatchItemFailures`).
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// The messages that failed; the others are deleted from the queue.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// A message that goes back to the queue.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// SQS's own id of the message.
    pub item_identifier: String,
}

/// Handles all messages at once; one that fails takes no other with it.
pub async fn run<E>(batch: Batch, handle: impl AsyncFn(&Record) -> Result<(), E>) -> BatchResponse {
    let handle = &handle;
    let results = batch.records.into_iter().map(|record| async move {
        match handle(&record).await {
            Ok(()) => None,
            Err(_) => Some(BatchItemFailure {
                item_identifier: record.message_id,
            }),
        }
    });
    let failures = join_all(results).await.into_iter().flatten();
    BatchResponse {
        batch_item_failures: failures.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_failed_message_goes_back() {
        let batch: Batch = serde_json::from_str(
            r#"{"Records":[{"messageId":"a","body":"1","attributes":{}},{"messageId":"b","body":"2"}]}"#,
        )
        .unwrap();
        let response = futures_util::FutureExt::now_or_never(run(batch, async |record| {
            if record.body == "2" { Err(()) } else { Ok(()) }
        }))
        .unwrap();
        assert_eq!(
            serde_json::to_string(&response).unwrap(),
            r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#
        );
    }
}
