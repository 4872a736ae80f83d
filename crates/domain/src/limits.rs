//! How much an endpoint takes: at most so many webhooks a second, and so many at once.
//!
//! Both are held by the [`EndpointLimiter`] in front of the endpoint, which all who deliver share. What is
//! too much gets a turn, a moment of its own, and comes back at that moment; it uses up no
//! attempt. A turn only says when to ask again: what may go is decided then, so that nothing
//! that comes late or twice goes beyond a limit.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ports::MAX_QUEUE_DELAY;
use crate::timestamp::Timestamp;
use crate::whole_number::WholeNumber;

const SECOND: Duration = Duration::from_secs(1);

/// For how long a delivery with a reservation is out of sight at least, if it has to wait for
/// longer. What is in the queue cannot be called back: so long may it take until a change of the
/// limits is in force for it.
const SHORTEST_RECHECK: Duration = Duration::from_secs(30);
/// Of a longer wait it is out of sight for this part: so a backlog, however long, is not
/// received all the time.
const RECHECK_FRACTION: u32 = 8;

/// A whole number from 1 to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WholeNumber<u64>", into = "u64")]
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

impl<const MAX: u16> UpTo<MAX> {
    /// From a number as it was stored. One beyond today's bound counts as the bound. `None`
    /// for 0, which nothing has.
    pub fn from_stored(number: u64) -> Option<Self> {
        Self::try_from(number.min(MAX.into())).ok()
    }
}

impl<const MAX: u16> TryFrom<WholeNumber<u64>> for UpTo<MAX> {
    type Error = OutOfBounds;

    fn try_from(WholeNumber(given): WholeNumber<u64>) -> Result<Self, OutOfBounds> {
        given.try_into()
    }
}

impl<const MAX: u16> From<UpTo<MAX>> for u64 {
    fn from(number: UpTo<MAX>) -> Self {
        number.0.into()
    }
}

/// The most webhooks that an endpoint takes in a second. One that has to wait writes about five
/// times to the one item of its limiter, and DynamoDB takes a thousand such writes a second.
pub type RateLimit = UpTo<200>;

/// The most webhooks that an endpoint takes at once. As many as fit into a kilobyte.
pub type MaxInFlight = UpTo<50>;

/// The shortest and longest time for which a slot is taken to be held, when turns are given: a
/// few that are quick, or hang, say little of those that follow.
const SHORTEST_LEASE: Duration = Duration::from_millis(50);
const LONGEST_LEASE: Duration = Duration::from_secs(2);

/// How many ask for a slot while one is held: who asks too early is refused, and until one asks
/// who is not, the slot stays unused.
const RESERVATIONS_PER_LEASE: u32 = 4;

/// How much of the rate can be saved up: a turn comes up to a second late, since the queue
/// counts in seconds, and what is not used then is used by the next.
const BURST_ALLOWANCE: Duration = Duration::from_secs(2);

/// For how long after the last turn those that have one may still be on their grant.
const ARRIVAL_GRACE: Duration = SECOND;

/// The limits of a subscription; without one, everything is sent as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// How many a second.
    pub rate: Option<RateLimit>,
    /// How many at once.
    pub in_flight: Option<MaxInFlight>,
}

impl Limits {
    /// From one webhook to the next by the rate.
    fn rate_interval(self) -> Option<Duration> {
        self.rate.map(|rate| SECOND / u32::from(rate.0))
    }

    /// From one turn to the next: somewhat more come back than can go. Who is refused goes to
    /// the end of the limiter, so that no more ask than turns are given; and were there only as
    /// many turns as can go, each that is refused would leave its moment unused, and the limiter
    /// would never end.
    fn reservation_interval(self, held: Option<Duration>) -> Duration {
        let rate = self.rate_interval().map(|interval| interval * 4 / 5);
        let in_flight = self.in_flight.map(|most| {
            let held = held.map_or(SECOND, |held| held.clamp(SHORTEST_LEASE, LONGEST_LEASE));
            held / (RESERVATIONS_PER_LEASE * u32::from(most.0))
        });
        rate.max(in_flight).unwrap_or_default()
    }
}

