//! Pages of lists, and their entries for deliveries and messages.

use crate::broken::Readable;
use crate::delivery::Delivery;
use crate::event_type::EventType;
use crate::ids::{DeliveryId, MessageId};
use crate::message::Message;
use crate::timestamp::Timestamp;

/// The part of a list that is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The inclusive start of the time range.
    pub since: Option<Timestamp>,
    /// The exclusive end of the time range.
    pub until: Option<Timestamp>,
    /// The order of the entries.
    pub order: Order,
    /// The end of the previous page. It may no longer be in the list, and may be outside the time
    /// range.
    pub after: Option<Place>,
    /// The largest number of entries, at least 1.
    pub limit: u32,
}

impl Window {
    /// The newest entries of a list.
    pub fn newest(limit: u32) -> Self {
        Self {
            since: None,
            until: None,
            order: Order::NewestFirst,
            after: None,
            limit,
        }
    }
}

/// The start of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At its first entry.
    First,
    /// After this place, which is in the time range.
    Behind(Place),
    /// There is no start, because no entry is left.
    Nowhere,
}

impl Window {
    /// The earliest and the latest time, both inclusive. The first may be later than the second.
    pub fn bounds(&self) -> (Timestamp, Timestamp) {
        let first = Timestamp::from_millis(i64::MIN);
        let last = self
            .until
            .map_or(i64::MAX, |until| until.as_millis().saturating_sub(1));
        (self.since.unwrap_or(first), Timestamp::from_millis(last))
    }

    /// Returns true if a time is in the window.
    pub fn contains(&self, at: Timestamp) -> bool {
        let (first, last) = self.bounds();
        (first..=last).contains(&at)
    }

    /// The start of the window.
    pub fn start(&self) -> Start {
        let (first, last) = self.bounds();
        let is_behind = |place: Place| match self.order {
            Order::NewestFirst => place.at < first,
            Order::OldestFirst => place.at > last,
        };
        match self.after {
            _ if first > last => Start::Nowhere,
            Some(place) if self.contains(place.at) => Start::Behind(place),
            Some(place) if is_behind(place) => Start::Nowhere,
            _ => Start::First,
        }
    }
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Newest first.
    NewestFirst,
    /// Oldest first.
    OldestFirst,
}

/// A place in a list: after this entry. The list itself is given separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The entry's time.
    pub at: Timestamp,
    /// The entry's message. A list has one entry for each message.
    pub message: MessageId,
}

/// A page of a list. It may be short while `has_more` is true, but then has at least one entry.
///
/// An entry without a readable id is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPage<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// True if there may be more after the last of them.
    pub has_more: bool,
}

impl<T> EntryPage<T> {
    /// Converts the entries.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> EntryPage<U> {
        EntryPage {
            entries: self.entries.into_iter().map(change).collect(),
            has_more: self.has_more,
        }
    }
}

/// The entry of a delivery in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryEntry {
    /// Its id.
    pub id: DeliveryId,
    /// The message's type. `None` if it cannot be read.
    pub event_type: Option<EventType>,
    /// The time at which it was prepared.
    pub created_at: Timestamp,
}

impl DeliveryEntry {
    /// Its place in a list.
    pub fn place(&self) -> Place {
        Place {
            at: self.created_at,
            message: self.id.message,
        }
    }
}

/// The entry of a message in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEntry {
    /// Its id.
    pub id: MessageId,
    /// Its type. `None` if it cannot be read.
    pub event_type: Option<EventType>,
    /// The event's unchanged `time`. `None` if it cannot be read.
    pub time: Option<String>,
    /// The time at which it was stored.
    pub received_at: Timestamp,
}

impl MessageEntry {
    /// Its place in a list.
    pub fn place(&self) -> Place {
        Place {
            at: self.received_at,
            message: self.id,
        }
    }
}

/// A message with a page of its deliveries, in the order of the subscriptions' ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagePage {
    /// The message.
    pub message: Message,
    /// The time at which it was stored.
    pub received_at: Timestamp,
    /// Its deliveries.
    pub deliveries: Vec<Readable<Delivery, DeliveryId>>,
    /// True if there are more after the last of them.
    pub has_more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(millis: i64) -> Place {
        Place {
            at: Timestamp::from_millis(millis),
            message: format!("msg_{:032x}", 1).parse().unwrap(),
        }
    }

    fn window(order: Order, since: i64, until: i64, after: i64) -> Window {
        Window {
            since: Some(Timestamp::from_millis(since)),
            until: Some(Timestamp::from_millis(until)),
            order,
            after: Some(place(after)),
            limit: 1,
        }
    }

    #[test]
    fn a_place_outside_the_time_range_is_before_or_after_it() {
        let newest = |after| window(Order::NewestFirst, 10, 20, after).start();
        assert_eq!(newest(20), Start::First);
        assert_eq!(newest(19), Start::Behind(place(19)));
        assert_eq!(newest(10), Start::Behind(place(10)));
        assert_eq!(newest(9), Start::Nowhere);
        let oldest = |after| window(Order::OldestFirst, 10, 20, after).start();
        assert_eq!(oldest(9), Start::First);
        assert_eq!(oldest(10), Start::Behind(place(10)));
        assert_eq!(oldest(20), Start::Nowhere);
    }

    #[test]
    fn a_window_with_an_empty_time_range_has_no_start() {
        for (since, until) in [(20, 20), (20, 10), (i64::MAX, i64::MIN)] {
            let start = window(Order::OldestFirst, since, until, since).start();
            assert_eq!(start, Start::Nowhere, "{since} to {until}");
        }
    }
}
