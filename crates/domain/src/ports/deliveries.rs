//! The table's deliveries, for the use cases that make attempts or request them.

use std::future::Future;
use std::time::Duration;

use super::{InsertOutcome, StoreError, SubscriptionTable, WriteOutcome};
use crate::delivery::{Attempt, Delivery, DeliveryStatus, DueEntry, Reopening, Verdict};
use crate::due::{NextAttempt, Shard};
use crate::ids::{DeliveryId, MessageId, SubscriptionId};
use crate::limits::{AdmissionRequest, Lease, LimiterDecision, ReservationRequest};
use crate::message::{Message, StoredMessage};
use crate::timestamp::Timestamp;

/// Reads messages and deliveries by their ids.
///
/// The workflow writes them; see [`crate::prepare`].
pub trait DeliveryReader {
    /// Reads a delivery and its message. `None` if there is no such delivery. A delivery without
    /// its message is [`StoreError::Corrupt`].
    fn load(
        &self,
        id: &DeliveryId,
    ) -> impl Future<Output = Result<Option<(Delivery, Message)>, StoreError>> + Send;

    /// Reads a message.
    fn message(
        &self,
        id: &MessageId,
    ) -> impl Future<Output = Result<Option<Message>, StoreError>> + Send;

    /// Reads a message and its delivery to a subscription. Each of them may be absent.
    fn read(
        &self,
        id: &DeliveryId,
    ) -> impl Future<Output = Result<(Option<StoredMessage>, Option<Delivery>), StoreError>> + Send;
}

/// The limiters of endpoints, which all execution environments share.
///
/// [`EndpointLimiter`] has the rules. Each call here is one atomic change of a limiter.
///
/// [`EndpointLimiter`]: crate::limits::EndpointLimiter
pub trait LimiterStore {
    /// Admits a delivery if the limits allow it. A repetition returns the lease that the first
    /// call got; without a limit of concurrency it counts once more against the rate.
    fn admit(
        &self,
        id: &SubscriptionId,
        request: &AdmissionRequest,
    ) -> impl Future<Output = Result<LimiterDecision, StoreError>> + Send;

    /// Reserves the next free time. A repetition reserves another one; the first one is unused,
    /// which wastes a little capacity.
    fn reserve(
        &self,
        id: &SubscriptionId,
        request: &ReservationRequest,
    ) -> impl Future<Output = Result<Timestamp, StoreError>> + Send;

    /// Releases a lease that was held for this long. Does nothing if the lease is released
    /// already, or another delivery has its slot.
    fn release(
        &self,
        id: &SubscriptionId,
        lease: Lease,
        held: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The table as [`crate::deliver`] uses it: subscriptions with their health, deliveries, limiters.
pub trait DeliveryTable: SubscriptionTable + DeliveryReader + LimiterStore {
    /// Records an attempt and the decision that follows, if the delivery is pending and has
    /// exactly the attempts before this one. A next attempt enters the `due` index.
    ///
    /// A repetition is a conflict: the attempt is recorded already.
    fn record(
        &self,
        id: &DeliveryId,
        attempt: &Attempt,
        verdict: &Verdict,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Sets the status of a delivery that is pending and has this many attempts. A repetition is a
    /// conflict.
    fn settle(
        &self,
        id: &DeliveryId,
        attempts: u32,
        status: DeliveryStatus,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
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

/// The sparse index of the pending deliveries that the sweep must check.
pub trait DueIndex {
    /// Reads at most `limit` entries of the shard with `sweep_at` no later than `until`, after the
    /// given one. While `has_more` is true there is at least one, even if entries before it cannot
    /// be read. Eventually consistent: an entry may be missing, or old.
    fn due_page(
        &self,
        shard: Shard,
        until: Timestamp,
        after: Option<&DueEntry>,
        limit: u32,
    ) -> impl Future<Output = Result<DuePage, StoreError>> + Send;

    /// Moves the entry to a later time, if it has not changed since it was read. A repetition is a
    /// conflict.
    fn postpone(
        &self,
        due: &DueEntry,
        sweep_at: Timestamp,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}

/// The table for the use cases that start deliveries without an event: resends, replays and tests.
pub trait ResendTable: SubscriptionTable + DeliveryReader + DueIndex {
    /// Makes a delivery pending again, if it still has the status and the attempts that were read.
    /// It enters the `due` index. A repetition is a conflict.
    fn reopen(
        &self,
        reopening: &Reopening<'_>,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Writes a new delivery whose first attempt is due at a time. It enters the `due` index.
    fn insert_due(
        &self,
        delivery: &Delivery,
        next: &NextAttempt,
    ) -> impl Future<Output = Result<InsertOutcome, StoreError>> + Send;

    /// Writes a new message and then its delivery, stored at the delivery's `created_at`. Items
    /// that exist already stay as they are, so a repetition changes nothing.
    fn insert_test(
        &self,
        message: &Message,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
