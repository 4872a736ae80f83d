//! Decides if a due attempt may be made now: a pure function of the data that was read.

use crate::delivery::{
    CancelReason, Delivery, DeliveryStatus, DeliveryTrigger, FailureReason, HoldReason,
};
use crate::health::{CircuitState, Endpoint, OpenCircuit};
use crate::message::Message;
use crate::queue::QueueKind;
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::timestamp::Timestamp;

/// The decision about an attempt that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may be made.
    Proceed(Box<Subscription>),
    /// It may be made as the probe of this half-open circuit breaker, by the first run that claims
    /// it.
    Probe(Box<Subscription>, OpenCircuit),
    /// Its endpoint is slow: it belongs in the slow queue.
    MoveToSlowQueue,
    /// The circuit breaker of this endpoint is open until this time.
    Defer(Endpoint, Timestamp),
    /// No attempt is made, and the delivery gets this status.
    Settle(DeliveryStatus),
}

impl Admission {
    /// Decides.
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
        if delivery.is_cancelled_by(message) {
            return Self::Settle(DeliveryStatus::Cancelled(CancelReason::Requested));
        }
        if now > delivery.deadline(message) {
            return Self::Settle(DeliveryStatus::Failed(FailureReason::Expired));
        }
        if delivery.trigger == DeliveryTrigger::Test {
            return Self::Proceed(subscription);
        }
        if subscription.status != SubscriptionStatus::Active {
            return Self::Settle(DeliveryStatus::Held(HoldReason::NotActive));
        }
        let health = &subscription.health;
        let circuit = health.circuit.map(|circuit| (circuit, circuit.state(now)));
        if let Some((_, CircuitState::Open(_))) = circuit
            && health.hold.is_some()
        {
            return Self::Settle(DeliveryStatus::Held(HoldReason::EndpointUnavailable));
        }
        // Checked before the circuit breaker: a probe of a slow endpoint would delay others too.
        if queue == QueueKind::Fast && health.queue() == QueueKind::Slow {
            return Self::MoveToSlowQueue;
        }
        match circuit {
            Some((_, CircuitState::Open(until))) => Self::Defer(subscription.endpoint(), until),
            Some((circuit, CircuitState::HalfOpen)) => Self::Probe(subscription, circuit),
            None => Self::Proceed(subscription),
        }
    }
}
