//! The other services: queues, keys, the bus, HTTP and the clock.

use std::future::Future;
use std::time::Duration;

use super::{InsertOutcome, KeyServiceError, PublishError, QueueError, StoreError};
use crate::contact::{ContactCode, EmailAddress};
use crate::data_key::{DataKey, WrappedDataKey};
use crate::delivery::{DeliveryTask, OutgoingTask, RefusedTask};
use crate::ids::CustomerId;
use crate::operational::OperationalEvent;
use crate::outbound::{WebhookRequest, WebhookResponse};
use crate::timestamp::Timestamp;

/// Accepts delivery tasks. A task says only that there may be work; the table decides. So sending
/// one twice is harmless.
///
/// The queues are fair: a busy customer delays its own deliveries and not those of others.
pub trait DeliveryQueue {
    /// Sends the task of a customer's delivery. The queue returns it after the delay, at most
    /// [`MAX_QUEUE_DELAY`](crate::queue::MAX_QUEUE_DELAY).
    fn send(
        &self,
        customer: &CustomerId,
        task: &DeliveryTask,
        delay: Duration,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Sends up to [`MAX_QUEUE_BATCH`](crate::queue::MAX_QUEUE_BATCH) tasks in one call, to the
    /// fast queue. Returns those that the queue refused while it accepted the others.
    fn send_batch(
        &self,
        tasks: &[OutgoingTask<'_>],
    ) -> impl Future<Output = Result<Vec<RefusedTask>, QueueError>> + Send;
}

/// Makes an attempt at once, through the function that also serves the queue.
pub trait DeliverNow {
    /// Returns after the attempt, or after it could not be made. The table shows the result.
    fn deliver_now(&self, task: &DeliveryTask) -> impl Future<Output = ()> + Send;
}

/// The store of the wrapped data key.
pub trait DataKeyStore {
    /// Reads it.
    fn get(&self) -> impl Future<Output = Result<Option<WrappedDataKey>, StoreError>> + Send;

    /// Writes the first one.
    fn insert(
        &self,
        key: &WrappedDataKey,
    ) -> impl Future<Output = Result<InsertOutcome, StoreError>> + Send;
}

/// Creates and unwraps data keys.
pub trait KeyService {
    /// A new data key, in plaintext and wrapped.
    fn generate(
        &self,
    ) -> impl Future<Output = Result<(DataKey, WrappedDataKey), KeyServiceError>> + Send;

    /// The plaintext of a wrapped data key.
    fn unwrap(
        &self,
        wrapped: &WrappedDataKey,
    ) -> impl Future<Output = Result<DataKey, KeyServiceError>> + Send;
}

/// Publishes operational events.
pub trait OperationalEventPublisher {
    /// Publishes at most [`MAX_PUBLISHED`] events. Publishing one twice is harmless.
    fn publish(
        &self,
        events: &[OperationalEvent],
    ) -> impl Future<Output = Result<(), PublishError>> + Send;
}

/// Queues the messages that ask for the confirmation of an address.
pub trait ConfirmationMailer {
    /// Queues a message to this address, with the code. The message may be sent twice.
    fn ask_for_confirmation(
        &self,
        address: &EmailAddress,
        code: &ContactCode,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// The largest number of events in one call of the bus (EventBridge `PutEvents`).
pub const MAX_PUBLISHED: usize = 10;

/// Sends webhooks.
///
/// Each call makes at most one HTTP request, and follows no redirect. There is one exception: a
/// request on a kept connection that fails before the first byte of an answer is repeated once on a
/// new connection, because that failure says nothing about the endpoint. A call always returns
/// within the sender's deadline, and never fails: every failure is the attempt's outcome. A
/// cancelled call (its future was dropped) may have reached the endpoint.
pub trait WebhookSender {
    /// Makes the request and waits for the response, at most until the deadline.
    fn send(&self, request: WebhookRequest) -> impl Future<Output = WebhookResponse> + Send;
}

/// Tells the time.
pub trait Clock {
    /// Now.
    fn now(&self) -> Timestamp;
}
