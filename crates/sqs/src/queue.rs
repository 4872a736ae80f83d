//! Sending to the delivery queue.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use aws_sdk_sqs::types::builders::SendMessageBatchRequestEntryBuilder;
use webhooks_domain::delivery::{DeliveryTask, OutgoingTask, RefusedTask};
use webhooks_domain::ids::CustomerId;
use webhooks_domain::ports::{DeliveryQueue, QueueError};
use webhooks_domain::queue::QueueKind;

use crate::{encode, trace};

/// The delivery queue. The message group is the customer: SQS's fair queues keep one busy customer
/// from delaying the others. With the subscription as the group there would be no such protection,
/// because a customer can have a thousand.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
    slow_url: Option<String>,
}

impl SqsQueue {
    /// The queue with this URL, and no slow queue. This is for senders that do not know if an
    /// endpoint is slow: the function that delivers moves their tasks to the slow queue.
    pub fn new(client: Client, url: String) -> Self {
        Self {
            client,
            url,
            slow_url: None,
        }
    }

    /// Adds the queue for slow endpoints.
    #[must_use]
    pub fn with_slow_queue(self, url: String) -> Self {
        Self {
            slow_url: Some(url),
            ..self
        }
    }

    /// The URL for a queue, and the queue that it belongs to.
    fn queue(&self, queue: QueueKind) -> (&str, QueueKind) {
        match (queue, &self.slow_url) {
            (QueueKind::Slow, Some(url)) => (url, QueueKind::Slow),
            _ => (&self.url, QueueKind::Fast),
        }
    }
}

impl DeliveryQueue for SqsQueue {
    async fn send(
        &self,
        customer: &CustomerId,
        task: &DeliveryTask,
        delay: Duration,
    ) -> Result<(), QueueError> {
        let (url, queue) = self.queue(task.queue);
        let message = self
            .client
            .send_message()
            .queue_url(url)
            .message_body(encode(&task.on(queue)))
            .message_group_id(customer.as_str())
            .delay_seconds(whole_seconds(delay));
        let message = match trace::attribute() {
            Some((name, value)) => message.message_system_attributes(name, value),
            None => message,
        };
        message
            .send()
            .await
            .map_err(|error| QueueError(Box::new(error)))?;
        Ok(())
    }

    async fn send_batch(&self, tasks: &[OutgoingTask<'_>]) -> Result<Vec<RefusedTask>, QueueError> {
        let entries = tasks.iter().map(|outgoing| {
            entry(&outgoing.task)
                .message_group_id(outgoing.customer.as_str())
                .delay_seconds(whole_seconds(outgoing.delay))
        });
        self.send_entries(entries).await
    }
}

impl SqsQueue {
    /// Sends up to [`MAX_QUEUE_BATCH`](webhooks_domain::queue::MAX_QUEUE_BATCH) tasks from dead
    /// letters again, each with the message group of its dead letter.
    ///
    /// # Errors
    /// If the queue did not answer.
    pub async fn send_again(
        &self,
        tasks: &[(DeliveryTask, Option<&str>)],
    ) -> Result<Vec<RefusedTask>, QueueError> {
        let entries = tasks
            .iter()
            .map(|(task, group)| entry(task).set_message_group_id(group.map(str::to_owned)));
        self.send_entries(entries).await
    }

    async fn send_entries(
        &self,
        entries: impl Iterator<Item = SendMessageBatchRequestEntryBuilder>,
    ) -> Result<Vec<RefusedTask>, QueueError> {
        let entries = entries.enumerate().map(|(index, entry)| {
            entry
                .id(index.to_string())
                .build()
                .expect("it has an id and a body")
        });
        let output = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect()))
            .send()
            .await
            .map_err(|error| QueueError(Box::new(error)))?;
        let refused = output.failed.into_iter().filter_map(|entry| {
            Some(RefusedTask {
                index: entry.id.parse().ok()?,
                code: entry.code,
            })
        });
        Ok(refused.collect())
    }
}

/// An entry for a task, in the fast queue.
fn entry(task: &DeliveryTask) -> SendMessageBatchRequestEntryBuilder {
    SendMessageBatchRequestEntry::builder().message_body(encode(&task.on(QueueKind::Fast)))
}

/// Rounded up, so that a message never arrives too early.
fn whole_seconds(delay: Duration) -> i32 {
    i32::try_from(delay.as_millis().div_ceil(1_000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_never_shortened() {
        assert_eq!(whole_seconds(Duration::ZERO), 0);
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_mins(15)), 900);
        assert_eq!(whole_seconds(Duration::from_millis(1_001)), 2);
    }
}
