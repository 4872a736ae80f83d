//! The retention of messages and their deliveries: the stack's time, and shorter ones for some event
//! types.

use std::str::FromStr;
use std::time::Duration;

use crate::event_type::{EventType, EventTypeError, EventTypePattern};

const DAY: Duration = Duration::from_hours(24);

/// The times for which messages and their deliveries are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    stack: Duration,
    by_type: RetentionByEventType,
}

/// The retention of some event types, as in `order.created=7,audit.*=30`: days by exact type or by
/// prefix. If one is there more than once, its smallest number counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetentionByEventType(Vec<(EventTypePattern, u32)>);

/// The text is not such a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// The number of entries is not allowed.
    #[error("must have at most {max} entries, has {len}", max = RetentionByEventType::MAX_COUNT)]
    Count {
        /// The number.
        len: usize,
    },
    /// An entry has another form.
    #[error(
        "`{entry}`: must be an event type or prefix, `=` and a number of days, as in `order.*=7`"
    )]
    Form {
        /// The entry.
        entry: String,
    },
    /// The event type or prefix is not one.
    #[error(transparent)]
    EventType(#[from] EventTypeError),
    /// The number of days is not allowed.
    #[error("`{pattern}`: must be at least 1 day")]
    NoDays {
        /// The type or prefix.
        pattern: String,
    },
}

impl RetentionByEventType {
    /// The largest number of entries. The list is read for each page of an event.
    pub const MAX_COUNT: usize = 50;
}

impl FromStr for RetentionByEventType {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Self, RetentionError> {
        let len = text.split(',').count();
        if len > Self::MAX_COUNT {
            return Err(RetentionError::Count { len });
        }
        let mut entries: Vec<(EventTypePattern, u32)> = Vec::with_capacity(len);
        for entry in text.split(',').map(str::trim_ascii) {
            let form = || RetentionError::Form {
                entry: entry.to_owned(),
            };
            // A type may have a `=` itself.
            let (pattern, days) = entry.rsplit_once('=').ok_or_else(form)?;
            let days: u32 = days.trim_ascii().parse().map_err(|_| form())?;
            let pattern: EventTypePattern = pattern.trim_ascii().to_owned().try_into()?;
            if days == 0 {
                let pattern = pattern.into();
                return Err(RetentionError::NoDays { pattern });
            }
            match entries.iter_mut().find(|(known, _)| *known == pattern) {
                Some((_, known)) => *known = days.min(*known),
                None => entries.push((pattern, days)),
            }
        }
        Ok(Self(entries))
    }
}

impl Retention {
    /// The stack's retention, and that of some event types. No type is kept longer than the stack keeps
    /// anything: the stack's retention may be lowered below an entry.
    pub fn new(stack: Duration, by_type: RetentionByEventType) -> Self {
        Self { stack, by_type }
    }

    /// The entries with more days than the stack keeps anything. The stack's retention applies to them.
    pub fn too_long(&self) -> impl Iterator<Item = (&EventTypePattern, u32)> {
        let entries = self
            .by_type
            .0
            .iter()
            .map(|(pattern, days)| (pattern, *days));
        entries.filter(|(_, days)| DAY * *days > self.stack)
    }

    /// The stack's retention, for all event types.
    pub fn of_stack(stack: Duration) -> Self {
        Self {
            stack,
            by_type: RetentionByEventType::default(),
        }
    }

    /// The longest of all: the stack's.
    pub fn longest(&self) -> Duration {
        self.stack
    }

    /// The retention of an event type: that of its most specific entry, or else the stack's.
    pub fn of(&self, event_type: &EventType) -> Duration {
        let matching = self.by_type.0.iter();
        let matching = matching.filter(|(pattern, _)| pattern.matches(event_type));
        let best = matching.max_by_key(|(pattern, _)| pattern.specificity());
        best.map_or(self.stack, |(_, days)| self.stack.min(DAY * *days))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retention(by_type: &str) -> Result<Retention, RetentionError> {
        Ok(Retention::new(DAY * 90, by_type.parse()?))
    }

    fn days(by_type: &str, event_type: &str) -> u64 {
        let kept = retention(by_type).unwrap().of(&event_type.parse().unwrap());
        kept.as_secs() / DAY.as_secs()
    }

    #[test]
    fn the_most_specific_entry_wins_in_any_order() {
        for list in [
            "order.*=30, order.item.*=3, order.a=1, *=60",
            "*=60,order.a=1,order.item.*=3,order.*=30",
        ] {
            assert_eq!(days(list, "order.created"), 30);
            assert_eq!(days(list, "order.item.added"), 3);
            // The exact type is not longer than the prefix.
            assert_eq!(days(list, "order.a"), 1);
            assert_eq!(days(list, "order"), 60);
        }
    }

    #[test]
    fn other_types_are_kept_as_long_as_the_stack_says() {
        assert_eq!(days("order.created=7", "order.created.v2"), 90);
        let all = Retention::of_stack(DAY * 14);
        assert_eq!(all.of(&"order.created".parse().unwrap()), DAY * 14);
    }

    #[test]
    fn a_type_may_contain_spaces_and_equal_signs() {
        assert_eq!(days("Order Created=7,a=b=1", "Order Created"), 7);
        assert_eq!(days("Order Created=7,a=b=1", "a=b"), 1);
    }

    #[test]
    fn no_type_is_kept_longer_than_the_stack_says_and_a_repeated_one_the_shorter_time() {
        // The stack's retention was lowered.
        let list = "order.*=400,order.a=90,*=30";
        assert_eq!(days(list, "order.created"), 90);
        assert_eq!(days(list, "order.a"), 90);
        assert_eq!(days(list, "other"), 30);
        let retention = retention(list).unwrap();
        let too_long = retention
            .too_long()
            .map(|(pattern, days)| (pattern.as_str(), days));
        assert_eq!(too_long.collect::<Vec<_>>(), [("order.*", 400)]);
        for list in ["a=3,b=5,a=9", "a=9,a=3,b=5"] {
            assert_eq!((days(list, "a"), days(list, "b")), (3, 5));
        }
    }

    #[test]
    fn a_list_that_is_wrong_is_refused_with_the_entry_and_the_bound() {
        for (list, problem) in [
            ("order.*=0", "`order.*`: must be at least 1 day"),
            ("order.*", "`order.*`: must be an event type"),
            ("order.*=", "`order.*=`: must be an event type"),
            ("order.*=1.5", "must be an event type"),
            ("order.*=-1", "must be an event type"),
            ("=5", "1 to 128 characters"),
            ("order*=5", "may stand alone or after the last"),
            ("a=1,", "``: must be an event type"),
            ("order.*.a=5", "may stand alone or after the last"),
            (&"a=1,".repeat(51), "at most 50 entries, has 52"),
        ] {
            let error = retention(list).unwrap_err().to_string();
            assert!(error.contains(problem), "{list}: {error}");
        }
    }
}
