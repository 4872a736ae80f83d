//! Waits until the stack has settled. Like an operator, it redrives failed events and dead
//! letters that the injected failures caused.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, Result};
use aws_sdk_sqs::{
    Client,
    types::{Message, QueueAttributeName},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep};
use webhooks_client::{Delivery, Error, Stack};

/// The time between two checks.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The number of messages that are read concurrently.
const ASKED_AT_ONCE: usize = 4;

/// Waits for the stack to settle, and counts the redriven messages.
pub(crate) struct Settling<'a> {
    stack: &'a Stack,
    queues: Client,
    /// The number of failed events that were restarted.
    pub(crate) failed_events: usize,
    /// The number of dead letters that were queued again.
    pub(crate) dead_letters: usize,
}

impl<'a> Settling<'a> {
    pub(crate) fn new(stack: &'a Stack) -> Self {
        Self {
            stack,
            queues: Client::new(stack.sdk_config()),
            failed_events: 0,
            dead_letters: 0,
        }
    }

    /// Waits until the queues are empty and each message has at least the given number of
    /// deliveries, none of them pending. Stops waiting at the time limit. Returns the
    /// deliveries of every message, settled or not.
    pub(crate) async fn wait(
        &mut self,
        messages: &[String],
        deliveries: usize,
        within: Duration,
    ) -> Result<HashMap<String, Vec<Delivery>>> {
        let deadline = Instant::now() + within;
        let mut settled: HashMap<String, Vec<Delivery>> = HashMap::new();
        loop {
            self.redrive().await?;
            let late = Instant::now() > deadline;
            if late || self.is_quiet().await? {
                let open: Vec<&String> = messages
                    .iter()
                    .filter(|id| !settled.get(*id).is_some_and(|d| is_settled(d, deliveries)))
                    .collect();
                settled.extend(self.deliveries(&open).await?);
                let all = settled.values().all(|d| is_settled(d, deliveries));
                if late || (all && settled.len() == messages.len()) {
                    return Ok(settled);
                }
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Returns true if neither queue has a task that is waiting, delayed or in flight. The fast
    /// queue is checked before and after the slow one: meanwhile a task may move to the slow
    /// queue, and its retry may come back.
    async fn is_quiet(&self) -> Result<bool> {
        for queue in [
            "DeliveryQueueUrl",
            "SlowDeliveryQueueUrl",
            "DeliveryQueueUrl",
        ] {
            if !self.is_empty(queue).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn is_empty(&self, queue: &str) -> Result<bool> {
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let output = self
            .queues
            .get_queue_attributes()
            .queue_url(self.stack.output(queue)?)
            .set_attribute_names(Some(counts.to_vec()))
            .send()
            .await
            .context("counting the tasks")?;
        let attributes = output.attributes.unwrap_or_default();
        Ok(attributes.len() == counts.len() && attributes.values().all(|count| count == "0"))
    }

    async fn deliveries(&self, messages: &[&String]) -> Result<HashMap<String, Vec<Delivery>>> {
        let api = &self.stack.api()?;
        stream::iter(messages)
            .map(|id| async move {
                match api.message(id).await {
                    Ok(message) => Ok((message.id, message.deliveries)),
                    Err(Error::Problem(problem)) if problem.status == 404 => {
                        Ok(((*id).clone(), Vec::new()))
                    }
                    Err(error) => Err(error.into()),
                }
            })
            .buffer_unordered(ASKED_AT_ONCE)
            .try_collect()
            .await
    }

    /// Restarts failed events and requeues dead letters.
    async fn redrive(&mut self) -> Result<()> {
        let queue = self.stack.output("FailedEventsQueueUrl")?;
        for message in self.receive(queue).await? {
            let event = message.body.as_deref().unwrap_or_default();
            self.stack.start_execution(event).await?;
            self.delete(queue, message).await?;
            self.failed_events += 1;
        }
        let queue = self.stack.output("DeliveryDeadLetterQueueUrl")?;
        for message in self.receive(queue).await? {
            self.queues
                .send_message()
                .queue_url(self.stack.output("DeliveryQueueUrl")?)
                .set_message_body(message.body.clone())
                .send()
                .await
                .context("queueing a dead letter")?;
            self.delete(queue, message).await?;
            self.dead_letters += 1;
        }
        Ok(())
    }

    async fn receive(&self, queue: &str) -> Result<Vec<Message>> {
        let received = self.queues.receive_message().queue_url(queue);
        let received = received.max_number_of_messages(10).send().await;
        let received = received.with_context(|| format!("receiving from {queue}"))?;
        Ok(received.messages.unwrap_or_default())
    }

    async fn delete(&self, queue: &str, message: Message) -> Result<()> {
        self.queues
            .delete_message()
            .queue_url(queue)
            .set_receipt_handle(message.receipt_handle)
            .send()
            .await
            .with_context(|| format!("deleting from {queue}"))?;
        Ok(())
    }
}

fn is_settled(found: &[Delivery], deliveries: usize) -> bool {
    found.len() >= deliveries && found.iter().all(|delivery| delivery.status.is_terminal())
}
