//! The deliveries of a customer, message by message.

use futures_util::future::try_join_all;

use super::{DeliveryFilter, Filling, Listed, ListedDelivery, Lists, PageOf, id_of, is_last};
use crate::ids::{CustomerId, SubscriptionId};
use crate::paging::{EntryPage, Place};
use crate::ports::{Directory, StoreError};

/// The largest number of messages whose deliveries are read concurrently.
const MAX_AT_ONCE: u32 = 16;

/// A place in the list of a customer's deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomerPlace {
    /// The message, in the list of the customer's messages.
    pub message: Place,
    /// After its delivery to this subscription; without one, after all its deliveries.
    pub delivery_to: Option<SubscriptionId>,
}

/// The page while it is being filled, and the current place.
struct Walk<'a> {
    filling: Filling<ListedDelivery>,
    at: Option<CustomerPlace>,
    customer: &'a CustomerId,
    filter: &'a DeliveryFilter,
}

impl<T: Directory> Lists<T> {
    /// The deliveries of a customer, grouped by message. The message that was stored last comes
    /// first, and within a message the order is that of the subscriptions' ids. The time range
    /// applies to the times at which the messages were stored.
    pub async fn customer_deliveries(
        &self,
        customer: &CustomerId,
        filter: &DeliveryFilter,
        page: &PageOf<CustomerPlace>,
    ) -> Result<Listed<ListedDelivery, CustomerPlace>, StoreError> {
        let mut walk = Walk {
            filling: Filling::new(page.limit, self.budget),
            at: page.after,
            customer,
            filter,
        };
        if let Some(CustomerPlace {
            message,
            delivery_to: Some(subscription),
        }) = page.after
            && page.window(None, 1).contains(message.at)
        {
            let rest = self.rest_of(&message, Some(subscription), page.limit);
            let rest = rest.await?;
            self.walk_message(&mut walk, message, rest).await?;
        }
        // Starts with one message, because that may fill the page. Then doubles the number each
        // time.
        let mut at_once = 1;
        while !walk.filling.is_done() {
            let after = walk.at.map(|at| at.message);
            let window = page.window(after, at_once);
            let messages = self.table.messages_of(customer, &window).await?;
            let reads = messages.entries.iter().map(async |entry| {
                if filter.may_want_type(entry.event_type.as_ref()) {
                    let missing = walk.filling.missing();
                    self.rest_of(&entry.place(), None, missing).await
                } else {
                    Ok(none())
                }
            });
            let deliveries = try_join_all(reads).await?;
            for (entry, deliveries) in messages.entries.iter().zip(deliveries) {
                if walk.filling.is_done() {
                    return Ok(walk.filling.end_at(walk.at));
                }
                self.walk_message(&mut walk, entry.place(), deliveries)
                    .await?;
            }
            let is_behind_all = walk.at.is_none_or(|at| at.delivery_to.is_none());
            if is_last(&messages) && is_behind_all {
                return Ok(walk.filling.end_at(None));
            }
            at_once = (at_once * 2).min(MAX_AT_ONCE);
        }
        Ok(walk.filling.end_at(walk.at))
    }

    async fn rest_of(
        &self,
        message: &Place,
        after: Option<SubscriptionId>,
        limit: u32,
    ) -> Result<EntryPage<ListedDelivery>, StoreError> {
        self.table
            .deliveries_of_message(&message.message, after.as_ref(), limit)
            .await
    }

    /// Reads the deliveries of a message, until they end or the page is full.
    async fn walk_message(
        &self,
        walk: &mut Walk<'_>,
        message: Place,
        mut page: EntryPage<ListedDelivery>,
    ) -> Result<(), StoreError> {
        loop {
            let is_last = is_last(&page);
            for delivery in page.entries {
                if walk.filling.is_done() {
                    return Ok(());
                }
                walk.at = Some(CustomerPlace {
                    message,
                    delivery_to: Some(id_of(&delivery).subscription),
                });
                walk.filling.look_at(walk.keep(delivery));
            }
            if is_last {
                break;
            }
            if walk.filling.is_done() {
                return Ok(());
            }
            let after = walk.at.and_then(|at| at.delivery_to);
            let missing = walk.filling.read_next();
            page = self.rest_of(&message, after, missing).await?;
        }
        // The message itself is counted too, even if it has no deliveries.
        walk.filling.look_at(None);
        walk.at = Some(CustomerPlace {
            message,
            delivery_to: None,
        });
        Ok(())
    }
}

impl Walk<'_> {
    /// A cursor may name any message, even another customer's. Nothing of such a message is shown,
    /// nor any delivery whose customer cannot be read.
    fn keep(&self, delivery: ListedDelivery) -> Option<ListedDelivery> {
        let is_wanted = match &delivery {
            Ok(delivery) => {
                delivery.customer_id == *self.customer
                    && self.filter.wants_type(&delivery.event_type)
                    && self.filter.wants_status(delivery.status)
            }
            Err(broken) => broken.customer_id.as_ref() == Some(self.customer),
        };
        is_wanted.then_some(delivery)
    }
}

fn none() -> EntryPage<ListedDelivery> {
    EntryPage {
        entries: Vec::new(),
        has_more: false,
    }
}
