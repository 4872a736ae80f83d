//! Lists for the API: newest first, filtered, page by page.
//!
//! An index gives entries in the order of time. Fields that an entry does not have are read by key.
//! A filter is applied to entries that were already read. So each page reads a bounded number of
//! entries, and may be short, or even empty, while there are more.

mod customer;
mod filter;

use std::collections::HashMap;

pub use customer::CustomerPlace;
pub use filter::{DeliveryFilter, StatusFilter};

use crate::broken::Readable;
use crate::delivery::Delivery;
use crate::event_type::EventTypePattern;
use crate::ids::{CustomerId, DeliveryId, SubscriptionId};
use crate::paging::{EntryPage, MessageEntry, MessagePage, Order, Place, Window};
use crate::ports::{Directory, StoreError};
use crate::timestamp::Timestamp;

/// The largest numbers of reads for a page, whatever its filter leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadBudget {
    /// Entries of indexes. An eventually consistent read unit is about 25 of them.
    pub entries: u32,
    /// Deliveries that are read by their keys. Most cost one read unit.
    pub deliveries: u32,
}

impl ReadBudget {
    /// The budget of the API: a page costs a second call at most for a rare filter.
    pub const LARGE: Self = Self {
        entries: 1_000,
        deliveries: 1_000,
    };
    /// The budget of a page that a customer's people load in a browser.
    pub const SMALL: Self = Self {
        entries: 300,
        deliveries: 40,
    };
}

/// The largest number of entries in one read.
const MAX_READ: u32 = 100;

/// A page ends after the entry with which it takes so many bytes. Lambda gives back 6 MB at most.
const MAX_SHOWN_BYTES: usize = 4_000_000;

/// Something that a list shows.
trait Shown {
    /// An upper bound of the bytes that it takes in an answer of the API.
    fn shown_bytes(&self) -> usize;
}

impl Shown for ListedDelivery {
    fn shown_bytes(&self) -> usize {
        self.as_ref().map_or(BROKEN_BYTES, Delivery::shown_bytes)
    }
}

impl Shown for MessageEntry {
    fn shown_bytes(&self) -> usize {
        // Its texts are ids, times and an event type.
        1_000
    }
}

/// An upper bound for an entry that cannot be read: its ids and the problem.
const BROKEN_BYTES: usize = 2_000;

impl MessagePage {
    /// The page without the deliveries for which its answer has no room. The next page has them.
    #[must_use]
    pub fn within_an_answer(mut self) -> Self {
        let mut bytes = 0;
        let fits = self.deliveries.iter().take_while(|delivery| {
            let has_room = bytes < MAX_SHOWN_BYTES;
            bytes += delivery.shown_bytes();
            has_room
        });
        let fits = fits.count();
        self.has_more |= fits < self.deliveries.len();
        self.deliveries.truncate(fits);
        self
    }
}

/// The lists, with their port.
#[derive(Debug)]
pub struct Lists<T> {
    /// The indexes and the table.
    pub table: T,
    /// The largest numbers of reads for a page.
    pub budget: ReadBudget,
}

/// The requested page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageOf<P> {
    /// The inclusive start of the time range.
    pub since: Option<Timestamp>,
    /// The exclusive end of the time range.
    pub until: Option<Timestamp>,
    /// The end of the previous page.
    pub after: Option<P>,
    /// The largest number of entries, at least 1.
    pub limit: u32,
}

impl<P> PageOf<P> {
    /// The request to an index.
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
    /// The entries of the page.
    pub found: Vec<T>,
    /// The start of the next page. `None` on the last page.
    pub next: Option<P>,
}

/// A delivery in a list. An unreadable one is listed with every status filter.
pub type ListedDelivery = Readable<Delivery, DeliveryId>;

/// Selects the deliveries of a subscription that are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Deliveries that are held, failed, or pending after a failed attempt.
    Undelivered,
}

/// A page while it is being filled.
struct Filling<T> {
    found: Vec<T>,
    limit: u32,
    shown_bytes: usize,
    looked_at: u32,
    /// The rest of the budget.
    budget: ReadBudget,
}

impl<T: Shown> Filling<T> {
    fn new(limit: u32, budget: ReadBudget) -> Self {
        Self {
            found: Vec::new(),
            limit,
            shown_bytes: 0,
            looked_at: 0,
            budget,
        }
    }

    /// Counts an entry that was read, and adds it if it is kept.
    fn look_at(&mut self, kept: Option<T>) {
        self.looked_at += 1;
        self.budget.entries = self.budget.entries.saturating_sub(1);
        self.shown_bytes += kept.as_ref().map_or(0, Shown::shown_bytes);
        self.found.extend(kept);
    }

    /// Counts a delivery that was read by its key.
    fn count_delivery(&mut self) {
        self.budget.deliveries = self.budget.deliveries.saturating_sub(1);
    }

    fn missing(&self) -> u32 {
        let found = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
        self.limit.saturating_sub(found)
    }

    fn is_done(&self) -> bool {
        self.missing() == 0
            || self.shown_bytes >= MAX_SHOWN_BYTES
            || self.budget.entries == 0
            || self.budget.deliveries == 0
    }

    /// The number of entries to read next: as many as are missing, and at least as many as were
    /// read so far. If the filter kept few of the previous entries, it will probably keep few of
    /// the next ones, so the reads grow.
    fn read_next(&self) -> u32 {
        self.missing()
            .max(self.looked_at)
            .min(MAX_READ)
            .min(self.budget.entries)
            // Each entry may be that of a delivery to read.
            .min(self.budget.deliveries)
    }

    fn end_at<P>(self, next: Option<P>) -> Listed<T, P> {
        Listed {
            found: self.found,
            next,
        }
    }
}

impl<T: Directory> Lists<T> {
    /// The deliveries of a subscription, by the time at which they were prepared.
    pub async fn deliveries(
        &self,
        subscription: &SubscriptionId,
        which: Which,
        filter: &DeliveryFilter,
        page: &PageOf<Place>,
    ) -> Result<Listed<ListedDelivery, Place>, StoreError> {
        let undelivered_only = which == Which::Undelivered || filter.is_of_undelivered();
        let mut filling = Filling::new(page.limit, self.budget);
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
                // An index lags behind: a delivery in it may have succeeded meanwhile.
                let delivery = delivery.filter(|delivery| {
                    delivery.as_ref().ok().is_none_or(|delivery| {
                        let is_listed = which == Which::All || delivery.status.is_undelivered();
                        is_listed && filter.wants_status(delivery.status)
                    })
                });
                filling.look_at(delivery);
                if filter.may_want_type(entry.event_type.as_ref()) {
                    filling.count_delivery();
                }
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
        let mut filling = Filling::new(page.limit, self.budget);
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

/// Returns true for the last page. Without an entry there is no place from which to continue.
fn is_last<T>(page: &EntryPage<T>) -> bool {
    !page.has_more || page.entries.is_empty()
}
