//! How much an endpoint takes: at most so many webhooks a second, and so many at once.
//!
//! Both are held by the [`Line`] in front of the endpoint, which all who deliver share. What is
//! too much gets a turn, a moment of its own, and comes back at that moment; it uses up no
//! attempt. A turn only says when to ask again: what may go is decided then, so that nothing
//! that comes late or twice goes beyond a limit.

use std::collections::BTreeMap;
use std::fmt;
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
/// every delivery writes to the one item of its line.
pub type RateLimit = UpTo<500>;

/// The most webhooks that an endpoint takes at once. As many as fit into a kilobyte.
pub type MaxInFlight = UpTo<50>;

/// The limits of a subscription; without one, everything is sent as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// How many a second.
    pub rate: Option<RateLimit>,
    /// How many at once.
    pub in_flight: Option<MaxInFlight>,
}

/// As a line notes whose turns it has: `10/2`, `10/` or `/2`.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(rate) = self.rate {
            write!(f, "{}", rate.0)?;
        }
        f.write_str("/")?;
        match self.in_flight {
            Some(most) => write!(f, "{}", most.0),
            None => Ok(()),
        }
    }
}

impl Limits {
    /// From one webhook to the next by the rate.
    fn rate_interval(self) -> Option<Duration> {
        self.rate.map(|rate| SECOND / u32::from(rate.0))
    }

    /// From one turn to the next: no more come back than can go, as far as is known of how long
    /// an attempt takes.
    fn turn_interval(self, took: Option<Duration>) -> Duration {
        let in_flight = self.in_flight.map(|most| {
            let took = took.unwrap_or(SECOND);
            (took / u32::from(most.0)).max(Duration::from_millis(1))
        });
        self.rate_interval().max(in_flight).unwrap_or_default()
    }

    /// What a delivery asks of the line now. It is under way until then at the latest.
    pub fn entry(
        self,
        delivery: &DeliveryId,
        has_waited: bool,
        now: Timestamp,
        until: Timestamp,
    ) -> EntryRequest {
        EntryRequest {
            limits: self,
            first_slot: self.in_flight.map_or(0, |most| {
                let spread = delivery.message.spread(most.0.into());
                u16::try_from(spread).expect("it is below a bound of 16 bits")
            }),
            mark: Nanos::from(until)
                + Duration::from_nanos(delivery.message.spread(1_000_000).into()),
            now: now.into(),
            has_waited,
        }
    }

    /// The turn that a delivery asks for which the line has refused as it was.
    pub fn turn(self, line: &Line, now: Timestamp) -> TurnRequest {
        // A second is the least that the queue can wait.
        let earliest = Nanos::from(now + SECOND);
        TurnRequest {
            limits: self,
            earliest,
            interval: self.turn_interval(line.took),
            joins: line.end_for(self).is_some_and(|end| end >= earliest),
        }
    }
}

/// Nanoseconds since 1970: a thousand turns fit into a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(pub i64);

impl From<Timestamp> for Nanos {
    fn from(at: Timestamp) -> Self {
        Self(at.as_millis().saturating_mul(1_000_000))
    }
}

/// Rounded up: nothing is too early by it.
impl From<Nanos> for Timestamp {
    fn from(at: Nanos) -> Self {
        Self::from_millis(at.0.saturating_add(999_999).div_euclid(1_000_000))
    }
}

/// A duration in nanoseconds.
pub fn as_nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl std::ops::Add<Duration> for Nanos {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(as_nanos(duration)))
    }
}

/// What a delivery asks of a line: to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryRequest {
    /// The limits of its subscription.
    pub limits: Limits,
    /// Which slot to try first. Those that come together try different ones.
    pub first_slot: u16,
    /// Until when a slot is to be taken: a time that tells its owner from others.
    pub mark: Nanos,
    /// Now.
    pub now: Nanos,
    /// Whether it has waited for its turn. Who has not waits behind those who do.
    pub has_waited: bool,
}

/// A turn to take: not before `earliest`, and `interval` before the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnRequest {
    /// The limits of the subscription. A line for others is none to stand in.
    pub limits: Limits,
    /// The earliest turn that there can be.
    pub earliest: Nanos,
    /// How long after it the next turn is.
    pub interval: Duration,
    /// Whether there was a line to join when it was last looked at.
    pub joins: bool,
}

/// One of the slots of those that are sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Which, from 0.
    pub number: u16,
    /// Until when it is taken, should nobody leave it; it tells its owner.
    pub mark: Nanos,
}

/// What came of asking to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// It may go, with this slot if they are counted.
    In(Option<Slot>),
    /// It has to wait. The line is as it was.
    Refused(Line),
}

/// The line in front of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// The limits whose turns it has, as text.
    pub of: Option<String>,
    /// When the turn after the last one that was given is.
    pub end: Option<Nanos>,
    /// When the next webhook may go by the rate.
    pub next_at: Option<Nanos>,
    /// Until when each slot is taken.
    pub slots: BTreeMap<u16, Nanos>,
    /// How long the last attempt took.
    pub took: Option<Duration>,
}