impl LimitsInForce {
    /// What a delivery asks of the limiter now. It is under grant until then at the latest. The
    /// number is random: it tells its slot from others', and which to try first.
    pub fn entry(
        self,
        random: u32,
        has_waited: bool,
        now: Timestamp,
        until: Timestamp,
    ) -> AdmissionRequest {
        let slots = self.limits.in_flight.map_or(1, |most| u32::from(most.0));
        AdmissionRequest {
            of: self,
            first_slot: u16::try_from(random % slots).expect("it is below a bound of 16 bits"),
            expires_at: Nanos::from(until) + Duration::from_nanos(u64::from(random % 1_000_000)),
            now: now.into(),
            has_waited,
        }
    }

    /// The turn that a delivery asks for which the limiter has refused as it was.
    pub fn reservation(self, limiter: &EndpointLimiter, now: Timestamp) -> ReservationRequest {
        // A second is the least that the queue can wait.
        let earliest = Nanos::from(now + SECOND);
        ReservationRequest {
            of: self,
            earliest,
            interval: self.limits.reservation_interval(limiter.held),
            joins: limiter.end_for(self).is_some_and(|end| end >= earliest),
        }
    }
}

/// The limits of a version of a subscription. A limiter has turns of one version: whoever pauses a
/// subscription, or changes its limits, makes nobody wait for those who waited before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsInForce {
    /// The limits.
    pub limits: Limits,
    /// The subscription's version.
    pub version: u64,
}

/// A moment of its own, before which a delivery that was refused does not ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// The moment.
    pub not_before: Timestamp,
    /// The version of the subscription that it was given by. It counts under the limits of no
    /// other.
    pub version: u64,
}

impl Reservation {
    /// Whether it still has to be waited for, under the limits in force.
    pub fn is_ahead(self, of: LimitsInForce, now: Timestamp) -> bool {
        self.version == of.version && self.not_before > now
    }

    /// For how long the queue keeps its delivery: until the reservation, or until somebody is
    /// to look whether the limits are still the same.
    pub fn queue_delay(self, now: Timestamp) -> Duration {
        let left = self.not_before.since(now);
        let unseen = (left / RECHECK_FRACTION).max(SHORTEST_RECHECK);
        left.min(unseen).min(MAX_QUEUE_DELAY)
    }
}

/// Nanoseconds since 1970: fine enough to tell apart what is in one millisecond.
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

/// What a delivery asks of a limiter: to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionRequest {
    /// The limits that are in force.
    pub of: LimitsInForce,
    /// Which slot to try first. Those that come together try different ones.
    pub first_slot: u16,
    /// Until when a slot is to be taken: a time that tells its owner from others.
    pub expires_at: Nanos,
    /// Now.
    pub now: Nanos,
    /// Whether it has waited for its turn. Who has not waits behind those who do.
    pub has_waited: bool,
}

/// A turn to take: not before `earliest`, and `interval` before the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReservationRequest {
    /// The limits that are in force. A limiter of others is none to stand in.
    pub of: LimitsInForce,
    /// The earliest turn that there can be.
    pub earliest: Nanos,
    /// How long after it the next turn is.
    pub interval: Duration,
    /// Whether there was a limiter to join when it was last looked at.
    pub joins: bool,
}

/// One of the slots of those that are sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Which, from 0.
    pub slot: u16,
    /// Until when it is taken, should nobody leave it; it tells its owner.
    pub expires_at: Nanos,
}

/// What came of asking to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimiterDecision {
    /// It may go, with this slot if they are counted.
    Admitted(Option<Lease>),
    /// It has to wait. The limiter is as it was.
    Refused(EndpointLimiter),
}

/// The limiter in front of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointLimiter {
    /// The version of the subscription whose turns it has.
    pub of: Option<u64>,
    /// When the turn after the last one that was given is.
    pub end: Option<Nanos>,
    /// When the next webhook may go by the rate.
    pub theoretical_arrival_time: Option<Nanos>,
    /// Until when each slot is taken.
    pub slots: BTreeMap<u16, Nanos>,
    /// For how long a slot was last held.
    pub held: Option<Duration>,
}

