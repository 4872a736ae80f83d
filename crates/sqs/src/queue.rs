//! Sending to the delivery queue.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use webhooks_domain::delivery::Hint;
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::ports::{DeliveryQueue, QueueError};

use crate::encode;

/// The delivery queue. The message group is the subscription: SQS's fair queues
/// keep one busy subscription from delaying the others.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// The queue with this URL.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }
}

impl DeliveryQueue for SqsQueue {
    async fn send(&self, hint: &Hint, delay: Duration) -> Result<(), QueueError> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(encode(hint))
            .message_group_id(message_group(hint))
            .delay_seconds(whole_seconds(delay))
            .send()
            .await
            .map_err(|error| QueueError(Box::new(error)))?;
        Ok(())
    }

    /// What the queue refuses of a batch is left out of the answer.
    async fn send_batch(&self, hints: &[(Hint, Duration)]) -> Result<Vec<DeliveryId>, QueueError> {
        let entries = hints.iter().enumerate().map(|(position, (hint, delay))| {
            SendMessageBatchRequestEntry::builder()
                .id(position.to_string())
                .message_body(encode(hint))
                .message_group_id(message_group(hint))
                .delay_seconds(whole_seconds(*delay))
                .build()
                .map_err(|error| QueueError(Box::new(error)))
        });
        let output = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect::<Result<_, _>>()?))
            .send()
            .await
            .map_err(|error| QueueError(Box::new(error)))?;
        let taken = output.successful.iter().filter_map(|entry| {
            let (hint, _) = hints.get(entry.id.parse::<usize>().ok()?)?;
            Some(hint.delivery)
        });
        Ok(taken.collect())
    }
}

fn message_group(hint: &Hint) -> String {
    hint.delivery.subscription.to_string()
}

/// Rounded up: a message never comes before its time.
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
