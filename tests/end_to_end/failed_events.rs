//! The failed-events queue, which all tests share.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
};

use anyhow::{Context, Result};
use aws_sdk_sqs::types::Message;
use tokio::time::timeout;
use webhooks_client::Stack;

use crate::fixture::ARRIVAL;

/// An event that the workflow sent to the failed-events queue.
#[derive(Clone, Debug)]
pub(crate) struct FailedEvent {
    /// The event.
    pub(crate) body: String,
    /// The message attributes, which hold the error and its cause.
    pub(crate) attributes: HashMap<String, String>,
}

impl From<Message> for FailedEvent {
    fn from(message: Message) -> Self {
        let attributes = message.message_attributes.unwrap_or_default();
        Self {
            body: message.body.unwrap_or_default(),
            attributes: attributes
                .into_iter()
                .map(|(name, value)| (name, value.string_value.unwrap_or_default()))
                .collect(),
        }
    }
}

/// All messages that the tests have received from the queue. Each test searches this list.
static TAKEN: LazyLock<Mutex<Vec<FailedEvent>>> = LazyLock::new(Mutex::default);

/// Waits for a failed event that satisfies `wanted`.
pub(crate) async fn failed_event(
    stack: &Stack,
    wanted: impl Fn(&FailedEvent) -> bool,
) -> Result<FailedEvent> {
    let search = async {
        loop {
            let found = TAKEN.lock().unwrap().iter().find(|e| wanted(e)).cloned();
            match found {
                Some(event) => return Ok(event),
                None => take(stack).await?,
            }
        }
    };
    let found = timeout(ARRIVAL, search).await;
    found.with_context(|| format!("no such event in the failed-events queue after {ARRIVAL:?}"))?
}

/// Moves the messages of the queue to the shared list, and waits up to a second for them.
async fn take(stack: &Stack) -> Result<()> {
    let queue = stack.output("FailedEventsQueueUrl")?;
    let client = aws_sdk_sqs::Client::new(stack.sdk_config());
    let received = client
        .receive_message()
        .queue_url(queue)
        .max_number_of_messages(10)
        .message_attribute_names("All")
        .wait_time_seconds(1)
        .send()
        .await?;
    for message in received.messages.unwrap_or_default() {
        let handle = message.receipt_handle.clone().unwrap_or_default();
        TAKEN.lock().unwrap().push(message.into());
        client
            .delete_message()
            .queue_url(queue)
            .receipt_handle(handle)
            .send()
            .await?;
    }
    Ok(())
}
