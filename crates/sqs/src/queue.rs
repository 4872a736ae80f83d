//! Sending to the delivery queue.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use webhooks_domain::delivery::{Hint, Lane};
use webhooks_domain::ports::{DeliveryQueue, QueueError, Refused};

use crate::{encode, trace};

/// The delivery queue. The message group is the subscription: SQS's fair queues
/// keep one busy subscription from delaying the others.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
    slow_url: Option<String>,
}

impl SqsQueue {
    /// The queue with this URL, and no slow lane: for those who know of no endpoint whether it
    /// is slow. What they send finds its lane from there.
    pub fn new(client: Client, url: String) -> Self {
        Self {
            client,
            url,
            slow_url: None,
        }
    }

    /// The same, with the queue for slow endpoints.
    #[must_use]
    pub fn with_slow_lane(self, url: String) -> Self {
        Self {
            slow_url: Some(url),
            ..self
        }
    }

    /// The queue of a lane, and the lane that it is.
    fn lane(&self, lane: Lane) -> (&str, Lane) {
        match (lane, &self.slow_url) {
            (Lane::Slow, Some(url)) => (url, Lane::Slow),
            _ => (&self.url, Lane::Fast),
        }
    }
}

impl DeliveryQueue for SqsQueue {
    async fn send(&self, hint: &Hint, delay: Duration) -> Result<(), QueueError> {
        let (url, lane) = self.lane(hint.lane);
        let message = self
            .client
            .send_message()
            .queue_url(url)
            .message_body(encode(&hint.on(lane)))
            .message_group_id(message_group(hint))
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

    async fn send_batch(&self, hints: &[(Hint, Duration)]) -> Result<Vec<Refused>, QueueError> {
        let entries = hints.iter().enumerate().map(|(index, (hint, delay))| {
            SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(encode(&hint.on(Lane::Fast)))
                .message_group_id(message_group(hint))
                .delay_seconds(whole_seconds(*delay))
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
            Some(Refused {
                index: entry.id.parse().ok()?,
                code: entry.code,
            })
        });
        Ok(refused.collect())
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
