//! The limits of an endpoint: the number of webhooks a second, and the number of concurrent
//! webhooks.
//!
//! An [`EndpointLimiter`] enforces both. All execution environments share it through the table.
//! The rate follows GCRA, the generic cell rate algorithm: the limiter keeps the theoretical
//! arrival time of the next webhook. The concurrency follows from [`Lease`]s, which expire.
//!
//! A delivery that is refused gets a [`Reservation`] and goes back to the queue until then. It
//! uses up no attempt. A reservation only says when to ask again: the limiter decides then, so a
//! delivery that comes late or twice cannot exceed a limit.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::queue::MAX_QUEUE_DELAY;
use crate::timestamp::Timestamp;
use crate::whole_number::WholeNumber;

const SECOND: Duration = Duration::from_secs(1);

/// The shortest time after which a waiting delivery is checked again, unless its reservation is
/// sooner. A message cannot be called back from the queue, so a change of the limits may take
/// this long to reach a delivery that waits.
const SHORTEST_RECHECK: Duration = Duration::from_secs(30);
/// A delivery with a longer wait is checked again after this fraction of it, so that a long
/// backlog is not received all the time.
const RECHECK_FRACTION: u32 = 8;

/// A whole number from 1 to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WholeNumber<u64>", into = "u64")]
pub struct UpTo<const MAX: u16>(u16);

/// A number that is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {max}, is {given}")]
pub struct OutOfBounds {
    /// The number.
    given: u64,
    /// The largest allowed number.
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
    /// A stored number. A number beyond the current limit counts as the limit. `None` for 0, which
    /// is never stored.
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

/// The number of webhooks a second that an endpoint accepts. The largest value is 200: a delivery
/// that waits writes about five times to the limiter's item, and DynamoDB accepts 1,000 writes a
/// second to one item.
pub type RateLimit = UpTo<200>;

/// The number of concurrent webhooks that an endpoint accepts. The largest value is 50: the leases
/// of so many fit into an item of one kilobyte, which is one write unit.
pub type MaxInFlight = UpTo<50>;

/// Limits for the measured lease duration, from which the interval of reservations is computed. A
/// few attempts that are quick, or that hang, do not show the duration of the next ones.
const SHORTEST_LEASE: Duration = Duration::from_millis(50);
const LONGEST_LEASE: Duration = Duration::from_secs(2);

/// The number of deliveries that ask for a lease while one is held. If too few asked, a released
/// slot would stay unused until the next one asks.
const RESERVATIONS_PER_LEASE: u32 = 4;

/// The largest amount of unused rate that a subscription can save. A delivery returns up to a
/// second late, because the queue counts in seconds, and the next ones use the capacity that this
/// wastes.
const BURST_ALLOWANCE: Duration = Duration::from_secs(2);

/// The time after the last reservation within which its delivery may still arrive.
const ARRIVAL_GRACE: Duration = SECOND;

/// The limits of a subscription. A limit that is absent does not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The number of webhooks a second.
    pub rate: Option<RateLimit>,
    /// The number of concurrent webhooks.
    pub in_flight: Option<MaxInFlight>,
}

impl Limits {
    /// The interval between two webhooks at this rate.
    fn rate_interval(self) -> Option<Duration> {
        self.rate.map(|rate| SECOND / u32::from(rate.0))
    }

    /// The interval between two reservations.
    ///
    /// We hand out more reservations than the limit allows. Otherwise refused deliveries would
    /// waste capacity and the backlog would never drain. A refused delivery takes the next free
    /// reservation, so no more deliveries ask than there are reservations.
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
    /// A request to be admitted now, by a delivery that ends at `until` at the latest.
    ///
    /// The random number chooses the slot that is tried first, and makes the lease distinct.
    pub fn admission(
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

    /// The request for a reservation, after this limiter has refused the delivery.
    pub fn reservation(self, limiter: &EndpointLimiter, now: Timestamp) -> ReservationRequest {
        // The shortest delay of the queue.
        let earliest = Nanos::from(now + SECOND);
        ReservationRequest {
            of: self,
            earliest,
            interval: self.limits.reservation_interval(limiter.last_held),
            joins: limiter.backlog_end(self).is_some_and(|end| end >= earliest),
        }
    }
}

/// The limits of one version of a subscription.
///
/// Reservations belong to a version. When a subscription is paused or its limits change, new
/// deliveries do not wait behind the reservations of the version before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsInForce {
    /// The limits.
    pub limits: Limits,
    /// The subscription's version.
    pub version: u64,
}

