//! Limits: the number of webhooks a second, and the number of concurrent webhooks. A subscription
//! can have both. A customer can have a rate for all of its subscriptions together.
//!
//! An [`EndpointLimiter`] enforces them. All execution environments share it through the table.
//! The rate follows GCRA, the generic cell rate algorithm: the limiter keeps the theoretical
//! arrival time of the next webhook. The concurrency follows from [`Lease`]s, which expire.
//!
//! A delivery that is refused gets a [`Reservation`] and goes back to the queue until then. It
//! uses up no attempt. A reservation only says when to ask again: the limiter decides then, so a
//! delivery that comes late or twice cannot exceed a limit.

mod change;
mod limiter;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use change::{LimiterChange, LimiterOutcome, Requirement, Update};
pub use limiter::{
    AdmissionRequest, EndpointLimiter, Grant, Lease, LimiterDecision, Nanos, ReservationRequest,
    as_nanos,
};

use crate::ids::{CustomerId, SubscriptionId};
use crate::queue::MAX_QUEUE_DELAY;
use crate::timestamp::Timestamp;

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
#[serde(try_from = "u64", into = "u64")]
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

impl<const MAX: u16> From<UpTo<MAX>> for u32 {
    fn from(number: UpTo<MAX>) -> Self {
        number.0.into()
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

/// The interval of reservations is computed from the duration of the last lease, limited to these
/// bounds, because the next attempts may differ from one that was very quick or did hang.
const SHORTEST_LEASE: Duration = Duration::from_millis(50);
const LONGEST_LEASE: Duration = Duration::from_secs(2);

/// The number of deliveries that ask for a lease while one is held. With too
/// few of them, a released slot would stay unused until the next delivery asks.
const RESERVATIONS_PER_LEASE: u32 = 4;

/// A limiter, which all execution environments share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimiterId {
    /// The limiter of one subscription.
    Subscription(SubscriptionId),
    /// The limiter of all subscriptions of a customer together.
    Customer(CustomerId),
}

/// The kind of a limiter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LimiterKind {
    /// It limits one subscription.
    #[default]
    Subscription,
    /// It limits all subscriptions of a customer together.
    Customer,
}

impl LimiterKind {
    /// Returns true for the limiter of a subscription.
    pub fn is_subscription(&self) -> bool {
        *self == Self::Subscription
    }
}

/// The limit of a customer, for all of its subscriptions together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomerLimit {
    /// The number of webhooks a second.
    pub rate: RateLimit,
    /// The version of the customer that has set it.
    pub version: u64,
}

impl From<CustomerLimit> for LimitsInForce {
    fn from(limit: CustomerLimit) -> Self {
        Self {
            limiter: LimiterKind::Customer,
            limits: Limits {
                rate: Some(limit.rate),
                in_flight: None,
            },
            version: limit.version,
        }
    }
}

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
    /// The limits of one version of a subscription.
    pub fn of_subscription(limits: Limits, version: u64) -> Self {
        Self {
            limiter: LimiterKind::Subscription,
            limits,
            version,
        }
    }

    /// A request to be admitted now, by a delivery whose attempt ends at `until` at the latest.
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
        }
    }
}

/// The limits of one version of a subscription or customer.
///
/// Reservations belong to a version. When a subscription is paused or its limits change, new
/// deliveries do not wait behind the reservations of the version before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsInForce {
    /// The kind of the limiter that enforces them.
    pub limiter: LimiterKind,
    /// The limits.
    pub limits: Limits,
    /// The version.
    pub version: u64,
}

/// The time before which a refused delivery does not ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// The time.
    pub not_before: Timestamp,
    /// The kind of the limiter that gave it.
    pub limiter: LimiterKind,
    /// The version of the limits that it belongs to. It has no effect under another.
    pub version: u64,
}

impl Reservation {
    /// Returns true if the delivery must still wait under the limits in force.
    pub fn is_ahead(self, of: LimitsInForce, now: Timestamp) -> bool {
        self.limiter == of.limiter && self.version == of.version && self.not_before > now
    }

    /// The delay of the delivery in the queue: until the reservation, or until the next check for
    /// changed limits.
    pub fn queue_delay(self, now: Timestamp) -> Duration {
        let left = self.not_before.since(now);
        let recheck = (left / RECHECK_FRACTION).max(SHORTEST_RECHECK);
        left.min(recheck).min(MAX_QUEUE_DELAY)
    }
}
