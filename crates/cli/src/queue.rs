//! Reads and changes one queue of the stack.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName, QueueAttributeName,
};
use webhooks_client::Stack;

/// The largest number of messages in one request (an SQS limit).
pub(crate) const BATCH: usize = 10;

/// The wait of a receive. Only a request that waits asks all servers of the queue.
const WAIT_SECONDS: i32 = 1;

/// A queue.
pub(crate) struct Queue {
    client: Client,
    url: String,
}

/// The approximate numbers of messages in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Messages that can be received.
    pub(crate) waiting: u64,
    /// Messages that a consumer has received and not deleted.
    pub(crate) in_flight: u64,
}

impl Queue {
    /// Creates the queue whose URL is this output of the stack.
    pub(crate) fn new(stack: &Stack, output: &str) -> Result<Self> {
        Ok(Self {
            client: Client::new(stack.sdk_config()),
            url: stack.output(output)?.to_owned(),
        })
    }

    /// Returns the approximate numbers of messages.
    pub(crate) async fn counts(&self) -> Result<Counts> {
        use QueueAttributeName::{
            ApproximateNumberOfMessages as Waiting,
            ApproximateNumberOfMessagesNotVisible as InFlight,
        };

        let output = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(Waiting)
            .attribute_names(InFlight)
            .send()
            .await
            .with_context(|| format!("cannot count the messages of {}", self.url))?;
        let attributes = output.attributes.unwrap_or_default();
        let count = |name| attributes.get(&name)?.parse().ok();
        Ok(Counts {
            waiting: count(Waiting).unwrap_or_default(),
            in_flight: count(InFlight).unwrap_or_default(),
        })
    }

    /// Receives up to [`BATCH`] messages and hides them for a time. Returns none if the queue
    /// is empty.
    pub(crate) async fn receive(&self, limit: usize, hidden_for: Duration) -> Result<Vec<Message>> {
        let limit = i32::try_from(limit.min(BATCH)).unwrap_or(1);
        let hidden = i32::try_from(hidden_for.as_secs()).unwrap_or(i32::MAX);
        let output = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(limit)
            .visibility_timeout(hidden)
            .wait_time_seconds(WAIT_SECONDS)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .send()
            .await
            .with_context(|| format!("cannot receive from {}", self.url))?;
        Ok(output.messages.unwrap_or_default())
    }

    /// Makes up to [`BATCH`] received messages visible again.
    pub(crate) async fn release(&self, messages: &[Message]) -> Result<()> {
        let entries = messages.iter().enumerate().map(|(index, message)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(message.receipt_handle().unwrap_or_default())
                .visibility_timeout(0)
                .build()
                .expect("it has an id and a receipt")
        });
        // A message that was refused becomes visible when its timeout ends.
        self.client
            .change_message_visibility_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect()))
            .send()
            .await
            .with_context(|| format!("cannot release messages of {}", self.url))?;
        Ok(())
    }

    /// Deletes up to [`BATCH`] received messages. Returns the number of failures.
    pub(crate) async fn delete(&self, messages: &[&Message]) -> Result<usize> {
        let entries = messages.iter().enumerate().map(|(index, message)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(message.receipt_handle().unwrap_or_default())
                .build()
                .expect("it has an id and a receipt")
        });
        let output = self
            .client
            .delete_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect()))
            .send()
            .await
            .with_context(|| format!("cannot delete from {}", self.url))?;
        Ok(output.failed.len())
    }

    /// Deletes all messages. AWS needs up to a minute for this.
    pub(crate) async fn purge(&self) -> Result<()> {
        self.client
            .purge_queue()
            .queue_url(&self.url)
            .send()
            .await
            .with_context(|| format!("cannot purge {}", self.url))?;
        Ok(())
    }
}
