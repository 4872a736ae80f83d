//! Pages of lists, and what they have of deliveries and messages.

use crate::broken::Readable;
use crate::delivery::Delivery;
use crate::event_type::EventType;
use crate::ids::{DeliveryId, MessageId};
use crate::message::Message;
use crate::timestamp::Timestamp;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The earliest time, itself included.
    pub since: Option<Timestamp>,
    /// The end, itself not included.
    pub until: Option<Timestamp>,
    /// Which end comes first.
    pub order: Order,
    /// Where the page before ended. It need not be in the list any more, nor between the times.
    pub after: Option<Place>,
    /// How many entries at most, at least 1.
    pub limit: u32,
}

/// Where a window begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At its first entry.
    First,
    /// Behind this place, which is between the times.
    Behind(Place),
    /// Nowhere: nothing is left of it.
    Nowhere,
}

impl Window {
    /// The earliest and the latest time of it, both included; they may be the wrong way round.
    pub fn bounds(&self) -> (Timestamp, Timestamp) {
        let first = Timestamp::from_millis(i64::MIN);
        let last = self
            .until
            .map_or(i64::MAX, |until| until.as_millis().saturating_sub(1));
        (self.since.unwrap_or(first), Timestamp::from_millis(last))
    }

    /// Whether a time is in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        let (first, last) = self.bounds();
        (first..=last).contains(&at)
    }

    /// Where it begins.
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

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The latest first.
    NewestFirst,
    /// The earliest first.
    OldestFirst,
}

/// A place in a list: behind this entry. Whose list it is, is said beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The entry's time.
    pub at: Timestamp,
    /// The entry's message: a list has one entry of each.
    pub message: MessageId,
}

/// A page of a list. It may be short while `has_more` is true, and then has one entry at least.
///
/// An entry that names nothing that has an id is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPage<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Whether there may be more after the last of them.
    pub has_more: bool,
}

impl<T> EntryPage<T> {
    /// The same page of something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> EntryPage<U> {
        EntryPage {
            entries: self.entries.into_iter().map(change).collect(),
            has_more: self.has_more,
        }
    }
}

/// What an index knows of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryEntry {
    /// Its id.
    pub id: DeliveryId,
    /// The message's type; `None` where it cannot be read.
    pub event_type: Option<EventType>,
    /// When it was prepared.
    pub created_at: Timestamp,
}

impl DeliveryEntry {
    /// Where it stands in a list.
    pub fn place(&self) -> Place {
        Place {
            at: self.created_at,
            message: self.id.message,
        }
    }
}

/// What an index knows of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEntry {
    /// Its id.
    pub id: MessageId,
    /// Its type; `None` where it cannot be read.
    pub event_type: Option<EventType>,
    /// The event's `time`, as the event has it; `None` where it cannot be read.
    pub time: Option<String>,
    /// When it was stored.
    pub received_at: Timestamp,
}

impl MessageEntry {
    /// Where it stands in a list.
    pub fn place(&self) -> Place {
        Place {
            at: self.received_at,
            message: self.id,
        }
    }
}

/// A message with a page of what is owed of it, in the order of the subscriptions' ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagePage {
    /// The message.
    pub message: Message,
    /// When it was stored.
    pub received_at: Timestamp,
    /// Its deliveries.
    pub deliveries: Vec<Readable<Delivery, DeliveryId>>,
    /// Whether there are more after the last of them.
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
    fn a_place_outside_the_times_is_before_them_or_behind_them() {
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
    fn a_window_without_time_begins_nowhere() {
        for (since, until) in [(20, 20), (20, 10), (i64::MAX, i64::MIN)] {
            let start = window(Order::OldestFirst, since, until, since).start();
            assert_eq!(start, Start::Nowhere, "{since} to {until}");
        }
    }
}
