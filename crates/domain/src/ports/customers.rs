//! The table's customers.

use std::future::Future;

use super::{StoreError, WriteOutcome};
use crate::broken::Readable;
use crate::customer::Customer;
use crate::ids::CustomerId;
use crate::paging::EntryPage;

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

    /// Writes the name, metadata, version and time of change of a customer, if the stored version
    /// is that of `read`, or if there is none. The usage and the time of creation of a stored
    /// customer stay. A repetition is a conflict.
    fn write_customer(
        &self,
        read: Option<&Customer>,
        changed: &Customer,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}
