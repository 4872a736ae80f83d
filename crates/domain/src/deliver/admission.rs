//! May this attempt be made now? One decision, from what was read.

use crate::delivery::{CancelReason, Delivery, DeliveryStatus, FailureReason, QueueKind};
use crate::health::{CircuitState, Endpoint, OpenCircuit};
use crate::message::Message;
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::timestamp::Timestamp;

/// Whether an attempt that is due may be made now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Proceed(Box<Subscription>),
    /// It may be the one that an open circuit lets through, for whoever claims that.
    Probe(Box<Subscription>, OpenCircuit),
    /// It may, but not on this queue: its endpoint is slow.
    MoveToSlowQueue,
    /// It may not: the circuit of this endpoint is open until then.
    Defer(Endpoint, Timestamp),
    /// It may not, and the delivery has this status instead.
    Settle(DeliveryStatus),
}

impl Admission {
    /// Decides, now.
    pub(super) fn of(
        delivery: &Delivery,
        message: &Message,
        subscription: Option<Subscription>,
        queue: QueueKind,
        now: Timestamp,
    ) -> Self {
        let Some(subscription) = subscription.map(Box::new) else {
            return Self::Settle(DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted));
        };
        if now > delivery.deadline(message) {
            return Self::Settle(DeliveryStatus::Failed(FailureReason::Expired));
        }
        if message.is_test {
            return Self::Proceed(subscription);
        }
        if subscription.status != SubscriptionStatus::Active {
            return Self::Settle(DeliveryStatus::Held);
        }
        // First of all: a probe of an endpoint that hangs would hold up the others, too.
        if queue == QueueKind::Fast && subscription.health.queue() == QueueKind::Slow {
            return Self::MoveToSlowQueue;
        }
        match subscription.health.circuit {
            Some(circuit) => match circuit.state(now) {
                CircuitState::Open(until) => Self::Defer(Endpoint::of(&subscription), until),
                CircuitState::HalfOpen => Self::Probe(subscription, circuit),
            },
            None => Self::Proceed(subscription),
        }
    }
}