/// The time before which a refused delivery does not ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// The time.
    pub not_before: Timestamp,
    /// The version of the subscription that it belongs to. It has no effect under another.
    pub version: u64,
}

impl Reservation {
    /// Returns true if the delivery must still wait under the limits in force.
    pub fn is_ahead(self, of: LimitsInForce, now: Timestamp) -> bool {
        self.version == of.version && self.not_before > now
    }

    /// The delay of the delivery in the queue: until the reservation, or until the next check for
    /// changed limits.
    pub fn queue_delay(self, now: Timestamp) -> Duration {
        let left = self.not_before.since(now);
        let recheck = (left / RECHECK_FRACTION).max(SHORTEST_RECHECK);
        left.min(recheck).min(MAX_QUEUE_DELAY)
    }
}

/// Nanoseconds since 1970. Milliseconds would be too coarse to make leases distinct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(pub i64);

impl From<Timestamp> for Nanos {
    fn from(at: Timestamp) -> Self {
        Self(at.as_millis().saturating_mul(1_000_000))
    }
}

/// Rounded up, so that nothing happens too early.
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

/// A delivery's request to be admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionRequest {
    /// The limits that are in force.
    pub of: LimitsInForce,
    /// The slot that is tried first. Concurrent requests start at different ones.
    pub first_slot: u16,
    /// The time at which its lease would expire.
    pub expires_at: Nanos,
    /// The present time.
    pub now: Nanos,
    /// True if the delivery had a reservation. A delivery without one waits behind those that have
    /// one.
    pub has_waited: bool,
}

/// A request for a reservation: not before `earliest`, and `interval` before the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReservationRequest {
    /// The limits that are in force. A backlog of another version does not count.
    pub of: LimitsInForce,
    /// The earliest time for a reservation.
    pub earliest: Nanos,
    /// The interval until the next reservation.
    pub interval: Duration,
    /// True if there was a backlog when the limiter was last read.
    pub joins: bool,
}

/// The right to one of the concurrent requests, until it is released or expires.
///
/// The expiry has random nanoseconds, and so also serves as the token that tells one holder of
/// the slot from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Its slot, from 0.
    pub slot: u16,
    /// The time at which it expires, if it is not released before.
    pub expires_at: Nanos,
}

/// The limiter's answer to an [`AdmissionRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimiterDecision {
    /// The attempt may be made, with this lease if concurrency is limited.
    Admitted(Option<Lease>),
    /// The delivery must wait. The limiter was not changed; this is its state.
    Refused(EndpointLimiter),
}

/// The state of the limiter of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointLimiter {
    /// The version of the subscription that the reservations belong to.
    pub version: Option<u64>,
    /// The time of the next free reservation.
    pub next_reservation_at: Option<Nanos>,
    /// The time at which the next webhook may be sent at the limited rate (GCRA).
    pub theoretical_arrival_time: Option<Nanos>,
    /// The time at which the lease of each slot expires.
    pub leases: BTreeMap<u16, Nanos>,
    /// The duration of the last lease.
    pub last_held: Option<Duration>,
}

/// The change of the theoretical arrival time when a webhook is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateStep {
    /// It moves on by an interval. It is no earlier than `from`.
    Advance {
        /// The start of the burst allowance: unused rate since then can be used at once.
        from: Nanos,
        /// The interval.
        by: Duration,
    },
    /// It was before `from`: more is unused than can be saved up, so it restarts there.
    Restart {
        /// The start of the burst allowance.
        from: Nanos,
        /// The interval.
        by: Duration,
    },
}

/// An admission that the limiter can give: the change of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The change of the theoretical arrival time, if the rate is limited.
    pub rate_step: Option<RateStep>,
    /// The lease, if concurrency is limited.
    pub lease: Option<Lease>,
}

