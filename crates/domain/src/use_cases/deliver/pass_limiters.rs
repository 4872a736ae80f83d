//! Admission by the limiters: that of the subscription, and then that of its customer.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use super::admit::{AdmissionOutcome, is_from_sweep};
use super::{DeferReason, Deliver, DeliverError, Report};
use crate::delivery::{Deferral, Delivery, DeliveryTask, DiscardReason};
use crate::limiter;
use crate::limits::{
    CustomerLimit, EndpointLimiter, Lease, LimiterDecision, LimiterId, Limits, LimitsInForce,
    Reservation,
};
use crate::ports::{Clock, DeliveryQueue, DeliveryTable};
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;

/// The time between admission and attempt, in which the secrets are decrypted. The lease covers
/// this time too, so that it does not expire while the request is in flight.
const TIME_BEFORE_ATTEMPT: Duration = Duration::from_secs(10);

/// A limiter that applies to a delivery.
struct Applicable {
    id: LimiterId,
    limits: LimitsInForce,
}

impl<T, Q, W, V, C> Deliver<T, Q, W, V, C>
where
    T: DeliveryTable,
    Q: DeliveryQueue,
    C: Clock,
{
    /// Admits a delivery if all limits allow it. Otherwise reserves a time and defers it until
    /// then. A delivery without limits costs no call here.
    ///
    /// The limiter of the subscription decides first. If that of the customer then refuses, the
    /// rate of the subscription counts the delivery although it was not sent. In the other order,
    /// one subscription with a backlog would use up the rate of all.
    pub(super) async fn pass_limiters(
        &self,
        task: &DeliveryTask,
        delivery: &Delivery,
        subscription: Subscription,
        customer_limit: Option<CustomerLimit>,
    ) -> Result<AdmissionOutcome, DeliverError> {
        let limiters = || applicable(&subscription, customer_limit);
        let now = self.clock.now();
        let reserved = task.reservation();
        let is_ahead = |reserved: &Reservation| {
            limiters().any(|limiter| reserved.is_ahead(limiter.limits, now))
        };
        if let Some(ahead) = reserved.filter(is_ahead) {
            return self.defer_for_limiter(task, delivery, ahead, now).await;
        }
        let has_waited = reserved.is_some();
        let mut lease = None;
        for limiter in limiters() {
            match self.ask(&limiter, has_waited, now).await? {
                LimiterDecision::Admitted(taken) => lease = lease.or(taken),
                LimiterDecision::Refused(refused_by) => {
                    self.release_unused(&subscription, lease).await;
                    return self
                        .wait_for(&limiter, &refused_by, task, delivery, now)
                        .await;
                }
            }
        }
        Ok(AdmissionOutcome::proceed(subscription, lease))
    }

    async fn ask(
        &self,
        limiter: &Applicable,
        has_waited: bool,
        now: Timestamp,
    ) -> Result<LimiterDecision, DeliverError> {
        let until = now + self.time_for_attempt + TIME_BEFORE_ATTEMPT;
        let random = random_number(&self.random);
        let request = limiter.limits.admission(random, has_waited, now, until);
        Ok(limiter::admit(&self.table, &limiter.id, &request).await?)
    }

    /// Releases a lease that is not used.
    async fn release_unused(&self, subscription: &Subscription, lease: Option<Lease>) {
        if let Some(lease) = lease {
            let id = LimiterId::Subscription(subscription.id);
            // A lease that cannot be released expires.
            let _ = limiter::release(&self.table, &id, lease, None).await;
        }
    }

    /// Reserves a time and defers the delivery until then.
    ///
    /// A task from the sweep is discarded if a delivery that arrives now would wait for at least as
    /// long as the attempt is overdue: an earlier task may still be in that backlog. If both were
    /// kept, the delivery would get one more task every hour.
    async fn wait_for(
        &self,
        limiter: &Applicable,
        refused_by: &EndpointLimiter,
        task: &DeliveryTask,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<AdmissionOutcome, DeliverError> {
        let limits = limiter.limits;
        let (wait, overdue) = (refused_by.wait(limits, now), delivery.overdue_for(now));
        if wait >= overdue && is_from_sweep(task, delivery, now) {
            let report = Report::Discarded(DiscardReason::LeftToSweep);
            return Ok(AdmissionOutcome::done(report));
        }
        let request = limits.reservation(refused_by, now);
        let reservation = Reservation {
            not_before: limiter::reserve(&self.table, &limiter.id, &request, refused_by).await?,
            limiter: limits.limiter,
            version: limits.version,
        };
        self.defer_for_limiter(task, delivery, reservation, now)
            .await
    }

    async fn defer_for_limiter(
        &self,
        task: &DeliveryTask,
        delivery: &Delivery,
        reservation: Reservation,
        now: Timestamp,
    ) -> Result<AdmissionOutcome, DeliverError> {
        let deferred = task.deferred_by(Deferral::Limiter(reservation));
        let wait = reservation.queue_delay(now);
        self.queue
            .send(&delivery.customer_id, &deferred, wait)
            .await?;
        let report = Report::Deferred(DeferReason::OverLimit);
        Ok(AdmissionOutcome::done(report))
    }
}

/// The limiters that apply to a delivery, in the order in which they decide.
fn applicable(
    subscription: &Subscription,
    customer: Option<CustomerLimit>,
) -> impl Iterator<Item = Applicable> {
    let own = (subscription.limits != Limits::default()).then(|| Applicable {
        id: LimiterId::Subscription(subscription.id),
        limits: LimitsInForce::of_subscription(subscription.limits, subscription.version),
    });
    let shared = customer.map(|limit| Applicable {
        id: LimiterId::Customer(subscription.customer_id.clone()),
        limits: limit.into(),
    });
    own.into_iter().chain(shared)
}

/// A random number, or 0 if the generator fails; collisions are harmless.
fn random_number(random: &SystemRandom) -> u32 {
    let mut bytes = [0; 4];
    let _ = random.fill(&mut bytes);
    u32::from_le_bytes(bytes)
}
