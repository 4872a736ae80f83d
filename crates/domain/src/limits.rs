//! How much an endpoint takes: at most so many webhooks a second, and so many at once.
//!
//! What is too much waits in a line: each delivery gets a turn, a moment of its own, and comes
//! back at that moment. The line is shared by all who deliver; who waits in it uses up no
//! attempt.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::DeliveryId;
use crate::timestamp::Timestamp;

const SECOND: Duration = Duration::from_secs(1);

/// A whole number from 1 to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct UpTo<const MAX: u16>(u16);

/// A number that is out of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {max}, is {given}")]
pub struct OutOfBounds {
    /// What was given.
    given: u64,
    /// The most.
    max: u16,
}

impl<const MAX: u16> UpTo<MAX> {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }

    /// A second, divided by it.
    fn share_of_a_second(self) -> Duration {
        SECOND / u32::from(self.0)
    }
}

impl<const MAX: u16> TryFrom<u64> for UpTo<MAX> {
    type Error = OutOfBounds;

    fn try_from(given: u64) -> Result<Self, OutOfBounds> {
        u16::try_from(given)
            .ok()
            .filter(|number| (1..=MAX).contains(number))
            .map(Self)
            .ok_or(OutOfBounds { given, max: MAX })
    }
}

impl<const MAX: u16> From<UpTo<MAX>> for u64 {
    fn from(number: UpTo<MAX>) -> Self {
        number.0.into()
    }
}

/// The most webhooks that an endpoint takes in a second. Half of what the table can count:
/// every delivery takes a turn by a write to one item.
pub type RateLimit = UpTo<500>;

/// The most webhooks that an endpoint takes at once.
pub type MaxInFlight = UpTo<100>;

/// The limits of a subscription; without one, everything is sent as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// How many a second.
    pub rate: Option<RateLimit>,
    /// How many at once.
    pub in_flight: Option<MaxInFlight>,
}

/// What taking a turn asks of the line: not before `earliest`, and `interval` before the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnRequest {
    /// The earliest turn that there can be.
    pub earliest: Timestamp,
    /// How long after it the next turn is.
    pub interval: Duration,
}

impl RateLimit {
    /// The next turn at this rate. A line that nobody stands in begins up to a second ago, so
    /// that a second's worth goes at once: in any time there are as many as the rate allows for
    /// it, and one second's worth more.
    pub fn turn(self, now: Timestamp) -> TurnRequest {
        let interval = self.share_of_a_second();
        TurnRequest {
            earliest: now - SECOND + interval,
            interval,
        }
    }
}

impl MaxInFlight {
    /// How long one waits that has its turn and finds every slot taken.
    pub const NEXT_TRY: Duration = SECOND;

    /// The turn of one that has come while every slot was taken: nobody knows when one is
    /// free, and a second is the least that the queue can wait.
    pub fn turn(self, now: Timestamp) -> TurnRequest {
        TurnRequest {
            earliest: now + Self::NEXT_TRY,
            interval: self.share_of_a_second(),
        }
    }

    /// A slot for a delivery. Those that come together try different ones first.
    pub fn slot(self, delivery: &DeliveryId, now: Timestamp, until: Timestamp) -> SlotRequest {
        SlotRequest {
            slots: self.get(),
            first: delivery.message.spread(self.get()),
            now,
            until,
        }
    }
}

/// What taking a slot asks for: one of so many, which is free now, until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRequest {
    /// How many slots there are.
    pub slots: u16,
    /// Which to try first.
    pub first: u16,
    /// Now.
    pub now: Timestamp,
    /// Until when it is to be taken.
    pub until: Timestamp,
}

impl SlotRequest {
    /// The slot that this request gets, if it is this one.
    pub fn slot(&self, number: u16) -> Slot {
        let until = self.until;
        Slot { number, until }
    }

    /// A slot that is free now, by until when each is taken.
    pub fn free(&self, taken_until: impl Fn(u16) -> Option<Timestamp>) -> Option<Slot> {
        (0..self.slots)
            .map(|n| (self.first + n) % self.slots)
            .find(|&number| taken_until(number).is_none_or(|until| until <= self.now))
            .map(|number| self.slot(number))
    }
}

/// One of the slots of those that are sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Which, from 0.
    pub number: u16,
    /// Until when it is taken, should nobody leave it.
    pub until: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn limits_are_bounded() {
        for (given, valid) in [(0, false), (1, true), (500, true), (501, false)] {
            assert_eq!(RateLimit::try_from(given).is_ok(), valid, "{given}");
        }
        for (given, valid) in [(0, false), (100, true), (101, false), (u64::MAX, false)] {
            assert_eq!(MaxInFlight::try_from(given).is_ok(), valid, "{given}");
        }
        let error = RateLimit::try_from(501).unwrap_err();
        assert_eq!(error.to_string(), "must be 1 to 500, is 501");
    }

    #[test]
    fn a_slot_is_free_when_nobody_has_it_or_its_time_is_over() {
        let request = SlotRequest {
            slots: 3,
            first: 1,
            now: NOW,
            until: NOW + SECOND,
        };
        let later = NOW + Duration::from_millis(1);
        for (taken, free) in [
            ([None, None, None], Some(1)),
            ([None, Some(later), None], Some(2)),
            ([Some(NOW), Some(later), Some(later)], Some(0)),
            ([Some(later); 3], None),
        ] {
            let slot = request.free(|number| taken[usize::from(number)]);
            assert_eq!(slot.map(|slot| slot.number), free, "{taken:?}");
        }
    }

    proptest! {
        /// A line as the stores keep it, and arrivals at any time.
        #[test]
        fn in_any_time_no_more_turns_come_than_the_rate_allows_and_a_seconds_worth(
            rate in 1..=500_u64,
            gaps in proptest::collection::vec(0..2_000_u64, 1..200),
        ) {
            let rate = RateLimit::try_from(rate).unwrap();
            let (mut now, mut end, mut sent) = (NOW, None, Vec::new());
            for gap in gaps {
                now = now + Duration::from_millis(gap);
                let request = rate.turn(now);
                let turn = end.map_or(request.earliest, |end: Timestamp| end.max(request.earliest));
                end = Some(turn + request.interval);
                sent.push(turn.max(now));
            }
            prop_assert!(sent.is_sorted(), "the order in which they came");
            for (n, first) in sent.iter().enumerate() {
                for (m, last) in sent.iter().enumerate().skip(n) {
                    let millis = u64::try_from(last.since(*first).as_millis()).unwrap();
                    let count = (m - n + 1) as u64;
                    // Timestamps are whole milliseconds.
                    let slack = count.div_ceil(2) + 1;
                    let allowed = (millis + slack + 1_000) * u64::from(rate) / 1_000 + 1;
                    prop_assert!(count <= allowed, "{count} in {millis} ms at {rate:?}");
                }
            }
        }
    }
}
