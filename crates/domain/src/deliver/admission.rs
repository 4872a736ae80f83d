//! May this attempt be made now? One decision, from what was read.

use crate::delivery::{CancelReason, Delivery, DeliveryStatus, FailureReason, Lane};
use crate::health::{CircuitState, Endpoint, OpenCircuit};
use crate::message::Message;
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::timestamp::Timestamp;

/// Whether an attempt that is due may be made now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Attempt(Box<Subscription>),
    /// It may be the one that an open circuit lets through, for whoever claims that.
    Probe(Box<Subscription>, OpenCircuit),
    /// It may, but not on this lane: its endpoint is slow.
    ChangeLane,
    /// It may not: the circuit of this endpoint is open until then.
    Park(Endpoint, Timestamp),
    /// It may not, and the delivery has this status instead.
    Settle(DeliveryStatus),
}

impl Admission {
    /// Decides, now.
    pub(super) fn of(
        delivery: &Delivery,
        message: &Message,
        subscription: Option<Subscription>,
        lane: Lane,
        now: Timestamp,
    ) -> Self {
        let Some(subscription) = subscription.map(Box::new) else {
            return Self::Settle(DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted));
        };
        if now > delivery.deadline(message) {
            return Self::Settle(DeliveryStatus::Failed(FailureReason::Expired));
        }
        if message.is_test {
            return Self::Attempt(subscription);
        }
        if subscription.status != SubscriptionStatus::Active {
            return Self::Settle(DeliveryStatus::Held);
        }
        // First of all: a probe of an endpoint that hangs would hold up the others, too.
        if lane == Lane::Fast && subscription.health.lane() == Lane::Slow {
            return Self::ChangeLane;
        }
        match subscription.health.circuit {
            Some(circuit) => match circuit.state(now) {
                CircuitState::Open(until) => Self::Park(Endpoint::of(&subscription), until),
                CircuitState::HalfOpen => Self::Probe(subscription, circuit),
            },
            None => Self::Attempt(subscription),
        }
    }
}
