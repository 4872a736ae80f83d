//! The number of messages in a queue.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::operation::get_queue_attributes::GetQueueAttributesError;
use aws_sdk_sqs::types::QueueAttributeName::{
    ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed,
    ApproximateNumberOfMessagesNotVisible,
};

/// The number of messages in a queue. SQS counts them approximately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// The messages that can be received.
    pub waiting: Option<u64>,
    /// The messages that were received and not deleted yet.
    pub in_flight: Option<u64>,
    /// The messages that wait for the end of their delay.
    pub delayed: Option<u64>,
}

/// Counts the messages of a queue. It needs the permission `sqs:GetQueueAttributes`.
///
/// # Errors
/// If SQS does not answer, or refuses.
pub async fn queue_depth(
    client: &Client,
    url: &str,
) -> Result<QueueDepth, SdkError<GetQueueAttributesError>> {
    let names = [
        ApproximateNumberOfMessages,
        ApproximateNumberOfMessagesNotVisible,
        ApproximateNumberOfMessagesDelayed,
    ];
    let call = client.get_queue_attributes().queue_url(url);
    let call = call.set_attribute_names(Some(names.to_vec()));
    let attributes = call.send().await?.attributes.unwrap_or_default();
    let count = |name| attributes.get(&name)?.parse().ok();
    Ok(QueueDepth {
        waiting: count(ApproximateNumberOfMessages),
        in_flight: count(ApproximateNumberOfMessagesNotVisible),
        delayed: count(ApproximateNumberOfMessagesDelayed),
    })
}
