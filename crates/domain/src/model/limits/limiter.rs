//! The state of a limiter, and its decisions.

use std::collections::BTreeMap;
use std::time::Duration;

use super::change::{LimiterChange, Requirement, Update};
use super::{LimitsInForce, SECOND};
use crate::timestamp::Timestamp;

/// The largest amount of unused rate that can be used later. The queue counts in seconds, so a
/// delivery returns up to a second late. The next deliveries use the capacity that it has left
/// unused.
const BURST_ALLOWANCE: Duration = Duration::from_secs(2);

/// The time after the last reservation within which its delivery may still arrive.
const ARRIVAL_GRACE: Duration = SECOND;

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

/// The state of the limiter of a subscription or of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointLimiter {
    /// The version of the limits that the reservations belong to.
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
pub(super) enum RateStep {
    /// It is `from` or later, and moves on by an interval.
    Advance {
        /// The start of the burst allowance: unused rate since then can be used at once.
        from: Nanos,
        /// The interval.
        by: Duration,
    },
    /// It is before `from`: more rate is unused than can be used later. It restarts at `from`, and
    /// moves on by an interval.
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
    rate_step: Option<RateStep>,
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

    /// The change of the limiter that a grant makes, and the state that it requires.
    pub fn change(&self, grant: Grant) -> LimiterChange {
        let mut change = LimiterChange::at(self.now);
        change.requires.extend(self.backlog_requirement());
        if let Some(step) = grant.rate_step {
            change.requires.push(self.rate_requirement(step));
            change.updates.push(match step {
                RateStep::Advance { by, .. } => Update::AdvanceArrivalTime(by),
                RateStep::Restart { from, by } => Update::SetArrivalTime(from + by),
            });
        }
        if let Some(lease) = grant.lease {
            change.requires.push(self.slot_requirement(lease.slot));
            change.updates.push(Update::TakeLease(lease));
        }
        change
    }

    /// A delivery without a reservation waits behind those that have one. The last of them may
    /// arrive a little late.
    fn backlog_requirement(&self) -> Option<Requirement> {
        let drained_at = Nanos(self.now.0.saturating_sub(as_nanos(ARRIVAL_GRACE)));
        (!self.has_waited).then_some(Requirement::NoBacklogAfter {
            version: self.of.version,
            at: drained_at,
        })
    }

    fn rate_requirement(&self, step: RateStep) -> Requirement {
        match step {
            RateStep::Advance { from, .. } => Requirement::ArrivalTimeWithin {
                from,
                until: self.now,
            },
            RateStep::Restart { from, .. } => Requirement::ArrivalTimeBefore(from),
        }
    }

    fn slot_requirement(&self, slot: u16) -> Requirement {
        Requirement::SlotFree {
            slot,
            now: self.now,
        }
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
    pub(super) fn backlog_end(&self, of: LimitsInForce) -> Option<Nanos> {
        self.next_reservation_at
            .filter(|_| self.version == Some(of.version))
    }

    /// Decides about a request. `None` if it is refused.
    pub fn grant(&self, request: &AdmissionRequest) -> Option<Grant> {
        let backlog = request.backlog_requirement();
        if !backlog.is_none_or(|requirement| self.meets(requirement)) {
            return None;
        }
        let rate_step = match request.rate_step() {
            None => None,
            Some((from, by)) => {
                let mut steps = [
                    RateStep::Advance { from, by },
                    RateStep::Restart { from, by },
                ]
                .into_iter();
                Some(steps.find(|step| self.meets(request.rate_requirement(*step)))?)
            }
        };
        let lease = match request.of.limits.in_flight {
            None => None,
            Some(most) => {
                let mut slots = (0..most.0).map(|n| (request.first_slot + n) % most.0);
                let slot = slots.find(|slot| self.meets(request.slot_requirement(*slot)))?;
                Some(request.lease(slot))
            }
        };
        Some(Grant { rate_step, lease })
    }

    /// The lease that this request already has, because it was admitted and its response was lost.
    pub fn lease_of(&self, request: &AdmissionRequest) -> Option<Lease> {
        let mut leases = self.leases.iter();
        let (slot, _) = leases.find(|(_, expires_at)| **expires_at == request.expires_at)?;
        Some(request.lease(*slot))
    }

    /// The time that a delivery which arrives now would wait for its reservation.
    pub fn wait(&self, of: LimitsInForce, now: Timestamp) -> Duration {
        self.backlog_end(of)
            .map_or(Duration::ZERO, |end| Timestamp::from(end).since(now))
    }
}

impl ReservationRequest {
    /// The change of the limiter that gives the reservation at this time, and the state that it
    /// requires. The first one at `earliest` begins a backlog.
    pub fn change(&self, limiter: &EndpointLimiter) -> LimiterChange {
        let (version, at) = (self.of.version, self.earliest);
        let joins = Requirement::BacklogReaches { version, at };
        let mut change = LimiterChange::at(self.earliest);
        if limiter.meets(joins) {
            change.requires.push(joins);
            change
                .updates
                .push(Update::AdvanceReservation(self.interval));
        } else {
            let before = Nanos(at.0.saturating_sub(1));
            change.requires.push(Requirement::NoBacklogAfter {
                version,
                at: before,
            });
            change.updates.push(Update::BeginBacklog {
                version,
                next: at + self.interval,
            });
        }
        change
    }

    /// The reservation, after a change of this limiter.
    pub fn reserved(&self, before: &EndpointLimiter) -> Nanos {
        let end = before.backlog_end(self.of);
        end.map_or(self.earliest, |end| end.max(self.earliest))
    }
}

impl Lease {
    /// The change of the limiter that releases it, after it was held for this long. `None` if it
    /// was not used.
    pub fn release(self, held: Option<Duration>) -> LimiterChange {
        LimiterChange {
            requires: vec![Requirement::Holds(self)],
            updates: vec![Update::Release {
                slot: self.slot,
                held,
            }],
            used_at: None,
        }
    }
}
