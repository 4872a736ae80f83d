//! The ports: the services that the use cases need from outside.

mod lists;
mod recovery;
mod subscriptions;

use std::future::Future;
use std::time::Duration;

pub use lists::{DeliveryDirectory, MessageDirectory};

use crate::data_key::{DataKey, WrappedDataKey};
use crate::delivery::{
    Attempt, Delivery, DeliveryStatus, DeliveryTask, DueEntry, OutgoingTask, RefusedTask,
    Reopening, Verdict,
};
use crate::due::Shard;
use crate::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use crate::limits::{AdmissionRequest, Lease, LimiterDecision, ReservationRequest};
use crate::message::Message;
use crate::operational::OperationalEvent;
use crate::outbound::{WebhookRequest, WebhookResponse};
use crate::subscription::SubscriptionPage;
use crate::timestamp::Timestamp;

pub use recovery::{RecoverySource, RecoveryStore, RecoveryWorkflow, WorkflowError};
pub use subscriptions::{
    Creation, CreationOutcome, HealthFate, HealthStore, Replacement, ReplacementOutcome,
    SubscriptionStore, SubscriptionSwitch,
};

/// A failure of the table. It is our own failure, never the endpoint's.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The table did not answer, or refused temporarily. A retry may help.
    #[error("table did not {operation}")]
    Unavailable {
        /// The operation, such as `get subscription`.
        operation: &'static str,
        /// The client's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An item exists but cannot be read.
    #[error("item `{key}` cannot be read: {problem}")]
    Corrupt {
        /// The item's key.
        key: String,
        /// The problem.
        problem: String,
    },
}

/// The key service did not answer, or refused.
#[derive(Debug, thiserror::Error)]
#[error("key service did not {operation}")]
pub struct KeyServiceError {
    /// The operation, such as `unwrap the data key`.
    pub operation: &'static str,
    /// The client's error.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The queue did not take a message.
#[derive(Debug, thiserror::Error)]
#[error("queue did not take the message")]
pub struct QueueError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// An operational event did not get to the bus.
#[derive(Debug, thiserror::Error)]
#[error("bus did not take the event")]
pub struct PublishError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The result of a write that must not overwrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertOutcome {
    /// It was written.
    Inserted,
    /// It already exists; nothing was written.
    AlreadyThere,
}

/// The result of a write that is conditional on the version that was read (optimistic
/// concurrency).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It was written.
    Written,
    /// Another write came first; nothing was written.
    Conflict,
}

/// Keeps the limiters of endpoints, which all execution environments share.
///
/// [`EndpointLimiter`] has the rules. Each call here is one atomic change of a limiter.
///
/// [`EndpointLimiter`]: crate::limits::EndpointLimiter
pub trait LimiterStore {
    /// Admits a delivery if the limits allow it. Retrying a request whose response was lost is
    /// idempotent.
    fn admit(
        &self,
        id: &SubscriptionId,
        request: &AdmissionRequest,
    ) -> impl Future<Output = Result<LimiterDecision, StoreError>> + Send;

    /// Reserves the next free time. A reservation that is not used is lost.
    fn reserve(
        &self,
        id: &SubscriptionId,
        request: &ReservationRequest,
    ) -> impl Future<Output = Result<Timestamp, StoreError>> + Send;

