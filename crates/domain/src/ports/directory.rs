//! Lists of deliveries and messages, by owner and time.

use std::future::Future;

use super::StoreError;
use crate::broken::Readable;
use crate::delivery::Delivery;
use crate::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use crate::paging::{DeliveryEntry, EntryPage, MessageEntry, MessagePage, Window};

/// Lists deliveries and messages.
pub trait Directory {
    /// Lists the deliveries of a subscription, by the time at which they were prepared. Eventually
    /// consistent: an entry may be missing for a moment after it was written.
    fn deliveries_of(
        &self,
        subscription: &SubscriptionId,
        window: &Window,
    ) -> impl Future<Output = Result<EntryPage<DeliveryEntry>, StoreError>> + Send;

    /// Lists those of them that are `held`, `failed`, or `pending` after a failed attempt. A
    /// delivery without an attempt is not listed. Eventually consistent.
    fn undelivered_of(
        &self,
        subscription: &SubscriptionId,
        window: &Window,
    ) -> impl Future<Output = Result<EntryPage<DeliveryEntry>, StoreError>> + Send;

    /// Reads deliveries, in the order of the ids. Absent ones are left out. Eventually consistent.
    fn read_deliveries(
        &self,
        ids: &[DeliveryId],
    ) -> impl Future<Output = Result<Vec<Readable<Delivery, DeliveryId>>, StoreError>> + Send;

    /// Reads a message with at most `limit` of its deliveries, to subscriptions after the given
    /// one.
    fn message_page(
        &self,
        id: &MessageId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> impl Future<Output = Result<Option<Readable<MessagePage, MessageId>>, StoreError>> + Send;

    /// Reads the same page of deliveries alone. It is empty if there is no such message.
    fn deliveries_of_message(
        &self,
        id: &MessageId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> impl Future<Output = Result<EntryPage<Readable<Delivery, DeliveryId>>, StoreError>> + Send;

    /// Lists the customer's messages, by the time at which they were stored. Eventually
    /// consistent.
    fn messages_of(
        &self,
        customer: &CustomerId,
        window: &Window,
    ) -> impl Future<Output = Result<EntryPage<MessageEntry>, StoreError>> + Send;
}
