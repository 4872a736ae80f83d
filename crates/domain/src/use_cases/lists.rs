//! Lists for people: the newest first, filtered, page by page.
//!
//! An index gives entries in the order of time; what an entry does not hold is read by key.
//! A filter leaves out what was read already, so that each page looks at a bounded number of
//! entries, and may be short, and even empty, while there is more.

mod customer;
mod filter;

use std::collections::HashMap;

pub use customer::CustomerPlace;
pub use filter::{DeliveryFilter, StatusFilter, StatusFilterError};

use crate::broken::Readable;
use crate::delivery::Delivery;
use crate::event_type::EventTypePattern;
use crate::ids::{CustomerId, DeliveryId, SubscriptionId};
use crate::paging::{EntryPage, MessageEntry, Order, Place, Window};
use crate::ports::{DeliveryDirectory, MessageDirectory, StoreError};
use crate::timestamp::Timestamp;

/// How many entries are looked at for a page, at most.
pub const MAX_LOOKED_AT: u32 = 1_000;

/// How many entries are read at once, at most.
const MAX_READ: u32 = 100;

/// The lists, with what they are read from.
#[derive(Debug)]
pub struct Lists<T> {
    /// The indexes and the table.
    pub table: T,
}

/// Which page of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageOf<P> {
    /// The earliest time, itself included.
    pub since: Option<Timestamp>,
    /// The end, itself not included.
    pub until: Option<Timestamp>,
    /// Where the page before ended.
    pub after: Option<P>,
    /// How many entries at most, at least 1.
    pub limit: u32,
}

impl<P> PageOf<P> {
    /// What is asked of an index.
    fn window(&self, after: Option<Place>, limit: u32) -> Window {
        Window {
            since: self.since,
            until: self.until,
            order: Order::NewestFirst,
            after,
            limit,
        }
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T, P> {
    /// What was found.
    pub found: Vec<T>,
    /// Where the next page goes on; `None` when this is the last.
    pub next: Option<P>,
}

/// A delivery of a list. One that cannot be read is listed whatever status is asked for.
pub type ListedDelivery = Readable<Delivery, DeliveryId>;

/// Which deliveries of a subscription are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Those that are held, failed, or pending after something went wrong.
    Undelivered,
}

/// A page while it is filled.
struct Filling<T> {
    found: Vec<T>,
    limit: u32,
    looked_at: u32,
}

impl<T> Filling<T> {
    fn new(limit: u32) -> Self {
        Self {
            found: Vec::new(),
            limit,
            looked_at: 0,
        }
    }

    /// Looks at an entry; keeps what it came to.
    fn look_at(&mut self, kept: Option<T>) {
        self.looked_at += 1;
        self.found.extend(kept);
    }

    fn missing(&self) -> u32 {
        let found = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
        self.limit.saturating_sub(found)
    }

    fn is_done(&self) -> bool {
        self.missing() == 0 || self.looked_at >= MAX_LOOKED_AT
    }

    /// How many entries to read next: as many as are missing. A filter that kept few of those
    /// before will keep few of these, so then as many again as were looked at.
    fn read_next(&self) -> u32 {
        self.missing()
            .max(self.looked_at)
            .min(MAX_READ)
            .min(MAX_LOOKED_AT.saturating_sub(self.looked_at))
    }

    fn end_at<P>(self, next: Option<P>) -> Listed<T, P> {
        Listed {
            found: self.found,
            next,
        }
    }
}

impl<T: DeliveryDirectory + MessageDirectory> Lists<T> {
    /// The deliveries of a subscription, by the time at which they were prepared.
    pub async fn deliveries(
        &self,
        subscription: &SubscriptionId,
        which: Which,
        filter: &DeliveryFilter,
        page: &PageOf<Place>,
    ) -> Result<Listed<ListedDelivery, Place>, StoreError> {
        let undelivered_only = which == Which::Undelivered || filter.is_of_undelivered();
        let mut filling = Filling::new(page.limit);
        let mut after = page.after;
        while !filling.is_done() {
            let window = page.window(after, filling.read_next());
            let entries = if undelivered_only {
                self.table.undelivered_of(subscription, &window).await?
            } else {
                self.table.deliveries_of(subscription, &window).await?
            };
            let wanted = entries.entries.iter();
            let wanted = wanted.filter(|entry| filter.may_want_type(entry.event_type.as_ref()));
            let wanted: Vec<DeliveryId> = wanted.map(|entry| entry.id).collect();
            let mut read = self.read(&wanted).await?;
            for entry in &entries.entries {
                if filling.is_done() {
                    return Ok(filling.end_at(after));
                }
                let delivery = read.remove(&entry.id);
                // An index is late: what it says is owed may have been taken by now.
                let delivery = delivery.filter(|delivery| {
                    delivery.as_ref().ok().is_none_or(|delivery| {
                        let is_listed = which == Which::All || delivery.status.is_undelivered();
                        is_listed && filter.wants_status(delivery.status)
                    })
                });
                filling.look_at(delivery);
                after = Some(entry.place());
            }
            if is_last(&entries) {
                return Ok(filling.end_at(None));
            }
        }
        Ok(filling.end_at(after))
    }

    async fn read(
        &self,
        ids: &[DeliveryId],
    ) -> Result<HashMap<DeliveryId, ListedDelivery>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let read = self.table.read_deliveries(ids).await?;
        let with_id = |read: ListedDelivery| (id_of(&read), read);
        Ok(read.into_iter().map(with_id).collect())
    }

    /// The messages of a customer, by the time at which they were stored.
    pub async fn messages(
        &self,
        customer: &CustomerId,
        event_type: Option<&EventTypePattern>,
        page: &PageOf<Place>,
    ) -> Result<Listed<MessageEntry, Place>, StoreError> {
        let mut filling = Filling::new(page.limit);
        let mut after = page.after;
        while !filling.is_done() {
            let window = page.window(after, filling.read_next());
            let entries = self.table.messages_of(customer, &window).await?;
            let is_last = is_last(&entries);
            for entry in entries.entries {
                if filling.is_done() {
                    return Ok(filling.end_at(after));
                }
                after = Some(entry.place());
                let filter = event_type.zip(entry.event_type.as_ref());
                let is_wanted = filter.is_none_or(|(wanted, its)| wanted.matches(its));
                filling.look_at(is_wanted.then_some(entry));
            }
            if is_last {
                return Ok(filling.end_at(None));
            }
        }
        Ok(filling.end_at(after))
    }
}

fn id_of(delivery: &ListedDelivery) -> DeliveryId {
    match delivery {
        Ok(delivery) => delivery.id,
        Err(broken) => broken.id,
    }
}

/// Without an entry there is no place to go on from.
fn is_last<T>(page: &EntryPage<T>) -> bool {
    !page.has_more || page.entries.is_empty()
}
