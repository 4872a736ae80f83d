//! The delivery of one queue message: read, check, sign, send, schedule the next attempt, record.
//!
//! The order of the effects is the guarantee. The task for the next attempt is queued **before**
//! this attempt is recorded: a crash in between repeats this attempt, and never loses the next.
//! (A long wait is not queued; it is recorded with the attempt.) A long answer is stored while the
//! task is queued, so that an attempt which is recorded names an answer that exists. Every error here
//! is our own failure. It costs no attempt, and the queue returns the message.

mod access;
mod admission;
mod admit;
mod attempt;
mod customer_limits;
mod health_monitor;
mod pass_limiters;
mod report;
mod send_with_token;
mod token_cache;

use std::time::Duration;

use futures_util::future::join;
use ring::rand::SystemRandom;

use crate::delivery::{
    Delivery, DeliveryStatus, DeliveryTask, DiscardReason, FailureReason, TaskDecision, Verdict,
};
use crate::due::LongestQueueDelay;
use crate::ids::DeliveryId;
use crate::limiter;
use crate::limits::LimiterId;
use crate::message::{Message, PayloadError};
use crate::ports::{
    Clock, DataKeyStore, DeliveryQueue, DeliveryTable, KeyService, QueueError, StoreError,
    TokenEndpoint, WebhookSender, WriteOutcome,
};
use crate::retry::RetryPolicy;
use crate::timestamp::Timestamp;
use crate::vault::{Vault, VaultError};

use admit::{AdmissionOutcome, Permit};
use attempt::DueAttempt;
pub use customer_limits::CustomerLimits;
pub use health_monitor::HealthMonitor;
pub use report::{DeferReason, DeliverySummary, EndpointWarning, Recorded, Report};
pub use token_cache::TokenCache;

/// The status of a delivery whose subscription cannot be read.
const UNREADABLE: DeliveryStatus = DeliveryStatus::Failed(FailureReason::SubscriptionUnreadable);

/// Our own failure. The message goes back to the queue.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The subscription's secrets could not be decrypted.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The stored payload cannot be read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The subscription's transform makes a body that is too large.
    #[error("the transform makes a body that is too large")]
    BodyTooLarge,
    /// The version of the subscription that has the shape of the body cannot be read.
    #[error("the shape of the body cannot be read")]
    NoShape,
    /// The function would end before the attempt is recorded.
    #[error("too little time is left for an attempt")]
    OutOfTime,
}

/// The delivery of webhooks, with its ports.
///
/// `T` is the table.
pub struct Deliver<T, Q, W, V, C> {
    /// Deliveries and subscriptions.
    pub table: T,
    /// The queue for the tasks of next attempts.
    pub queue: Q,
    /// Makes the request.
    pub sender: W,
    /// Decrypts the secrets.
    pub vault: V,
    /// Tells the time.
    pub clock: C,
    /// The stack's retry policy, for subscriptions without one of their own.
    pub policy: RetryPolicy,
    /// The longest wait that is left to the queue.
    pub longest_queue_delay: LongestQueueDelay,
    /// The time limit of an attempt's requests, for subscriptions without a shorter one.
    pub request_timeout: Duration,
    /// The longest time that an attempt can take until it is recorded.
    pub time_for_attempt: Duration,
    /// Tracks the endpoints' health.
    pub health_monitor: HealthMonitor,
    /// The limits of customers.
    pub customer_limits: CustomerLimits,
    /// Access tokens.
    pub tokens: TokenCache,
    /// The source of jitter.
    pub random: SystemRandom,
}

