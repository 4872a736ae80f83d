//! The table's customers.

use std::future::Future;

use super::{StoreError, WriteOutcome};
use crate::broken::Readable;
use crate::customer::{Customer, Deletion};
use crate::ids::{CustomerId, SubscriptionId};
use crate::paging::EntryPage;
use crate::timestamp::Timestamp;

/// The table's customers. [`SubscriptionStore`](super::SubscriptionStore) creates a customer with
/// its first subscription, and counts its usage.
pub trait CustomerTable {
    /// Reads a customer.
    fn customer(
        &self,
        id: &CustomerId,
    ) -> impl Future<Output = Result<Option<Customer>, StoreError>> + Send;

    /// Lists at most `limit` customers in the order of their ids, after the given one. A page may
    /// be short while `has_more` is true, but then has at least one customer.
    fn customers(
        &self,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> impl Future<Output = Result<EntryPage<Readable<Customer, CustomerId>>, StoreError>> + Send;

    /// Writes the name, metadata, limits, version and time of change of a customer, if the stored version
    /// is that of `read`, or if there is none. The usage and the time of creation of a stored
    /// customer stay. A repetition is a conflict.
    fn write_customer(
        &self,
        read: Option<&Customer>,
        changed: &Customer,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Requests the deletion of a customer, if its stored version is that of `read`, and gives it
    /// the next version. From then on nothing can be created for it. A repetition is a conflict.
    fn request_deletion(
        &self,
        read: &Customer,
        at: Timestamp,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}

/// A kind of items that belong to a customer, beside the customer's own item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CustomerPart {
    /// The subscriptions. Their ids are noted in the customer's item before they are deleted.
    Subscriptions,
    /// All other items of a subscription: the state of its limiter, and its statistics.
    OfSubscription(SubscriptionId),
    /// The recoveries.
    Recoveries,
    /// The records of idempotency keys.
    IdempotencyKeys,
    /// The sessions of the portal.
    PortalSessions,
    /// The messages, with their deliveries and attempts.
    Messages,
}

/// The table as [`crate::delete_customers`] uses it.
pub trait CustomerData {
    /// Lists the customers whose deletion was requested, the oldest request first. Eventually
    /// consistent: a customer may be missing, or already be deleted.
    fn being_deleted(&self) -> impl Future<Output = Result<Vec<CustomerId>, StoreError>> + Send;

    /// Reads the deletion of a customer, and the ids of the subscriptions that it has deleted.
    /// `None` if the customer is not being deleted, or does not exist any more.
    fn deletion(
        &self,
        id: &CustomerId,
    ) -> impl Future<Output = Result<Option<(Deletion, Vec<SubscriptionId>)>, StoreError>> + Send;

    /// Deletes some items of a part. Returns the number of items that were found: 0 if the part is
    /// empty. It is safe to repeat at any time.
    fn delete_some(
        &self,
        id: &CustomerId,
        part: CustomerPart,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Adds to the number of deleted items. A repetition adds again.
    fn count_deleted(
        &self,
        id: &CustomerId,
        deleted: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes the customer's own item, if this deletion is still the requested one. A repetition
    /// is a conflict.
    fn forget(
        &self,
        id: &CustomerId,
        deletion: &Deletion,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}
