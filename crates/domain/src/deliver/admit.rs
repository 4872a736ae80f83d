//! The grant to an endpoint: its queue, its circuit, its line. No attempt is made here, and
//! whoever is turned away uses up none.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use super::admission::Admission;
use super::{Deliver, DeliverError, DeferReason, Report};
use crate::delivery::{Delivery, DeliveryStatus, Deferral, DiscardReason, DeliveryTask, QueueKind};
use crate::health::{Endpoint, Health, OpenCircuit};
use crate::limits::{LimiterDecision, Limits, LimitsInForce, Reservation, Lease};
use crate::message::Message;
use crate::ports::{
    Clock, DeliveryQueue, DeliveryStore, HealthStore, LimiterStore, MAX_QUEUE_DELAY, WriteOutcome,
};
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;

/// What a delivery finds whose attempt is due.
pub(super) enum AdmissionOutcome {
    /// The attempt is made now.
    Proceed(Box<Permit>),
    /// No attempt is made now; this was done instead.
    Done(Box<Report>),
    /// Another run was quicker, so that the task may mean something else by now.
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

/// What lets an attempt through.
pub(super) struct Permit {
    pub(super) subscription: Subscription,
    /// Whether it is the one that an open circuit lets through.
    pub(super) is_probe: bool,
    /// The lease that it has among those that are sent at once, if they are counted.
    pub(super) lease: Option<Lease>,
}

/// What may permit between being let in and the attempt: the opening of the secrets. A lease is
/// taken for that, too, so that it is not given away while the request is under grant.
const TIME_BEFORE_ATTEMPT: Duration = Duration::from_secs(10);

impl<T, Q, W, V, C> Deliver<T, Q, W, V, C>
where
    T: DeliveryStore + HealthStore + LimiterStore,
    Q: DeliveryQueue,
    C: Clock,
{
    /// Lets a delivery through, or puts it off.
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
                    .send(&delivery.customer_id, &task.on(QueueKind::Slow), Duration::ZERO)
                    .await?;
                Ok(AdmissionOutcome::done(Report::Deferred(DeferReason::SlowEndpoint)))
            }
            Admission::Defer(endpoint, until) => {
                self.defer(task, delivery, endpoint, until, now).await
            }
            Admission::Probe(subscription, circuit) => {
                self.claim_probe(*subscription, circuit, now).await
            }
            Admission::Proceed(subscription) if message.is_test => {
                Ok(AdmissionOutcome::proceed(*subscription, None))
            }
            Admission::Proceed(subscription) => self.pass_limiter(task, delivery, *subscription).await,
        }
    }

    /// Sets a delivery to a status without an attempt.
    pub(super) async fn settle(
        &self,
        delivery: &Delivery,
        status: DeliveryStatus,
    ) -> Result<AdmissionOutcome, DeliverError> {
        let made = delivery.attempts_made();
        match self.table.settle(&delivery.id, made, status).await? {
            WriteOutcome::Written => Ok(AdmissionOutcome::done(Report::Settled(status, delivery.into()))),
            WriteOutcome::Conflict => Ok(AdmissionOutcome::Conflict),
        }
    }

    /// Puts a delivery off whose circuit is open: no attempt, and no write.
    ///
    /// One that the sweep finds overdue is dropped instead: its task before may be parked
    /// already, and were both kept, there would be one more with every hour.
    async fn defer(
        &self,
        task: &DeliveryTask,
        delivery: &Delivery,
        endpoint: Endpoint,
        open_until: Timestamp,
        now: Timestamp,
    ) -> Result<AdmissionOutcome, DeliverError> {
        if is_from_sweep(task, delivery, now) {
            return Ok(AdmissionOutcome::done(Report::Discarded(DiscardReason::LeftToSweep)));
        }
        // A reservation that comes later is kept.
        let (parked, release) = match task.reservation() {
            Some(reserved) if reserved.not_before > open_until => {
                (*task, open_until.max(now + reserved.queue_delay(now)))
            }
            _ => {
                let release = self.health_monitor.tracker.park(endpoint, open_until, now);
                (task.deferred(Deferral::CircuitBreaker), release)
            }
        };
        self.queue
            .send(&delivery.customer_id, &parked, release.since(now))
            .await?;
        Ok(AdmissionOutcome::done(Report::Deferred(DeferReason::CircuitBreakerOpen)))
    }

    /// Claims the one attempt that an open circuit lets through.
    async fn claim_probe(
        &self,
        subscription: Subscription,
        circuit: OpenCircuit,
        now: Timestamp,
    ) -> Result<AdmissionOutcome, DeliverError> {
        let health = Health {
            circuit: Some(circuit.claimed_until(now + self.time_for_attempt)),
            ..subscription.health
        };
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

    /// Lets a delivery through if the limits of its subscription allow it, or puts it off until
    /// its turn. A subscription without limits costs nothing here.
    ///
    /// A task of the sweep is dropped where the line is as long as the attempt is overdue: its
    /// task before may be in it. Were it given a turn, there would be one more with every hour.
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
            let request = limits.entry(random_number(&self.random), has_waited, now, until);
            let line = match self.table.enter(&id, &request).await? {
                LimiterDecision::Admitted(lease) => return Ok(AdmissionOutcome::proceed(subscription, lease)),
                LimiterDecision::Refused(line) => line,
            };
            let (wait, overdue) = (line.wait(limits, now), delivery.overdue_for(now));
            let may_be_in_it = wait > MAX_QUEUE_DELAY && wait >= overdue;
            if may_be_in_it && is_from_sweep(task, delivery, now) {
                return Ok(AdmissionOutcome::done(Report::Discarded(DiscardReason::LeftToSweep)));
            }
            Reservation {
                not_before: self.table.reserve(&id, &limits.reservation(&line, now)).await?,
                version: limits.version,
            }
        };
        let waiting = task.deferred(Deferral::Limiter(reservation));
        let wait = reservation.queue_delay(now);
        self.queue
            .send(&delivery.customer_id, &waiting, wait)
            .await?;
        Ok(AdmissionOutcome::done(Report::Deferred(DeferReason::OverLimit)))
    }
}

/// Any number. Where none can be had, 0 is one, too: it may be another's, as any may.
fn random_number(random: &SystemRandom) -> u32 {
    let mut bytes = [0; 4];
    let _ = random.fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

/// Whether the sweep has sent the task because its attempt is overdue.
fn is_from_sweep(task: &DeliveryTask, delivery: &Delivery, now: Timestamp) -> bool {
    task.deferral.is_none() && delivery.is_overdue(now)
}
