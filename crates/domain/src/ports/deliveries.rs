//! The table's deliveries, for the use cases that make attempts or request them.

use std::future::Future;

use super::{
    Directory, ExchangeReader, InsertOutcome, StoreError, SubscriptionTable, TokenStore,
    WriteOutcome,
};
use crate::delivery::{
    Attempt, Delivery, DeliveryStatus, DueEntry, ExchangeId, Reopening, Verdict,
};
use crate::due::{NextAttempt, Shard};
use crate::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use crate::limits::{CustomerLimit, LimiterChange, LimiterId, LimiterOutcome};
use crate::message::{Message, StoredMessage};
use crate::outbound::ResponseBody;
use crate::paging::EntryPage;
use crate::timestamp::Timestamp;

/// Reads messages and deliveries by their ids.
///
/// The workflow writes them; see [`crate::prepare`].
pub trait DeliveryReader {
    /// Reads a delivery and its message. `None` if there is no such delivery. It expires with its
    /// message at the latest. A delivery without its message is [`StoreError::Corrupt`].
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

/// The limiters, which all execution environments share.
///
/// [`crate::limits`] has the rules, and [`crate::limiter`] uses them. A store only makes changes.
pub trait LimiterStore {
    /// Makes a change if the limiter meets all of its requirements, in one atomic write. A limiter
    /// that was never changed has no reservations, leases or arrival time.
    ///
    /// A repetition is refused, except that it may advance a time once more. That wastes a little
    /// capacity, and exceeds no limit.
    fn change_limiter(
        &self,
        id: &LimiterId,
        change: &LimiterChange,
    ) -> impl Future<Output = Result<LimiterOutcome, StoreError>> + Send;
}

/// The table as [`crate::deliver`] uses it: subscriptions with their health, deliveries, limiters,
/// access tokens.
pub trait DeliveryTable:
    SubscriptionTable + DeliveryReader + LimiterStore + ExchangeReader + TokenStore
{
    /// Reads the limit of a customer. `None` if it has none. The read may be eventually consistent.
    fn customer_limit(
        &self,
        id: &CustomerId,
    ) -> impl Future<Output = Result<Option<CustomerLimit>, StoreError>> + Send;

    /// Records an attempt and the decision that follows, if the delivery is pending, has exactly the
    /// attempts before this one, and has this time of its next attempt. So an attempt that began
    /// before the delivery was sent again decides nothing about it. A next attempt enters the `due`
    /// index.
    ///
    /// A repetition is a conflict: the attempt is recorded already.
    fn record(
        &self,
        id: &DeliveryId,
        due_at: Option<Timestamp>,
        attempt: &Attempt,
        verdict: &Verdict,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Adds an attempt to a delivery that was cancelled during it, if the delivery has exactly the
    /// attempts before this one. Nothing else changes. A repetition is a conflict.
    fn record_cancelled(
        &self,
        id: &DeliveryId,
        attempt: &Attempt,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Stores the body of an answer beside its attempt, until a time. A repetition replaces it.
    fn store_body(
        &self,
        id: &ExchangeId,
        body: &ResponseBody,
        expires_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Sets the status of a delivery that is pending and has this many attempts. A repetition is a
    /// conflict.
    fn settle(
        &self,
        id: &DeliveryId,
        attempts: u32,
        status: DeliveryStatus,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}

/// The table for the use case that cancels a message.
pub trait CancelTable: DeliveryReader + Directory {
    /// Marks a message as cancelled at a time, if there is such a message. A message that is marked
    /// already keeps its time.
    fn mark_cancelled(
        &self,
        id: &MessageId,
        at: Timestamp,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Cancels a delivery that is pending or held, if it still has the status and the attempts that
    /// were read. A repetition is a conflict.
    fn cancel(
        &self,
        read: &Delivery,
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

/// A subscription in the `due` index: its deliveries are [held](crate::health::Hold).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HoldEntry {
    /// The time from which the sweep must check it.
    pub check_at: Timestamp,
    /// The customer.
    pub customer: CustomerId,
    /// The subscription.
    pub subscription: SubscriptionId,
}

/// The subscriptions in the `due` index. One whose deliveries are not held is never in it.
pub trait HoldIndex {
    /// Lists at most `limit` active subscriptions that must be checked no later than `until`, after
    /// the given one, in the order of time. Eventually consistent: an entry may be missing, or old.
    fn holding(
        &self,
        until: Timestamp,
        after: Option<&HoldEntry>,
        limit: u32,
    ) -> impl Future<Output = Result<EntryPage<HoldEntry>, StoreError>> + Send;
}

/// The table for the use cases that start deliveries without an event: resends, replays and tests.
pub trait ResendTable: SubscriptionTable + DeliveryReader + DueIndex {
    /// Makes a delivery pending again, as [`Reopening::reopened`] has it, if it still has the status
    /// and the attempts that were read. It enters the `due` index. A repetition is a conflict.
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
