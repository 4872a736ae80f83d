//! In-memory lists.

use webhooks_domain::broken::{Broken, Readable};
use webhooks_domain::delivery::Delivery;
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use webhooks_domain::paging::{
    DeliveryEntry, EntryPage, MessageEntry, MessagePage, Order, Place, Window,
};
use webhooks_domain::ports::{Directory, StoreError};

use super::{InMemoryBackend, State};

/// The part of a list that a window selects.
fn page<T>(mut entries: Vec<T>, place: impl Fn(&T) -> Place, window: &Window) -> EntryPage<T> {
    let key = |place: Place| (place.at, place.message);
    entries.retain(|entry| {
        let at = place(entry).at;
        window.since.is_none_or(|since| at >= since) && window.until.is_none_or(|until| at < until)
    });
    entries.sort_by_key(|entry| key(place(entry)));
    if window.order == Order::NewestFirst {
        entries.reverse();
    }
    if let Some(after) = window.after.map(key) {
        entries.retain(|entry| match window.order {
            Order::NewestFirst => key(place(entry)) < after,
            Order::OldestFirst => key(place(entry)) > after,
        });
    }
    let has_more = entries.len() > window.limit as usize;
    entries.truncate(window.limit as usize);
    EntryPage { entries, has_more }
}

fn entry(delivery: &Delivery) -> DeliveryEntry {
    DeliveryEntry {
        id: delivery.id,
        event_type: Some(delivery.event_type.clone()),
        created_at: delivery.created_at,
    }
}

impl State {
    /// A delivery, or its id if it cannot be read.
    fn readable(&self, delivery: &Delivery) -> Readable<Delivery, DeliveryId> {
        if self.broken_deliveries.contains(&delivery.id) {
            return Err(Broken {
                id: delivery.id,
                customer_id: Some(delivery.customer_id.clone()),
                problem: "is not one".to_owned(),
            });
        }
        Ok(delivery.clone())
    }
}

impl Directory for InMemoryBackend {
    async fn deliveries_of(
        &self,
        subscription: &SubscriptionId,
        window: &Window,
    ) -> Result<EntryPage<DeliveryEntry>, StoreError> {
        self.store(|state| {
            let deliveries = state.deliveries.values();
            let its = deliveries.filter(|delivery| delivery.id.subscription == *subscription);
            page(its.map(entry).collect(), DeliveryEntry::place, window)
        })
    }

    async fn undelivered_of(
        &self,
        subscription: &SubscriptionId,
        window: &Window,
    ) -> Result<EntryPage<DeliveryEntry>, StoreError> {
        self.store(|state| {
            let undelivered = state.undelivered.iter();
            let its = undelivered.filter(|id| id.subscription == *subscription);
            let its = its.filter_map(|id| state.deliveries.get(id).map(entry));
            page(its.collect(), DeliveryEntry::place, window)
        })
    }

    async fn read_deliveries(
        &self,
        ids: &[DeliveryId],
    ) -> Result<Vec<Readable<Delivery, DeliveryId>>, StoreError> {
        self.store(|state| {
            let found = ids.iter().filter_map(|id| state.delivery(id));
            found.map(|found| state.readable(found)).collect()
        })
    }

    async fn message_page(
        &self,
        id: &MessageId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<Option<Readable<MessagePage, MessageId>>, StoreError> {
        let Some(stored) = self.store(|state| state.message(id).cloned())? else {
            return Ok(None);
        };
        let page = self.deliveries_of_message(id, after, limit).await?;
        Ok(Some(Ok(MessagePage {
            message: stored.message,
            received_at: stored.stored_at,
            deliveries: page.entries,
            has_more: page.has_more,
        })))
    }

    async fn deliveries_of_message(
        &self,
        id: &MessageId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<EntryPage<Readable<Delivery, DeliveryId>>, StoreError> {
        self.store(|state| {
            let now = state.now();
            let mut matching = state.deliveries.values().filter(|delivery| {
                let id_after = after.is_none_or(|after| delivery.id.subscription > *after);
                delivery.id.message == *id && id_after && delivery.expires_at > now
            });
            EntryPage {
                entries: matching
                    .by_ref()
                    .take(limit as usize)
                    .map(|found| state.readable(found))
                    .collect(),
                has_more: matching.next().is_some(),
            }
        })
    }

    async fn messages_of(
        &self,
        customer: &CustomerId,
        window: &Window,
    ) -> Result<EntryPage<MessageEntry>, StoreError> {
        self.store(|state| {
            let messages = state.messages.values();
            let now = state.now();
            let its = messages.filter(|stored| {
                stored.message.customer_id == *customer && stored.expires_at > now
            });
            let its = its.map(|stored| MessageEntry {
                id: stored.message.id,
                event_type: Some(stored.message.event_type.clone()),
                time: Some(stored.message.time.clone()),
                received_at: stored.stored_at,
            });
            page(its.collect(), MessageEntry::place, window)
        })
    }
}