/// How a rate's next moment moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateStep {
    /// By an interval, from where it is: no earlier than `from`.
    Advance {
        /// Two seconds ago, so that as much as was not used can go at once.
        from: Nanos,
        /// The interval.
        by: Duration,
    },
    /// It was before `from`, what was not used is more than can be saved: it begins there.
    Restart {
        /// The same.
        from: Nanos,
        /// The same.
        by: Duration,
    },
}

/// The grant in that a limiter leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// How the rate's next moment moves on, if there is a rate.
    pub rate_step: Option<RateStep>,
    /// Which slot is taken, if they are counted.
    pub slot: Option<Lease>,
}

impl AdmissionRequest {
    /// The grant in to try when nothing is known of the limiter: who has waited finds it busy.
    pub fn optimistic_grant(&self) -> Grant {
        let rate_step = |from, by| {
            if self.has_waited {
                RateStep::Advance { from, by }
            } else {
                RateStep::Restart { from, by }
            }
        };
        Grant {
            rate_step: self.rate_step().map(|(from, by)| rate_step(from, by)),
            slot: self.of.limits.in_flight.map(|_| self.lease(self.first_slot)),
        }
    }

    /// A limiter that has ended by then has nobody on the grant.
    pub fn past(&self) -> Nanos {
        Nanos(self.now.0.saturating_sub(as_nanos(ARRIVAL_GRACE)))
    }

    /// From where the rate counts, and its interval.
    fn rate_step(&self) -> Option<(Nanos, Duration)> {
        let by = self.of.limits.rate_interval()?;
        let burst_start = Nanos(self.now.0.saturating_sub(as_nanos(BURST_ALLOWANCE)));
        Some((burst_start + by, by))
    }

    fn lease(&self, slot: u16) -> Lease {
        Lease {
            slot,
            expires_at: self.expires_at,
        }
    }
}

impl EndpointLimiter {
    /// Its end, if it has turns of this version. Who holds one of another comes back all the
    /// same, and nobody waits for that.
    fn end_for(&self, of: LimitsInForce) -> Option<Nanos> {
        self.end.filter(|_| self.of == Some(of.version))
    }

    /// The grant in for a request, if there is one.
    pub fn grant(&self, request: &AdmissionRequest) -> Option<Grant> {
        let now = request.now;
        let others_wait = self
            .end_for(request.of)
            .is_some_and(|end| end > request.past());
        if others_wait && !request.has_waited {
            return None;
        }
        let rate_step = match (request.rate_step(), self.theoretical_arrival_time) {
            (None, _) => None,
            (Some(_), Some(next)) if next > now => return None,
            (Some((from, by)), Some(next)) if next >= from => Some(RateStep::Advance { from, by }),
            (Some((from, by)), _) => Some(RateStep::Restart { from, by }),
        };
        let slot = match request.of.limits.in_flight {
            None => None,
            Some(most) => Some(request.lease(self.free_slot(most.0, request)?)),
        };
        Some(Grant { rate_step, slot })
    }

    fn free_slot(&self, slots: u16, request: &AdmissionRequest) -> Option<u16> {
        let mut numbers = (0..slots).map(|n| (request.first_slot + n) % slots);
        numbers.find(|number| {
            let until = self.slots.get(number);
            until.is_none_or(|until| *until <= request.now)
        })
    }

    /// The slot that this very request has: it was let in, and its answer was lost.
    pub fn lease_of(&self, request: &AdmissionRequest) -> Option<Lease> {
        let mut slots = self.slots.iter();
        let (number, _) = slots.find(|(_, expiry)| **expiry == request.expires_at)?;
        Some(request.lease(*number))
    }

    /// Whether a slot is still taken by whoever was given it.
    pub fn has(&self, lease: Lease) -> bool {
        self.slots.get(&lease.slot) == Some(&slot.expires_at)
    }

    /// Lets one in, by a grant that there is.
    pub fn enter(&mut self, grant: Grant) {
        match grant.rate_step {
            None => {}
            Some(RateStep::Advance { by, .. }) => self.theoretical_arrival_time = self.theoretical_arrival_time.map(|next| next + by),
            Some(RateStep::Restart { from, by }) => self.theoretical_arrival_time = Some(from + by),
        }
        if let Some(slot) = grant.slot {
            self.slots.insert(lease.slot, slot.expires_at);
        }
    }