/// How a rate's next moment moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// By an interval, from where it is: no earlier than `from`.
    On {
        /// A second ago, so that a second's worth can go at once.
        from: Nanos,
        /// The interval.
        by: Duration,
    },
    /// It was before `from`, nothing has gone for a second: it begins there, and is moved on.
    Anew {
        /// The same.
        from: Nanos,
        /// The same.
        by: Duration,
    },
}

/// The way in that a line leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// How the rate's next moment moves on, if there is a rate.
    pub pace: Option<Pace>,
    /// Which slot is taken, if they are counted.
    pub slot: Option<Slot>,
}

impl EntryRequest {
    /// The way in to try when nothing is known of the line: who has waited finds it busy.
    pub fn first_way(&self) -> Way {
        let pace = |from, by| {
            if self.has_waited {
                Pace::On { from, by }
            } else {
                Pace::Anew { from, by }
            }
        };
        Way {
            pace: self.pace().map(|(from, by)| pace(from, by)),
            slot: self.limits.in_flight.map(|_| self.slot(self.first_slot)),
        }
    }

    /// From where the rate counts, and its interval.
    fn pace(&self) -> Option<(Nanos, Duration)> {
        let by = self.limits.rate_interval()?;
        let a_second_ago = Nanos(self.now.0.saturating_sub(as_nanos(SECOND)));
        Some((a_second_ago + by, by))
    }

    fn slot(&self, number: u16) -> Slot {
        Slot {
            number,
            mark: self.mark,
        }
    }
}

impl Line {
    /// Its end, if it has turns of these limits. Turns of others are at another pace: who holds
    /// one comes back all the same, and nobody waits for that.
    fn end_for(&self, limits: Limits) -> Option<Nanos> {
        self.end
            .filter(|_| self.of.as_ref() == Some(&limits.to_string()))
    }

    /// The way in for a request, if there is one.
    pub fn way(&self, request: &EntryRequest) -> Option<Way> {
        let now = request.now;
        let others_wait = self.end_for(request.limits).is_some_and(|end| end > now);
        if others_wait && !request.has_waited {
            return None;
        }
        let pace = match (request.pace(), self.next_at) {
            (None, _) => None,
            (Some(_), Some(next)) if next > now => return None,
            (Some((from, by)), Some(next)) if next >= from => Some(Pace::On { from, by }),
            (Some((from, by)), _) => Some(Pace::Anew { from, by }),
        };
        let slot = match request.limits.in_flight {
            None => None,
            Some(most) => Some(request.slot(self.free_slot(most.0, request)?)),
        };
        Some(Way { pace, slot })
    }

    fn free_slot(&self, slots: u16, request: &EntryRequest) -> Option<u16> {
        let mut numbers = (0..slots).map(|n| (request.first_slot + n) % slots);
        numbers.find(|number| {
            let until = self.slots.get(number);
            until.is_none_or(|until| *until <= request.now)
        })
    }

    /// The slot that this very request has: it was let in, and its answer was lost.
    pub fn slot_of(&self, request: &EntryRequest) -> Option<Slot> {
        let mut slots = self.slots.iter();
        let (number, _) = slots.find(|(_, mark)| **mark == request.mark)?;
        Some(request.slot(*number))
    }

    /// Whether a slot is taken by whoever has it.
    pub fn has(&self, slot: Slot) -> bool {
        self.slots.get(&slot.number) == Some(&slot.mark)
    }

    /// Lets one in, by a way that there is.
    pub fn enter(&mut self, way: Way) {
        match way.pace {
            None => {}
            Some(Pace::On { by, .. }) => self.next_at = self.next_at.map(|next| next + by),
            Some(Pace::Anew { from, by }) => self.next_at = Some(from + by),
        }
        if let Some(slot) = way.slot {
            self.slots.insert(slot.number, slot.mark);
        }
    }

    /// Gives a turn, behind those that were given.
    pub fn take_turn(&mut self, request: &TurnRequest) -> Nanos {
        let end = self.end_for(request.limits);
        let turn = end.map_or(request.earliest, |end| end.max(request.earliest));
        self.of = Some(request.limits.to_string());
        self.end = Some(turn + request.interval);
        turn
    }

