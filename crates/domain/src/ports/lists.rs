//! The ports of lists: entries are found by owner and time, and not by id.

use std::future::Future;

use super::StoreError;
use crate::broken::Readable;
use crate::delivery::Delivery;
use crate::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use crate::paging::{DeliveryEntry, EntryPage, MessageEntry, MessagePage, Window};

/// Lists the deliveries of a subscription. Eventually consistent: an entry may be missing for a
/// moment after it was written.
pub trait DeliveryDirectory {
    /// All of them, by the time at which they were prepared.
    fn deliveries_of(
        &self,
        subscription: &SubscriptionId,
        window: &Window,
    ) -> impl Future<Output = Result<EntryPage<DeliveryEntry>, StoreError>> + Send;

    /// Those that are `held`, `failed`, or `pending` after a failed attempt. A delivery without an
    /// attempt is not listed.
    fn undelivered_of(
        &self,
        subscription: &SubscriptionId,
        window: &Window,
    ) -> impl Future<Output = Result<EntryPage<DeliveryEntry>, StoreError>> + Send;

    /// Reads deliveries, in the order of the given ids. One that no longer exists is left out.
    fn read_deliveries(
        &self,
        ids: &[DeliveryId],
    ) -> impl Future<Output = Result<Vec<Readable<Delivery, DeliveryId>>, StoreError>> + Send;
}

/// Reads messages and their deliveries.
pub trait MessageDirectory {
    /// The message with at most `limit` of its deliveries, to subscriptions after the given one.
    /// The read is consistent.
    fn message_page(
        &self,
        id: &MessageId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> impl Future<Output = Result<Option<Readable<MessagePage, MessageId>>, StoreError>> + Send;

    /// The same page of deliveries without the message. It is empty if there is no such message.
    fn deliveries_of_message(
        &self,
        id: &MessageId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> impl Future<Output = Result<EntryPage<Readable<Delivery, DeliveryId>>, StoreError>> + Send;

    /// The customer's messages, by the time at which they were stored. Eventually consistent.
    fn messages_of(
        &self,
        customer: &CustomerId,
        window: &Window,
    ) -> impl Future<Output = Result<EntryPage<MessageEntry>, StoreError>> + Send;
}