impl AdmissionRequest {
    /// The grant to try first, before the limiter is read. A delivery with a reservation expects a
    /// busy limiter, any other an idle one.
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
            lease: self
                .of
                .limits
                .in_flight
                .map(|_| self.lease(self.first_slot)),
        }
    }

    /// If the next free reservation is not later than this time, no delivery with a reservation is
    /// still expected.
    pub fn backlog_drained_at(&self) -> Nanos {
        Nanos(self.now.0.saturating_sub(as_nanos(ARRIVAL_GRACE)))
    }

    /// The start of the burst allowance, and the interval of the rate.
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
    /// The next free reservation, if there is a backlog of this version. Deliveries with
    /// reservations of another version still return, but no delivery waits for them.
    fn backlog_end(&self, of: LimitsInForce) -> Option<Nanos> {
        self.next_reservation_at
            .filter(|_| self.version == Some(of.version))
    }

    /// Decides about a request. `None` if it is refused.
    pub fn grant(&self, request: &AdmissionRequest) -> Option<Grant> {
        let now = request.now;
        let others_wait = self
            .backlog_end(request.of)
            .is_some_and(|end| end > request.backlog_drained_at());
        if others_wait && !request.has_waited {
            return None;
        }
        let rate_step = match (request.rate_step(), self.theoretical_arrival_time) {
            (None, _) => None,
            (Some(_), Some(next)) if next > now => return None,
            (Some((from, by)), Some(next)) if next >= from => Some(RateStep::Advance { from, by }),
            (Some((from, by)), _) => Some(RateStep::Restart { from, by }),
        };
        let lease = match request.of.limits.in_flight {
            None => None,
            Some(most) => Some(request.lease(self.free_slot(most.0, request)?)),
        };
        Some(Grant { rate_step, lease })
    }

    fn free_slot(&self, slots: u16, request: &AdmissionRequest) -> Option<u16> {
        let mut slots = (0..slots).map(|n| (request.first_slot + n) % slots);
        slots.find(|slot| {
            let expires_at = self.leases.get(slot);
            expires_at.is_none_or(|expires_at| *expires_at <= request.now)
        })
    }

    /// The lease that this request already has, because it was admitted and its response was lost.
    pub fn lease_of(&self, request: &AdmissionRequest) -> Option<Lease> {
        let mut leases = self.leases.iter();
        let (slot, _) = leases.find(|(_, expires_at)| **expires_at == request.expires_at)?;
        Some(request.lease(*slot))
    }

    /// Returns true if this lease is still held.
    pub fn holds(&self, lease: Lease) -> bool {
        self.leases.get(&lease.slot) == Some(&lease.expires_at)
    }

    /// Admits one delivery.
    pub fn apply(&mut self, grant: Grant) {
        match grant.rate_step {
            None => {}
            Some(RateStep::Advance { by, .. }) => {
                let next = self.theoretical_arrival_time;
                self.theoretical_arrival_time = next.map(|next| next + by);
            }
            Some(RateStep::Restart { from, by }) => self.theoretical_arrival_time = Some(from + by),
        }
        if let Some(lease) = grant.lease {
            self.leases.insert(lease.slot, lease.expires_at);
        }
    }

    /// Reserves the next free time.
    pub fn reserve(&mut self, request: &ReservationRequest) -> Nanos {
        let end = self.backlog_end(request.of);
        let reserved = end.map_or(request.earliest, |end| end.max(request.earliest));
        self.version = Some(request.of.version);
        self.next_reservation_at = Some(reserved + request.interval);
        reserved
    }

    /// The time that a delivery which arrives now would wait for its reservation.
    pub fn wait(&self, of: LimitsInForce, now: Timestamp) -> Duration {
        self.backlog_end(of)
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

    fn admission_request(
        of: LimitsInForce,
        random: u32,
        has_waited: bool,
        now: Timestamp,
    ) -> AdmissionRequest {
        of.admission(random, has_waited, now, now + SECOND)
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
    fn a_new_delivery_waits_behind_the_backlog_of_the_same_version() {
        let one = limits(Some(1), None);
        let two = LimitsInForce { version: 2, ..one };
        let mut limiter = EndpointLimiter::default();
        let reserved_at = limiter.reserve(&one.reservation(&limiter.clone(), NOW));
        assert_eq!(reserved_at, Nanos::from(NOW + SECOND));
        assert_eq!(
            limiter.grant(&admission_request(one, 1, false, NOW)),
            None,
            "other deliveries wait"
        );
        assert!(
            limiter
                .grant(&admission_request(one, 1, true, NOW))
                .is_some()
        );
        assert!(
            limiter
                .grant(&admission_request(two, 1, false, NOW))
                .is_some()
        );
        let behind = limiter.reserve(&one.reservation(&limiter.clone(), NOW));
        assert_eq!(behind, Nanos::from(NOW + SECOND + SECOND * 4 / 5));
        let end = SECOND + 2 * (SECOND * 4 / 5);
        assert_eq!(
            (limiter.wait(one, NOW), limiter.wait(two, NOW)),
            (end, Duration::ZERO)
        );
        assert_eq!(
            limiter.grant(&admission_request(one, 1, false, NOW + end)),
            None,
            "the last delivery may still arrive"
        );
        assert!(
            limiter
                .grant(&admission_request(one, 1, false, NOW + end + SECOND))
                .is_some()
        );
    }

    #[test]
    fn reservations_are_closer_together_than_the_limit_allows() {
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
    fn a_slot_is_free_without_a_lease_or_after_its_expiry() {
        let request = admission_request(limits(None, Some(3)), 1, false, NOW);
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
                leases: taken.collect(),
                ..EndpointLimiter::default()
            };
            let grant = limiter.grant(&request);
            let slot = grant.map(|grant| grant.lease.unwrap().slot);
            assert_eq!(slot, free, "{limiter:?}");
        }
    }

    /// The deliveries to an endpoint: first a burst, and then this many a minute.
    struct Traffic {
        of: LimitsInForce,
        burst: usize,
        per_minute: u32,
        /// The duration of a lease.
        held: Duration,
        /// The limits that apply from a later time on.
        changed: Option<(Timestamp, LimitsInForce)>,
    }

    /// The results of a simulation.
    struct Outcome {
        /// The waiting time of each delivery.
        waits: Vec<Duration>,
        /// The number of requests to the limiter.
        requests: usize,
        /// The number of receipts from the queue.
        received: usize,
    }

    impl Traffic {
        /// Simulates an hour, with a queue that counts in seconds and is sometimes late.
        fn simulate_an_hour(&self) -> Outcome {
            let hour = Duration::from_hours(1);
            let mut random = 1_u64;
            let mut up_to = |millis: u64| {
                // Knuth's MMIX generator: the same numbers in every run.
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                Duration::from_millis((random >> 33) % millis.max(1))
            };
            let mean = 60_000 / u64::from(self.per_minute.max(1));
            let mut arrivals: Vec<_> = (0..self.burst).map(|_| (NOW, NOW, None)).collect();
            let mut at = NOW;
            while self.per_minute > 0 && at.since(NOW) < hour {
                at = at + up_to(2 * mean);
                arrivals.push((at, at, None));
            }
            let mut heap: std::collections::BinaryHeap<_> =
                arrivals.into_iter().map(std::cmp::Reverse).collect();
            let (mut limiter, mut running) =
                (EndpointLimiter::default(), Vec::<(Timestamp, Lease)>::new());
            let mut outcome = Outcome {
                waits: Vec::new(),
                requests: 0,
                received: 0,
            };
            while let Some(std::cmp::Reverse((now, arrived_at, reserved))) = heap.pop() {
                running.retain(|(end, lease)| {
                    if *end <= now {
                        limiter.leases.remove(&lease.slot);
                        limiter.last_held = Some(self.held);
                    }
                    *end > now
                });
                outcome.received += 1;
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
                    outcome.requests += 1;
                    let number = u32::try_from(outcome.requests).unwrap();
                    let until = now + Duration::from_secs(30);
                    if let Some(grant) =
                        limiter.grant(&of.admission(number, reserved.is_some(), now, until))
                    {
                        limiter.apply(grant);
                        running.extend(grant.lease.map(|slot| (now + self.held, slot)));
                        outcome.waits.push(now.since(arrived_at));
                        continue;
                    }
                    let not_before = limiter
                        .reserve(&of.reservation(&limiter.clone(), now))
                        .into();
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
                heap.push(std::cmp::Reverse((back, arrived_at, reserved)));
            }
            outcome
        }
    }

    /// If the limiter is used below its capacity, the backlog must drain, even if few deliveries
    /// arrive.
    #[test]
    fn a_backlog_drains_if_deliveries_arrive_below_the_limit() {
        let second = Duration::from_secs(1);
        for (rate, most, per_minute, held) in [
            (Some(1), None, 48, second),
            (Some(5), None, 240, second),
            (None, Some(1), 42, second),
            (None, Some(1), 900, Duration::from_millis(30)),
            (None, Some(5), 210, second),
            (Some(2), Some(1), 42, second),
        ] {
            let traffic = Traffic {
                of: limits(rate, most),
                burst: 100,
                per_minute,
                held,
                changed: None,
            };
            let outcome = traffic.simulate_an_hour();
            let last = &outcome.waits[outcome.waits.len() - 20..];
            let longest = last.iter().max().unwrap();
            assert!(
                *longest < Duration::from_mins(1),
                "{rate:?} {most:?}: {longest:?}"
            );
            let (requests, sent) = (outcome.requests, outcome.waits.len());
            assert!(
                requests < 8 * sent,
                "{requests} requests, {sent} sent: {rate:?} {most:?}"
            );
            let received = outcome.received;
            assert!(
                received < 10 * sent,
                "{received} received, {sent} sent: {rate:?} {most:?}"
            );
        }
    }

    #[test]
    fn waiting_deliveries_follow_the_current_limits() {
        let in_force_at = Duration::from_secs(14);
        let changed = |rate, most| LimitsInForce {
            version: 2,
            ..limits(rate, most)
        };
        let last = |before, after| {
            let traffic = Traffic {
                of: before,
                burst: 240,
                per_minute: 0,
                held: Duration::from_secs(1),
                changed: Some((NOW + in_force_at, after)),
            };
            let outcome = traffic.simulate_an_hour();
            assert_eq!(outcome.waits.len(), 240);
            *outcome.waits.iter().max().unwrap()
        };
        let soon = in_force_at + SHORTEST_RECHECK + Duration::from_secs(10);
        let (slow, quick) = (limits(Some(1), None), changed(Some(100), None));
        assert!(last(slow, quick) < soon);
        assert!(last(slow, changed(None, None)) < soon);
        assert!(last(limits(None, Some(1)), changed(None, Some(50))) < soon);
        let (quick, slow) = (limits(Some(10), None), changed(Some(2), None));
        // 140 deliveries are sent at 10 a second, and the others at 2.
        assert!(last(quick, slow) > Duration::from_secs(45));
    }

    #[test]
    fn a_longer_wait_is_checked_less_often() {
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
        /// Deliveries arrive with and without a reservation, at random times.
        #[test]
        fn webhooks_never_exceed_the_rate_and_the_burst_allowance(
            rate in 1..=200_u64,
            arrivals in proptest::collection::vec((0..100_u64, any::<bool>()), 1..200),
        ) {
            let limits = limits(Some(rate), None);
            let (mut now, mut limiter, mut sent) = (NOW, EndpointLimiter::default(), Vec::new());
            for (gap, has_waited) in arrivals {
                now = now + Duration::from_millis(gap);
                if let Some(grant) = limiter.grant(&admission_request(limits, 1, has_waited, now)) {
                    limiter.apply(grant);
                    sent.push(now);
                }
            }
            for (n, first) in sent.iter().enumerate() {
                for (m, last) in sent.iter().enumerate().skip(n) {
                    let millis = u64::try_from(last.since(*first).as_millis()).unwrap();
                    let count = (m - n + 1) as u64;
                    let allowed = (millis + 2_000) * rate / 1_000 + 1;
                    prop_assert!(count <= allowed, "{count} in {millis} ms at {rate}");
                }
            }
        }

        #[test]
        fn concurrent_webhooks_never_exceed_the_slots(
            most in 1..=5_u64,
            deliveries in proptest::collection::vec((any::<u32>(), 0..600_u64, any::<bool>()), 1..100),
        ) {
            let limits = limits(None, Some(most));
            let (mut now, mut limiter, mut ends) = (NOW, EndpointLimiter::default(), Vec::new());
            for (random, gap, has_waited) in deliveries {
                now = now + Duration::from_millis(gap);
                if let Some(grant) = limiter.grant(&admission_request(limits, random, has_waited, now)) {
                    limiter.apply(grant);
                    prop_assert!(limiter.holds(grant.lease.unwrap()));
                    ends.push(now + SECOND);
                }
                let in_flight = ends.iter().filter(|end| **end > now).count();
                prop_assert!(in_flight as u64 <= most);
            }
        }
    }
}
