//! Admission control: queue, circuit breaker and limits of an endpoint, before an attempt.
//!
//! No attempt is made here. A delivery that is deferred uses up none.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use super::admission::Admission;
use super::{DeferReason, Deliver, DeliverError, Report};
use crate::delivery::{
    Deferral, Delivery, DeliveryStatus, DeliveryTask, DeliveryTrigger, DiscardReason,
};
use crate::health::{Endpoint, OpenCircuit};
use crate::limiter;
use crate::limits::{Lease, LimiterDecision, Limits, LimitsInForce, Reservation};
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
    fn proceed(subscription: Subscription, lease: Option<Lease>) -> Self {
        Self::Proceed(Box::new(Permit {
            subscription,
            is_probe: false,
            lease,
        }))
    }

    fn done(report: Report) -> Self {
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

/// The time between admission and attempt, in which the secrets are decrypted. The lease covers
/// this time too, so that it does not expire while the request is in flight.
const TIME_BEFORE_ATTEMPT: Duration = Duration::from_secs(10);

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
                self.pass_limiter(task, delivery, *subscription).await
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
    /// A task from the sweep is discarded instead: the task before it may be deferred already.
    /// If both were kept, there would be one more every hour.
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

    /// Admits a delivery if the limits of its subscription allow it. Otherwise reserves a time and
    /// defers it until then. A subscription without limits costs no call here.
    ///
    /// A task from the sweep is discarded if the backlog is as long as the attempt is overdue: the
    /// task before it may be in that backlog. If both were kept, there would be one more every
    /// hour.
    async fn pass_limiter(
        &self,
        task: &DeliveryTask,
        delivery: &Delivery,
        subscription: Subscription,
    ) -> Result<AdmissionOutcome, DeliverError> {
        if subscription.limits == Limits::default() {
            return Ok(AdmissionOutcome::proceed(subscription, None));
        }
        let id = subscription.id;
        let limits = LimitsInForce {
            limits: subscription.limits,
            version: subscription.version,
        };
        let now = self.clock.now();
        let reserved = task.reservation();
        let ahead = reserved.filter(|reserved| reserved.is_ahead(limits, now));
        let reservation = if let Some(ahead) = ahead {
            ahead
        } else {
            let until = now + self.time_for_attempt + TIME_BEFORE_ATTEMPT;
            let has_waited = reserved.is_some();
            let request = limits.admission(random_number(&self.random), has_waited, now, until);
            let refused_by = match limiter::admit(&self.table, &id, &request).await? {
                LimiterDecision::Admitted(lease) => {
                    return Ok(AdmissionOutcome::proceed(subscription, lease));
                }
                LimiterDecision::Refused(limiter) => limiter,
            };
            let (wait, overdue) = (refused_by.wait(limits, now), delivery.overdue_for(now));
            // The task that was lost may be in a backlog of this length.
            if wait >= overdue && is_from_sweep(task, delivery, now) {
                let report = Report::Discarded(DiscardReason::LeftToSweep);
                return Ok(AdmissionOutcome::done(report));
            }
            let request = limits.reservation(&refused_by, now);
            Reservation {
                not_before: limiter::reserve(&self.table, &id, &request, &refused_by).await?,
                version: limits.version,
            }
        };
        let deferred = task.deferred_by(Deferral::Limiter(reservation));
        let wait = reservation.queue_delay(now);
        self.queue
            .send(&delivery.customer_id, &deferred, wait)
            .await?;
        let report = Report::Deferred(DeferReason::OverLimit);
        Ok(AdmissionOutcome::done(report))
    }
}

/// A random number, or 0 if the generator fails; collisions are harmless.
fn random_number(random: &SystemRandom) -> u32 {
    let mut bytes = [0; 4];
    let _ = random.fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

/// Returns true if the sweep has sent the task because its attempt is overdue.
fn is_from_sweep(task: &DeliveryTask, delivery: &Delivery, now: Timestamp) -> bool {
    task.deferral.is_none() && delivery.is_overdue(now)
}