    /// Releases a lease that was held for this long. Does nothing if another delivery has the
    /// slot by now.
    fn release(
        &self,
        id: &SubscriptionId,
        lease: Lease,
        held: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Lists the subscriptions of a customer.
pub trait SubscriptionDirectory {
    /// At most `limit` subscriptions after the given id. A page may be short while `has_more` is
    /// true, but then has at least one subscription. The read is consistent.
    fn page(
        &self,
        customer: &CustomerId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> impl Future<Output = Result<SubscriptionPage, StoreError>> + Send;
}

/// Stores deliveries and their messages.
///
/// The workflow writes them; see [`crate::prepare`].
pub trait DeliveryStore {
    /// Reads a delivery and its message, consistently.
    ///
    /// `None` if there is no such delivery. A delivery without its message is
    /// [`StoreError::Corrupt`].
    fn load(
        &self,
        id: &DeliveryId,
    ) -> impl Future<Output = Result<Option<(Delivery, Message)>, StoreError>> + Send;

    /// Records an attempt and its verdict, if the delivery is pending and has exactly the attempts
    /// before this one. A next attempt enters the `due` index.
    fn record(
        &self,
        id: &DeliveryId,
        attempt: &Attempt,
        verdict: &Verdict,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Sets the status of a delivery that is pending and has this many attempts.
    fn settle(
        &self,
        id: &DeliveryId,
        attempts: u32,
        status: DeliveryStatus,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Makes a delivery pending again, if it still has the status and the attempts that were read.
    /// It enters the `due` index.
    fn reopen(
        &self,
        reopening: &Reopening<'_>,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}

/// Reads messages by their ids.
pub trait MessageStore {
    /// Reads one, consistently. An expired message counts as absent.
    fn message(
        &self,
        id: &MessageId,
    ) -> impl Future<Output = Result<Option<Message>, StoreError>> + Send;
}

/// Records a delivery without the workflow, as a test or a replay does.
pub trait CallStore {
    /// Writes a new message and then its delivery, stored at the delivery's `created_at`. Existing
    /// items stay, so repeating it is not a conflict.
    fn record_call(
        &self,
        message: &Message,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Makes an attempt at once, through the function that also serves the queue.
pub trait DeliverNow {
    /// Returns after the attempt, or after it could not be made. The table shows which.
    fn deliver_now(&self, task: &DeliveryTask) -> impl Future<Output = ()> + Send;
}

/// A page of a shard of the `due` index, in the order of time.
#[derive(Debug)]
pub struct DuePage {
    /// The entries.
    pub due: Vec<DueEntry>,
    /// Entries that cannot be read. They do not hide the others.
    pub unreadable: Vec<StoreError>,
    /// True if there may be more after the last of them.
    pub has_more: bool,
}

/// The sparse index of pending deliveries that the sweep must check.
pub trait DueIndex {
    /// At most `limit` entries of the shard, after the given one, with `sweep_at` no later than
    /// `until`. There is at least one while `has_more` is true, even if many before it cannot be
    /// read. Eventually consistent: an entry may be missing or old.
    fn due_page(
        &self,
        shard: Shard,
        until: Timestamp,
        after: Option<&DueEntry>,
        limit: u32,
    ) -> impl Future<Output = Result<DuePage, StoreError>> + Send;

    /// Moves the entry to a later time, if it has not changed since it was read.
    fn postpone(
        &self,
        due: &DueEntry,
        sweep_at: Timestamp,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}

/// Accepts delivery tasks. A task says only that there may be work; the table decides.
///
/// The queue is fair among customers: a busy customer delays its own deliveries and not those of
/// others.
pub trait DeliveryQueue {
    /// Returns the task of a customer's delivery after the delay, at most 900 s.
    fn send(
        &self,
        customer: &CustomerId,
        task: &DeliveryTask,
        delay: Duration,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Like [`send`](Self::send), for up to [`MAX_QUEUE_BATCH`](crate::queue::MAX_QUEUE_BATCH) tasks
    /// in one call, in the fast queue. Returns the tasks that the queue refused while it accepted
    /// the others.
    fn send_batch(
        &self,
        tasks: &[OutgoingTask<'_>],
    ) -> impl Future<Output = Result<Vec<RefusedTask>, QueueError>> + Send;
}

/// Stores the wrapped data key.
pub trait DataKeyStore {
    /// Reads it, consistently.
    fn get(&self) -> impl Future<Output = Result<Option<WrappedDataKey>, StoreError>> + Send;

    /// Writes the first one. Refuses if there is one.
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