    /// How long one that comes now would wait for its turn.
    pub fn wait(&self, limits: Limits, now: Timestamp) -> Duration {
        self.end_for(limits)
            .map_or(Duration::ZERO, |end| Timestamp::from(end).since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn limits(rate: Option<u64>, in_flight: Option<u64>) -> Limits {
        Limits {
            rate: rate.map(|rate| rate.try_into().unwrap()),
            in_flight: in_flight.map(|most| most.try_into().unwrap()),
        }
    }

    fn delivery(number: u128) -> DeliveryId {
        format!("dlv_{number:032x}_{:032x}", 1).parse().unwrap()
    }

    fn request(limits: Limits, number: u128, has_waited: bool, now: Timestamp) -> EntryRequest {
        limits.entry(&delivery(number), has_waited, now, now + SECOND)
    }

    #[test]
    fn limits_are_bounded() {
        for (given, valid) in [(0, false), (1, true), (500, true), (501, false)] {
            assert_eq!(RateLimit::try_from(given).is_ok(), valid, "{given}");
        }
        for (given, valid) in [(0, false), (50, true), (51, false), (u64::MAX, false)] {
            assert_eq!(MaxInFlight::try_from(given).is_ok(), valid, "{given}");
        }
        let error = RateLimit::try_from(501).unwrap_err();
        assert_eq!(error.to_string(), "must be 1 to 500, is 501");
    }

    #[test]
    fn a_line_is_for_its_limits_and_no_others() {
        let texts = [(Some(10), Some(2)), (Some(10), None), (None, Some(2))];
        let texts = texts.map(|(rate, most)| limits(rate, most).to_string());
        assert_eq!(texts, ["10/2", "10/", "/2"]);
        let (one, two) = (limits(Some(1), None), limits(Some(2), None));
        let mut line = Line::default();
        let turn = line.take_turn(&one.turn(&line.clone(), NOW));
        assert_eq!(turn, Nanos::from(NOW + SECOND));
        assert_eq!(line.way(&request(one, 1, false, NOW)), None, "others wait");
        assert!(line.way(&request(one, 1, true, NOW)).is_some());
        assert!(line.way(&request(two, 1, false, NOW)).is_some());
        let behind = line.take_turn(&one.turn(&line.clone(), NOW));
        assert_eq!(behind, Nanos::from(NOW + 2 * SECOND));
        assert_eq!(line.wait(one, NOW), 3 * SECOND);
        assert_eq!(line.wait(two, NOW), Duration::ZERO);
    }

    #[test]
    fn turns_come_as_quickly_as_attempts_end() {
        let quick = Some(Duration::from_millis(100));
        let interval = |rate, most, took| limits(rate, most).turn_interval(took).as_millis();
        assert_eq!(interval(None, Some(4), None), 250);
        assert_eq!(interval(None, Some(4), quick), 25);
        assert_eq!(interval(Some(10), Some(4), quick), 100);
        assert_eq!(interval(Some(10), Some(2), Some(SECOND)), 500);
        assert_eq!(interval(None, Some(50), Some(Duration::ZERO)), 1);
    }

    #[test]
    fn a_slot_is_free_when_nobody_has_it_or_its_time_is_over() {
        let limits = limits(None, Some(3));
        let request = request(limits, 1, false, NOW);
        assert_eq!(request.first_slot, 1);
        let now = request.now;
        let later = Nanos(now.0 + 1);
        for (taken, free) in [
            ([None, None, None], Some(1)),
            ([None, Some(later), None], Some(2)),
            ([Some(now), Some(later), Some(later)], Some(0)),
            ([Some(later); 3], None),
        ] {
            let taken = (0..).zip(taken).filter_map(|(n, until)| Some((n, until?)));
            let line = Line {
                slots: taken.collect(),
                ..Line::default()
            };
            let way = line.way(&request);
            let slot = way.map(|way| way.slot.unwrap().number);
            assert_eq!(slot, free, "{line:?}");
        }
    }

    proptest! {
        /// Whatever the turns say, and however late those come that have one.
        #[test]
        fn in_any_time_no_more_go_than_the_rate_allows_and_a_seconds_worth(
            rate in 1..=500_u64,
            arrivals in proptest::collection::vec((0..2_000_u64, any::<bool>()), 1..200),
        ) {
            let limits = limits(Some(rate), None);
            let (mut now, mut line, mut went) = (NOW, Line::default(), Vec::new());
            for (gap, has_waited) in arrivals {
                now = now + Duration::from_millis(gap / 20);
                if let Some(way) = line.way(&request(limits, 1, has_waited, now)) {
                    line.enter(way);
                    went.push(now);
                }
            }
            for (n, first) in went.iter().enumerate() {
                for (m, last) in went.iter().enumerate().skip(n) {
                    let millis = u64::try_from(last.since(*first).as_millis()).unwrap();
                    let count = (m - n + 1) as u64;
                    let allowed = (millis + 1_000) * rate / 1_000 + 1;
                    prop_assert!(count <= allowed, "{count} in {millis} ms at {rate}");
                }
            }
        }

        #[test]
        fn no_more_are_under_way_than_there_are_slots(
            most in 1..=5_u64,
            deliveries in proptest::collection::vec((any::<u128>(), 0..600_u64, any::<bool>()), 1..100),
        ) {
            let limits = limits(None, Some(most));
            let (mut now, mut line, mut ends) = (NOW, Line::default(), Vec::new());
            for (number, gap, has_waited) in deliveries {
                now = now + Duration::from_millis(gap);
                if let Some(way) = line.way(&request(limits, number, has_waited, now)) {
                    line.enter(way);
                    prop_assert!(line.has(way.slot.unwrap()));
                    ends.push(now + SECOND);
                }
                let under_way = ends.iter().filter(|end| **end > now).count();
                prop_assert!(under_way as u64 <= most);
            }
        }
    }
}