impl<T, Q, W, S, K, C> Deliver<T, Q, W, Vault<S, K, C>, C>
where
    T: DeliveryTable,
    Q: DeliveryQueue,
    W: WebhookSender + TokenEndpoint,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// Processes the task of a queue message. It is safe to repeat at any time.
    ///
    /// An attempt begins only if it is certain to be recorded before `end`.
    pub async fn run(&self, task: &DeliveryTask, end: Timestamp) -> Result<Report, DeliverError> {
        let mut unrecorded = None;
        loop {
            if let Some(report) = self.step(task, end, &mut unrecorded).await? {
                return Ok(report);
            }
        }
    }

    /// `None` if another run has changed the delivery concurrently. The task is then decided again,
    /// because it may be the only one for the next attempt. An attempt that was not recorded for this
    /// reason is left in `unrecorded`.
    async fn step(
        &self,
        task: &DeliveryTask,
        end: Timestamp,
        unrecorded: &mut Option<Report>,
    ) -> Result<Option<Report>, DeliverError> {
        let id = &task.delivery;
        let (delivery, message) = match self.load(id).await? {
            Ok(loaded) => loaded,
            Err(report) => return Ok(Some(report)),
        };
        if let Some(made) = unrecorded.take()
            && let Some(report) = self.add_to_cancelled(&delivery, made).await?
        {
            return Ok(Some(report));
        }
        match delivery.decide(task, self.clock.now()) {
            TaskDecision::Discard(reason) => Ok(Some(Report::Discarded(reason))),
            TaskDecision::Wait(remaining) => {
                self.queue
                    .send(&delivery.customer_id, task, remaining)
                    .await?;
                Ok(Some(Report::Deferred(DeferReason::NotDue)))
            }
            TaskDecision::Attempt(number) => {
                let permit = match self.admitted(task, &delivery, &message).await? {
                    AdmissionOutcome::Proceed(permit) => permit,
                    AdmissionOutcome::Done(report) => return Ok(Some(*report)),
                    AdmissionOutcome::Conflict => return Ok(None),
                };
                let due = DueAttempt {
                    task,
                    delivery: &delivery,
                    message: &message,
                    subscription: &permit.subscription,
                    number,
                    is_probe: permit.is_probe,
                };
                let report = match self.attempt_with(&permit, &due, end).await {
                    Ok(report) => report,
                    Err(error) => {
                        let status = status_of(&error).ok_or(error)?;
                        return Ok(match self.settle(&delivery, status).await? {
                            AdmissionOutcome::Done(report) => Some(*report),
                            AdmissionOutcome::Proceed(_) | AdmissionOutcome::Conflict => None,
                        });
                    }
                };
                let conflicted = matches!(
                    report,
                    Report::Attempted {
                        recorded: Recorded::Conflict,
                        ..
                    }
                );
                if conflicted {
                    *unrecorded = Some(report);
                    return Ok(None);
                }
                Ok(Some(report))
            }
        }
    }

    /// Reads the subscription, and decides about an attempt that is due.
    async fn admitted(
        &self,
        task: &DeliveryTask,
        delivery: &Delivery,
        message: &Message,
    ) -> Result<AdmissionOutcome, DeliverError> {
        let customer = &delivery.customer_id;
        // Both are read at once, so that the second read adds no time.
        let (subscription, customer_limit) = join(
            self.table.get(customer, &delivery.id.subscription),
            self.customer_limits.of(&self.table, &self.clock, customer),
        )
        .await;
        match subscription {
            Ok(Some(found)) if !found.has_readable_filter() => {
                self.settle(delivery, UNREADABLE).await
            }
            Ok(found) => {
                self.admit(task, delivery, message, found, customer_limit?)
                    .await
            }
            // This is the subscription's own failure, and a retry does not help.
            Err(StoreError::Corrupt { .. }) => self.settle(delivery, UNREADABLE).await,
            Err(failure) => Err(failure.into()),
        }
    }

    /// Makes an attempt, and gives back its place among the requests at once.
    async fn attempt_with(
        &self,
        permit: &Permit,
        due: &DueAttempt<'_>,
        end: Timestamp,
    ) -> Result<Report, DeliverError> {
        let entered_at = self.clock.now();
        let report = self.attempt(due, end).await;
        if let Some(lease) = permit.lease {
            let held = self.clock.now().since(entered_at);
            let limiter = LimiterId::Subscription(due.delivery.id.subscription);
            // A lease that cannot be released expires.
            let _ = limiter::release(&self.table, &limiter, lease, Some(held)).await;
        }
        report
    }

    /// The delivery with its message, or the report of a task for which there is none.
    async fn load(
        &self,
        id: &DeliveryId,
    ) -> Result<Result<(Delivery, Message), Report>, DeliverError> {
        match self.table.load(id).await {
            Ok(Some(loaded)) => Ok(Ok(loaded)),
            Ok(None) => Ok(Err(Report::Discarded(DiscardReason::NoDelivery))),
            Err(failure) => self.settle_without_message(id, failure).await.map(Err),
        }
    }

    /// Ends a delivery whose message has expired before it: one that a duplicate of the event has
    /// made later. Otherwise its task would fail again and again. Any other failure stays one.
    async fn settle_without_message(
        &self,
        id: &DeliveryId,
        failure: StoreError,
    ) -> Result<Report, DeliverError> {
        let StoreError::Corrupt { .. } = failure else {
            return Err(failure.into());
        };
        let Ok((None, Some(delivery))) = self.table.read(id).await else {
            return Err(failure.into());
        };
        if delivery.status != DeliveryStatus::Pending {
            return Ok(Report::Discarded(DiscardReason::NotPending));
        }
        let expired = DeliveryStatus::Failed(FailureReason::Expired);
        match self.settle(&delivery, expired).await? {
            AdmissionOutcome::Done(report) => Ok(*report),
            AdmissionOutcome::Proceed(_) | AdmissionOutcome::Conflict => Err(failure.into()),
        }
    }

    /// Adds an attempt to a delivery that was cancelled during it. The delivery stays cancelled,
    /// also if the attempt succeeded. `None` if the delivery was not cancelled, or has the attempt.
    async fn add_to_cancelled(
        &self,
        delivery: &Delivery,
        made: Report,
    ) -> Result<Option<Report>, StoreError> {
        let Report::Attempted {
            attempt,
            event_at,
            summary,
            ..
        } = made
        else {
            return Ok(None);
        };
        let is_next = attempt.number == delivery.next_attempt();
        if !matches!(delivery.status, DeliveryStatus::Cancelled(_)) || !is_next {
            return Ok(None);
        }
        let added = self.table.record_cancelled(&delivery.id, &attempt).await?;
        Ok(
            (added == WriteOutcome::Written).then_some(Report::Attempted {
                attempt,
                verdict: Verdict::Ended(delivery.status),
                recorded: Recorded::AfterCancellation,
                event_at,
                summary,
                changes: Vec::new(),
                warning: None,
                health_failure: None,
            }),
        )
    }
}

/// The status of a delivery whose attempt cannot be made because of its subscription: a retry does
/// not help. `None` if the failure is our own.
fn status_of(error: &DeliverError) -> Option<DeliveryStatus> {
    match error {
        // A secret or a header was changed in the table, or encrypted for another subscription.
        DeliverError::Vault(VaultError::NotOurs { .. }) | DeliverError::NoShape => Some(UNREADABLE),
        DeliverError::BodyTooLarge => Some(DeliveryStatus::Failed(FailureReason::BodyTooLarge)),
        _ => None,
    }
}