    /// Gives a turn, behind those that were given.
    pub fn reserve(&mut self, request: &ReservationRequest) -> Nanos {
        let end = self.end_for(request.of);
        let turn = end.map_or(request.earliest, |end| end.max(request.earliest));
        self.of = Some(request.of.version);
        self.end = Some(turn + request.interval);
        turn
    }

    /// How long one that comes now would wait for its turn.
    pub fn wait(&self, of: LimitsInForce, now: Timestamp) -> Duration {
        self.end_for(of)
            .map_or(Duration::ZERO, |end| Timestamp::from(end).since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn limits(rate: Option<u64>, in_flight: Option<u64>) -> LimitsInForce {
        let limits = Limits {
            rate: rate.map(|rate| rate.try_into().unwrap()),
            in_flight: in_flight.map(|most| most.try_into().unwrap()),
        };
        LimitsInForce { limits, version: 1 }
    }

    fn asks(of: LimitsInForce, random: u32, has_waited: bool, now: Timestamp) -> AdmissionRequest {
        of.entry(random, has_waited, now, now + SECOND)
    }

    #[test]
    fn limits_are_bounded() {
        for (given, valid) in [(0, false), (1, true), (200, true), (201, false)] {
            assert_eq!(RateLimit::try_from(given).is_ok(), valid, "{given}");
        }
        for (given, valid) in [(0, false), (50, true), (51, false), (u64::MAX, false)] {
            assert_eq!(MaxInFlight::try_from(given).is_ok(), valid, "{given}");
        }
        let error = RateLimit::try_from(201).unwrap_err();
        assert_eq!(error.to_string(), "must be 1 to 200, is 201");
    }

    #[test]
    fn who_comes_later_waits_behind_those_of_the_same_version_until_they_are_back() {
        let one = limits(Some(1), None);
        let two = LimitsInForce { version: 2, ..one };
        let mut limiter = EndpointLimiter::default();
        let turn = limiter.reserve(&one.turn(&limiter.clone(), NOW));
        assert_eq!(turn, Nanos::from(NOW + SECOND));
        assert_eq!(limiter.grant(&asks(one, 1, false, NOW)), None, "others wait");
        assert!(limiter.grant(&asks(one, 1, true, NOW)).is_some());
        assert!(limiter.grant(&asks(two, 1, false, NOW)).is_some());
        let behind = limiter.reserve(&one.turn(&limiter.clone(), NOW));
        assert_eq!(behind, Nanos::from(NOW + SECOND + SECOND * 4 / 5));
        let end = SECOND + 2 * (SECOND * 4 / 5);
        assert_eq!(
            (limiter.wait(one, NOW), limiter.wait(two, NOW)),
            (end, Duration::ZERO)
        );
        assert_eq!(
            limiter.grant(&asks(one, 1, false, NOW + end)),
            None,
            "on the grant"
        );
        assert!(limiter.grant(&asks(one, 1, false, NOW + end + SECOND)).is_some());
    }

    #[test]
    fn turns_are_somewhat_closer_than_webhooks_can_go() {
        let held = |millis| Some(Duration::from_millis(millis));
        let interval = |rate, most, held| {
            let limits = limits(rate, most).limits;
            limits.reservation_interval(held).as_millis()
        };
        assert_eq!(interval(Some(10), None, None), 80);
        assert_eq!(interval(None, Some(5), None), 50);
        assert_eq!(interval(None, Some(4), held(400)), 25);
        assert_eq!(interval(Some(10), Some(4), held(400)), 80);
        assert_eq!(interval(None, Some(1), held(0)), 12);
        assert_eq!(interval(None, Some(1), held(30_000)), 500);
    }

    #[test]
    fn a_slot_is_free_when_nobody_has_it_or_its_time_is_over() {
        let request = asks(limits(None, Some(3)), 1, false, NOW);
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
            let limiter = EndpointLimiter {
                slots: taken.collect(),
                ..EndpointLimiter::default()
            };
            let grant = limiter.grant(&request);
            let slot = grant.map(|grant| grant.slot.unwrap().number);
            assert_eq!(slot, free, "{limiter:?}");
        }
    }

    /// Who comes to an endpoint, and when: first a burst, and then so many a minute.
    struct Crowd {
        of: LimitsInForce,
        burst: usize,
        a_minute: u32,
        /// How long a slot is held.
        held: Duration,
        /// Limits that are in force from a time on.
        changed: Option<(Timestamp, LimitsInForce)>,
    }

    /// What became of a crowd.
    struct Fate {
        /// How long each waited.
        waits: Vec<Duration>,
        /// How often the limiter was asked.
        asked: usize,
        /// How often a delivery came out of the queue.
        received: usize,
    }

    impl Crowd {
        /// An hour of it, with a queue that counts in seconds and is late now and then.
        fn comes_for_an_hour(&self) -> Fate {
            let hour = Duration::from_hours(1);
            let mut random = 1_u64;
            let mut up_to = |millis: u64| {
                // Knuth's MMIX: the same numbers in every run.
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                Duration::from_millis((random >> 33) % millis.max(1))
            };
            let mean = 60_000 / u64::from(self.a_minute.max(1));
            let mut coming: Vec<_> = (0..self.burst).map(|_| (NOW, NOW, None)).collect();
            let mut at = NOW;
            while self.a_minute > 0 && at.since(NOW) < hour {
                at = at + up_to(2 * mean);
                coming.push((at, at, None));
            }
            let mut heap: std::collections::BinaryHeap<_> =
                coming.into_iter().map(std::cmp::Reverse).collect();
            let (mut limiter, mut left) = (EndpointLimiter::default(), Vec::<(Timestamp, Lease)>::new());
            let mut fate = Fate {
                waits: Vec::new(),
                asked: 0,
                received: 0,
            };
            while let Some(std::cmp::Reverse((now, came, reserved))) = heap.pop() {
                left.retain(|(end, slot)| {
                    if *end <= now {
                        limiter.slots.remove(&lease.slot);
                        limiter.held = Some(self.held);
                    }
                    *end > now
                });
                fate.received += 1;
                let of = match self.changed {
                    Some((at, changed)) if now >= at => changed,
                    _ => self.of,
                };
                let reserved: Option<(Timestamp, u64)> = reserved;
                let reserved = reserved.map(|(not_before, version)| Reservation {
                    not_before,
                    version,
                });
                let mut reservation = reserved.filter(|reserved| reserved.is_ahead(of, now));
                if reservation.is_none() {
                    fate.asked += 1;
                    let number = u32::try_from(fate.asked).unwrap();
                    let until = now + Duration::from_secs(30);
                    if let Some(grant) = limiter.grant(&of.entry(number, reserved.is_some(), now, until)) {
                        limiter.enter(grant);
                        left.extend(grant.slot.map(|slot| (now + self.held, slot)));
                        fate.waits.push(now.since(came));
                        continue;
                    }
                    let not_before = limiter.reserve(&of.reservation(&limiter.clone(), now)).into();
                    let version = of.version;
                    reservation = Some(Reservation {
                        not_before,
                        version,
                    });
                }
                let reservation = reservation.unwrap();
                let wait = reservation.queue_delay(now).as_millis();
                let seconds = u64::try_from(wait.div_ceil(1_000)).unwrap();
                let back = now + Duration::from_secs(seconds) + up_to(200);
                let reserved = Some((reservation.not_before, reservation.version));
                heap.push(std::cmp::Reverse((back, came, reserved)));
            }
            fate
        }
    }

    /// A limiter that is served more slowly than it could be never ends, however few come.
    #[test]
    fn a_line_ends_when_fewer_come_than_can_go() {
        let second = Duration::from_secs(1);
        for (rate, most, a_minute, held) in [
            (Some(1), None, 48, second),
            (Some(5), None, 240, second),
            (None, Some(1), 42, second),
            (None, Some(1), 900, Duration::from_millis(30)),
            (None, Some(5), 210, second),
            (Some(2), Some(1), 42, second),
        ] {
            let crowd = Crowd {
                of: limits(rate, most),
                burst: 100,
                a_minute,
                held,
                changed: None,
            };
            let fate = crowd.comes_for_an_hour();
            let last = &fate.waits[fate.waits.len() - 20..];
            let longest = last.iter().max().unwrap();
            assert!(
                *longest < Duration::from_mins(1),
                "{rate:?} {most:?}: {longest:?}"
            );
            let (asked, went) = (fate.asked, fate.waits.len());
            assert!(
                asked < 8 * went,
                "{asked} asked, {went} went: {rate:?} {most:?}"
            );
            let received = fate.received;
            assert!(
                received < 10 * went,
                "{received} received, {went} went: {rate:?} {most:?}"
            );
        }
    }

    #[test]
    fn what_waits_is_bounded_by_the_limits_now_in_force() {
        let in_force_at = Duration::from_secs(14);
        let changed = |rate, most| LimitsInForce {
            version: 2,
            ..limits(rate, most)
        };
        let last = |before, after| {
            let crowd = Crowd {
                of: before,
                burst: 240,
                a_minute: 0,
                held: Duration::from_secs(1),
                changed: Some((NOW + in_force_at, after)),
            };
            let fate = crowd.comes_for_an_hour();
            assert_eq!(fate.waits.len(), 240);
            *fate.waits.iter().max().unwrap()
        };
        let soon = in_force_at + SHORTEST_RECHECK + Duration::from_secs(10);
        let (slow, quick) = (limits(Some(1), None), changed(Some(100), None));
        assert!(last(slow, quick) < soon);
        assert!(last(slow, changed(None, None)) < soon);
        assert!(last(limits(None, Some(1)), changed(None, Some(50))) < soon);
        let (quick, slow) = (limits(Some(10), None), changed(Some(2), None));
        // 140 go at 10 a second, and the others at 2.
        assert!(last(quick, slow) > Duration::from_secs(45));
    }

    #[test]
    fn the_longer_the_wait_the_seldomer_it_is_looked_at() {
        let mut received = Vec::new();
        for minutes in [1, 4, 15, 120, 24 * 60] {
            let (mut now, mut count) = (NOW, 0);
            let reservation = Reservation {
                not_before: NOW + Duration::from_mins(minutes),
                version: 1,
            };
            while reservation.not_before > now {
                now = now + reservation.queue_delay(now);
                count += 1;
            }
            assert_eq!(now, reservation.not_before);
            received.push(count);
        }
        assert_eq!(received, [2, 8, 18, 34, 122]);
    }

    proptest! {
        /// Whatever the turns say, and however late those come that have one.
        #[test]
        fn in_any_time_no_more_go_than_the_rate_allows_and_what_was_saved(
            rate in 1..=200_u64,
            arrivals in proptest::collection::vec((0..100_u64, any::<bool>()), 1..200),
        ) {
            let limits = limits(Some(rate), None);
            let (mut now, mut limiter, mut went) = (NOW, EndpointLimiter::default(), Vec::new());
            for (gap, has_waited) in arrivals {
                now = now + Duration::from_millis(gap);
                if let Some(grant) = limiter.grant(&asks(limits, 1, has_waited, now)) {
                    limiter.enter(grant);
                    went.push(now);
                }
            }
            for (n, first) in went.iter().enumerate() {
                for (m, last) in went.iter().enumerate().skip(n) {
                    let millis = u64::try_from(last.since(*first).as_millis()).unwrap();
                    let count = (m - n + 1) as u64;
                    let allowed = (millis + 2_000) * rate / 1_000 + 1;
                    prop_assert!(count <= allowed, "{count} in {millis} ms at {rate}");
                }
            }
        }

        #[test]
        fn no_more_are_under_way_than_there_are_slots(
            most in 1..=5_u64,
            deliveries in proptest::collection::vec((any::<u32>(), 0..600_u64, any::<bool>()), 1..100),
        ) {
            let limits = limits(None, Some(most));
            let (mut now, mut limiter, mut ends) = (NOW, EndpointLimiter::default(), Vec::new());
            for (random, gap, has_waited) in deliveries {
                now = now + Duration::from_millis(gap);
                if let Some(grant) = limiter.grant(&asks(limits, random, has_waited, now)) {
                    limiter.enter(grant);
                    prop_assert!(limiter.has(grant.slot.unwrap()));
                    ends.push(now + SECOND);
                }
                let under_way = ends.iter().filter(|end| **end > now).count();
                prop_assert!(under_way as u64 <= most);
            }
        }
    }
}
