//! Admission control: queue, circuit breaker and limits of an endpoint, before an attempt.
//!
//! No attempt is made here. A delivery that is deferred uses up none.

use std::time::Duration;

use super::admission::Admission;
use super::{DeferReason, Deliver, DeliverError, Report};
use crate::delivery::{
    Deferral, Delivery, DeliveryStatus, DeliveryTask, DeliveryTrigger, DiscardReason,
};
use crate::health::{Endpoint, OpenCircuit};
use crate::limits::{CustomerLimit, Lease};
use crate::message::Message;
use crate::ports::{Clock, DeliveryQueue, DeliveryTable, WriteOutcome};
use crate::queue::QueueKind;
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;

/// The result of admission, for a delivery whose attempt is due.
pub(super) enum AdmissionOutcome {
    /// The attempt is made now.
    Proceed(Box<Permit>),
    /// No attempt is made now. The report says what was done instead.
    Done(Box<Report>),
    /// Another write came first, so the task may have another meaning now.
    Conflict,
}

impl AdmissionOutcome {
    pub(super) fn proceed(subscription: Subscription, lease: Option<Lease>) -> Self {
        Self::Proceed(Box::new(Permit {
            subscription,
            is_probe: false,
            lease,
        }))
    }

    pub(super) fn done(report: Report) -> Self {
        Self::Done(Box::new(report))
    }
}

/// The permission for one attempt.
pub(super) struct Permit {
    pub(super) subscription: Subscription,
    /// True if it is the probe of a half-open circuit breaker.
    pub(super) is_probe: bool,
    /// The lease for it, if the subscription limits its concurrency.
    pub(super) lease: Option<Lease>,
}

impl<T, Q, W, V, C> Deliver<T, Q, W, V, C>
where
    T: DeliveryTable,
    Q: DeliveryQueue,
    C: Clock,
{
    /// Admits a delivery, or defers it.
    pub(super) async fn admit(
        &self,
        task: &DeliveryTask,
        delivery: &Delivery,
        message: &Message,
        subscription: Option<Subscription>,
        customer_limit: Option<CustomerLimit>,
    ) -> Result<AdmissionOutcome, DeliverError> {
        let now = self.clock.now();
        match Admission::of(delivery, message, subscription, task.queue, now) {
            Admission::Settle(status) => self.settle(delivery, status).await,
            Admission::MoveToSlowQueue => {
                self.queue
                    .send(
                        &delivery.customer_id,
                        &task.on(QueueKind::Slow),
                        Duration::ZERO,
                    )
                    .await?;
                let report = Report::Deferred(DeferReason::SlowEndpoint);
                Ok(AdmissionOutcome::done(report))
            }
            Admission::Defer(endpoint, until) => {
                self.defer_for_circuit(task, delivery, endpoint, until, now)
                    .await
            }
            Admission::Probe(subscription, circuit) => {
                self.claim_probe(*subscription, circuit, now).await
            }
            Admission::Proceed(subscription) if delivery.trigger == DeliveryTrigger::Test => {
                Ok(AdmissionOutcome::proceed(*subscription, None))
            }
            Admission::Proceed(subscription) => {
                self.pass_limiters(task, delivery, *subscription, customer_limit)
                    .await
            }
        }
    }

    /// Sets the status of a delivery without an attempt.
    pub(super) async fn settle(
        &self,
        delivery: &Delivery,
        status: DeliveryStatus,
    ) -> Result<AdmissionOutcome, DeliverError> {
        let made = delivery.attempts_made();
        match self.table.settle(&delivery.id, made, status).await? {
            WriteOutcome::Written => {
                let report = Report::Settled(status, delivery.into());
                Ok(AdmissionOutcome::done(report))
            }
            WriteOutcome::Conflict => Ok(AdmissionOutcome::Conflict),
        }
    }

    /// Defers a delivery whose circuit breaker is open. This writes nothing to the table.
    ///
    /// A task from the sweep is discarded instead, because an earlier task may still be deferred.
    /// If both were kept, the delivery would get one more task every hour.
    async fn defer_for_circuit(
        &self,
        task: &DeliveryTask,
        delivery: &Delivery,
        endpoint: Endpoint,
        open_until: Timestamp,
        now: Timestamp,
    ) -> Result<AdmissionOutcome, DeliverError> {
        if is_from_sweep(task, delivery, now) {
            let report = Report::Discarded(DiscardReason::LeftToSweep);
            return Ok(AdmissionOutcome::done(report));
        }
        // A reservation for a time after `open_until` is kept.
        let (deferred, release_at) = match task.reservation() {
            Some(reserved) if reserved.not_before > open_until => {
                (*task, open_until.max(now + reserved.queue_delay(now)))
            }
            _ => {
                let tracker = &self.health_monitor.tracker;
                let release_at = tracker.release_at(endpoint, open_until, now);
                (task.deferred_by(Deferral::CircuitBreaker), release_at)
            }
        };
        self.queue
            .send(&delivery.customer_id, &deferred, release_at.since(now))
            .await?;
        let report = Report::Deferred(DeferReason::CircuitBreakerOpen);
        Ok(AdmissionOutcome::done(report))
    }

    /// Claims the one attempt that a half-open circuit breaker admits.
    async fn claim_probe(
        &self,
        subscription: Subscription,
        circuit: OpenCircuit,
        now: Timestamp,
    ) -> Result<AdmissionOutcome, DeliverError> {
        let until = now + self.time_for_attempt;
        let health = subscription.health.during_probe(circuit, until);
        Ok(
            match self.table.change_health(&subscription, &health).await? {
                WriteOutcome::Written => AdmissionOutcome::Proceed(Box::new(Permit {
                    subscription: Subscription {
                        health,
                        ..subscription
                    },
                    is_probe: true,
                    lease: None,
                })),
                WriteOutcome::Conflict => AdmissionOutcome::Conflict,
            },
        )
    }
}

/// Returns true if the sweep has sent the task because its attempt is overdue.
pub(super) fn is_from_sweep(task: &DeliveryTask, delivery: &Delivery, now: Timestamp) -> bool {
    task.deferral.is_none() && delivery.is_overdue(now)
}
