//! The result of a queue message.

use crate::delivery::{Attempt, Delivery, DeliveryStatus, DeliveryTrigger, DiscardReason, Verdict};
use crate::event_type::EventType;
use crate::health::{HealthChange, Warning};
use crate::ids::CustomerId;
use crate::timestamp::Timestamp;

/// The result of a queue message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "most reports are of an attempt")]
pub enum Report {
    /// An attempt was made.
    Attempted {
        /// The attempt.
        attempt: Attempt,
        /// The decision that follows from it.
        verdict: Verdict,
        /// The result of recording it.
        recorded: Recorded,
        /// The time of the event. `None` for a replayed event, whose latency has no meaning.
        event_at: Option<Timestamp>,
        /// The delivery that was attempted.
        summary: DeliverySummary,
        /// The changes of the endpoint's health.
        changes: Vec<HealthChange>,
        /// The warning to the endpoint's owner. Boxed, because nearly no attempt has one.
        warning: Option<Box<EndpointWarning>>,
        /// The error if the endpoint's health could not be written.
        health_failure: Option<String>,
    },
    /// The delivery was set to this status without an attempt.
    Settled(DeliveryStatus, DeliverySummary),
    /// No attempt was made; the queue will return the task.
    Deferred(DeferReason),
    /// There was nothing to do.
    Discarded(DiscardReason),
}

/// A warning to the owner of an endpoint, which is stored and not yet published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointWarning {
    /// The step, and its times.
    pub warning: Warning,
    /// The URL, without its query: that may contain a secret.
    pub endpoint: String,
}

/// The parts of a delivery that logs, metrics and operational events need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverySummary {
    /// The customer of the delivery.
    pub customer_id: CustomerId,
    /// The message's type.
    pub event_type: EventType,
    /// The reason why it exists, or was attempted again.
    pub trigger: DeliveryTrigger,
}

impl From<&Delivery> for DeliverySummary {
    fn from(delivery: &Delivery) -> Self {
        Self {
            customer_id: delivery.customer_id.clone(),
            event_type: delivery.event_type.clone(),
            trigger: delivery.trigger,
        }
    }
}

/// The reason why an attempt was deferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeferReason {
    /// It is not due yet.
    NotDue,
    /// The circuit breaker of its endpoint is open.
    CircuitBreakerOpen,
    /// A limit of its subscription or of its customer is reached.
    OverLimit,
    /// Its endpoint is slow, so the task moved to the slow queue.
    SlowEndpoint,
    /// Another run requests the access token that it needs.
    AwaitsToken,
}

/// The result of recording an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It was written.
    Written,
    /// Another run recorded the same attempt first.
    Conflict,
    /// The delivery was cancelled during the attempt. The attempt was added to it, and changes
    /// nothing else.
    AfterCancellation,
    /// The table failed. The task for the next attempt is queued already, and it repeats this
    /// attempt. So this task must not return to the queue: otherwise the number of tasks would
    /// double with each such failure.
    LeftToNextTask,
}
