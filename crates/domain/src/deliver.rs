//! One queue message: read, check, observation, send, schedule the next, record.
//!
//! The order of the effects is the guarantee. The next attempt is queued
//! **before** this one is recorded: a crash in between repeats this attempt, and
//! never loses the next. (A long wait is not queued; it is recorded with the attempt.)
//! Every error in here is a failure of ours; it costs no attempt, and the queue brings
//! the message back.

mod admission;
mod admit;
mod health_monitor;

use std::time::Duration;

use ring::rand::SystemRandom;

use crate::delivery::{
    Attempt, Delivery, DeliveryStatus, DiscardReason, TaskDecision, FailureReason, DeliveryTask, Terms, Verdict,
};
use crate::due::LongestQueueDelay;
use crate::event_type::EventType;
use crate::health::{HealthChange, Observation};
use crate::ids::CustomerId;
use crate::message::{Message, PayloadError};
use crate::outbound::{WebhookRequest, WebhookSender};
use crate::ports::{
    Clock, DataKeyStore, DeliveryQueue, DeliveryStore, HealthStore, KeyService, LimiterStore,
    QueueError, StoreError, SubscriptionStore, SubscriptionSwitch, WriteOutcome,
};
use crate::retry::{Jitter, RetryPolicy};
use crate::signing::{Secret, signature_header};
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;
use crate::vault::{Vault, VaultError};

use admit::AdmissionOutcome;
pub use health_monitor::HealthMonitor;

/// How we name ourselves to an endpoint.
const USER_AGENT: &str = concat!("webhooks/", env!("CARGO_PKG_VERSION"));

/// What becomes of a delivery whose subscription cannot be read.
const UNREADABLE: DeliveryStatus = DeliveryStatus::Failed(FailureReason::SubscriptionUnreadable);

/// A failure of ours. The message goes back to the queue.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The subscription's secrets could not be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The stored payload cannot be read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The function would end before the attempt is recorded.
    #[error("too little time is left for an attempt")]
    OutOfTime,
}

/// What came of a queue message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// An attempt was made.
    Attempted {
        /// The attempt.
        attempt: Attempt,
        /// What follows from it.
        verdict: Verdict,
        /// Whether it was recorded.
        recorded: Recorded,
        /// When its event happened; `None` where no time from then on means anything.
        event_at: Option<Timestamp>,
        /// Whether it was a test, which nobody is summary.
        is_test: bool,
        /// What was attempted.
        summary: DeliverySummary,
        /// What it has changed for its subscription.
        changes: Vec<HealthChange>,
    },
    /// The delivery was set to this status without an attempt.
    Settled(DeliveryStatus, DeliverySummary),
    /// No attempt was made; the queue was asked to bring the message back.
    Deferred(DeferReason),
    /// There was nothing to do.
    Discarded(DiscardReason),
}

/// What a report tells of its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverySummary {
    /// To whom it is summary.
    pub customer_id: CustomerId,
    /// The message's type.
    pub event_type: EventType,
    /// Whether somebody asked to send it again.
    pub was_resent: bool,
}

impl From<&Delivery> for DeliverySummary {
    fn from(delivery: &Delivery) -> Self {
        Self {
            customer_id: delivery.customer_id.clone(),
            event_type: delivery.event_type.clone(),
            was_resent: delivery.earlier_attempts > 0,
        }
    }
}

/// Why an attempt was not made yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeferReason {
    /// It is not due yet.
    NotDue,
    /// The circuit of its subscription is open.
    CircuitBreakerOpen,
    /// It is not its turn: its subscription has limits.
    OverLimit,
    /// Its endpoint is slow, and has a queue of its own.
    SlowEndpoint,
}

/// What became of an attempt's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It was written.
    Written,
    /// Another run had recorded the same attempt first.
    Conflict,
    /// The table failed. The next task is queued and makes the attempt again, so that this
    /// one must not come back too: two would be four the next time.
    LeftToNextTask,
}

/// The delivery of webhooks, with its surroundings.
///
/// `T` is the table, in its five roles here; the vault brings its own.
pub struct Deliver<T, Q, W, V, C> {
    /// Deliveries and subscriptions.
    pub table: T,
    /// Where the next attempt is asked for.
    pub queue: Q,
    /// Who makes the request.
    pub sender: W,
    /// Who opens the secrets.
    pub vault: V,
    /// Who tells the time.
    pub clock: C,
    /// The stack's retry policy, for subscriptions without one of their own.
    pub policy: RetryPolicy,
    /// Which waits are left to the queue.
    pub longest_queue_delay: LongestQueueDelay,
    /// The longest that an attempt can take, from here to its record.
    pub time_for_attempt: Duration,
    /// Who watches over the endpoints.
    pub health_monitor: HealthMonitor,
    /// Where jitter comes from.
    pub random: SystemRandom,
}

impl<T, Q, W, S, K, C> Deliver<T, Q, W, Vault<S, K, C>, C>
where
    T: DeliveryStore + SubscriptionStore + SubscriptionSwitch + HealthStore + LimiterStore,
    Q: DeliveryQueue,
    W: WebhookSender,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// Does what a queue message asks for. Safe to run again at any time.
    ///
    /// No attempt begins that could take longer than until `end`.
    pub async fn run(&self, task: &DeliveryTask, end: Timestamp) -> Result<Report, DeliverError> {
        loop {
            if let Some(report) = self.step(task, end).await? {
                return Ok(report);
            }
        }
    }

    /// `None` when another run has changed the delivery meanwhile, so that the task means
    /// something else now. It may be the only one for the attempt that is next.
    async fn step(&self, task: &DeliveryTask, end: Timestamp) -> Result<Option<Report>, DeliverError> {
        let id = &task.delivery;
        let Some((delivery, message)) = self.table.load(id).await? else {
            return Ok(Some(Report::Discarded(DiscardReason::NoDelivery)));
        };
        match delivery.decide(task, self.clock.now()) {
            TaskDecision::Discard(reason) => Ok(Some(Report::Discarded(reason))),
            TaskDecision::Wait(remaining) => {
                self.queue
                    .send(&delivery.customer_id, task, remaining)
                    .await?;
                Ok(Some(Report::Deferred(DeferReason::NotDue)))
            }
            TaskDecision::Attempt(number) => {
                let subscription = self.table.get(&delivery.customer_id, &id.subscription);
                let outcome = match subscription.await {
                    Ok(Some(found)) if !found.has_readable_filter() => {
                        self.settle(&delivery, UNREADABLE).await?
                    }
                    Ok(found) => self.admit(task, &delivery, &message, found).await?,
                    // That is the subscription's own failure, and trying again does not help.
                    Err(StoreError::Corrupt { .. }) => self.settle(&delivery, UNREADABLE).await?,
                    Err(failure) => return Err(failure.into()),
                };
                let permit = match outcome {
                    AdmissionOutcome::Proceed(permit) => permit,
                    AdmissionOutcome::Done(report) => return Ok(Some(*report)),
                    AdmissionOutcome::Conflict => return Ok(None),
                };
                let due = DueAttempt {
                    delivery: &delivery,
                    message: &message,
                    subscription: &permit.subscription,
                    number,
                    is_probe: permit.is_probe,
                };
                let entered_at = self.clock.now();
                let report = self.attempt(&due, end).await;
                if let Some(lease) = permit.lease {
                    let held = self.clock.now().since(entered_at);
                    // What cannot be left is free again when its time is over.
                    let _ = self.table.leave(&id.subscription, lease, held).await;
                }
                let report = match report {
                    // A secret that was changed in the table, or sealed for something else.
                    Err(DeliverError::Vault(VaultError::NotOurs { .. })) => {
                        return Ok(match self.settle(&delivery, UNREADABLE).await? {
                            AdmissionOutcome::Done(report) => Some(*report),
                            AdmissionOutcome::Proceed(_) | AdmissionOutcome::Conflict => None,
                        });
                    }
                    report => report?,
                };
                let conflict = matches!(
                    report,
                    Report::Attempted {
                        recorded: Recorded::Conflict,
                        ..
                    }
                );
                Ok((!conflict).then_some(report))
            }
        }
    }

    async fn attempt(&self, due: &DueAttempt<'_>, end: Timestamp) -> Result<Report, DeliverError> {
        let &DueAttempt {
            delivery,
            message,
            subscription,
            number,
            ..
        } = due;
        let at = self.clock.now();
        let secrets = self.vault.open_all(subscription, at).await?;
        if self.clock.now() + self.time_for_attempt > end {
            return Err(DeliverError::OutOfTime);
        }
        let response = self
            .sender
            .send(request(delivery, message, subscription, &secrets, at)?)
            .await;

        let now = self.clock.now();
        let observation = Observation::of(&response, now);
        let terms = Terms {
            policy: subscription.retry_policy.as_ref().unwrap_or(&self.policy),
            earlier_attempts: delivery.earlier_attempts,
            deadline: delivery.deadline(message),
            jitter: Jitter::random(&self.random),
            longest_queue_delay: self.longest_queue_delay,
        };
        let verdict = if message.is_test {
            Verdict::after_test(&response)
        } else {
            Verdict::after(number, &response, &terms, now)
        };
        let next_is_queued = self.queue_next(due, &verdict, now).await?;
        let attempt = Attempt {
            number,
            at,
            duration_ms: response.duration_ms,
            outcome: response.outcome,
            status: response.status,
            error: response.error,
            addresses: response.addresses,
            response_headers: response.headers,
            response_excerpt: response.excerpt,
        };
        let recorded = match self.table.record(&delivery.id, &attempt, &verdict).await {
            Ok(WriteOutcome::Written) => Recorded::Written,
            Ok(WriteOutcome::Conflict) => Recorded::Conflict,
            Err(_) if next_is_queued => Recorded::LeftToNextTask,
            Err(error) => return Err(error.into()),
        };
        // Last: were it first, a crash after a 410 would hold this delivery instead of ending
        // it. What is not recorded will be attempted again, and counts then; a test says
        // something to whoever asked for it, and nothing more.
        let changes = match recorded {
            Recorded::Written if !message.is_test => {
                self.health_monitor.after(&self.table, due, observation, &verdict).await?
            }
            _ => Vec::new(),
        };
        Ok(Report::Attempted {
            attempt,
            verdict,
            recorded,
            event_at: event_at(delivery, message),
            is_test: message.is_test,
            summary: delivery.into(),
            changes,
        })
    }

    /// Queues the task for the attempt after this one, if the queue is to keep it.
    async fn queue_next(
        &self,
        due: &DueAttempt<'_>,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Result<bool, QueueError> {
        let Verdict::Retry(next) = verdict else {
            return Ok(false);
        };
        let Some(delay) = next.queue_delay(now) else {
            return Ok(false);
        };
        let task = DeliveryTask::new(due.delivery.id, due.number + 1, Some(next.due_at));
        let task = task.on(due.subscription.health.queue());
        self.queue
            .send(&due.delivery.customer_id, &task, delay)
            .await?;
        Ok(true)
    }
}

/// An attempt to make.
struct DueAttempt<'a> {
    delivery: &'a Delivery,
    message: &'a Message,
    subscription: &'a Subscription,
    number: u32,
    /// Whether it is the one that an open circuit lets through.
    is_probe: bool,
}

/// The longest that an event is on its way to us: as long as the rule tries.
const LONGEST_ON_ITS_WAY: Duration = Duration::from_hours(24);

/// When the event happened, unless it was long before its delivery was prepared: then it was
/// replayed, or its time is not a time of day, and nobody waited for it since.
fn event_at(delivery: &Delivery, message: &Message) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(&message.time)
        .filter(|at| delivery.created_at.since(*at) <= LONGEST_ON_ITS_WAY)
}

/// The request of one attempt: same id and body every time, its own timestamp
/// and signatures (Standard Webhooks 1.0.0).
fn request(
    delivery: &Delivery,
    message: &Message,
    subscription: &Subscription,
    secrets: &[Secret],
    at: Timestamp,
) -> Result<WebhookRequest, PayloadError> {
    let body = message.body(delivery.payload_format)?;
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("user-agent".to_owned(), USER_AGENT.to_owned()),
        ("webhook-id".to_owned(), message.id.to_string()),
        ("webhook-timestamp".to_owned(), at.as_secs().to_string()),
        (
            "webhook-signature".to_owned(),
            signature_header(secrets, &message.id, at, &body),
        ),
    ];
    let custom = subscription.headers.iter();
    headers.extend(custom.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Ok(WebhookRequest {
        url: subscription.url.clone(),
        headers,
        body,
        timeout: subscription.timeout,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::{NOW, delivery};
    use crate::message::Payload;

    #[test]
    fn no_time_is_measured_from_an_event_that_was_replayed() {
        let delivery = delivery(0);
        let at = |time: Timestamp| Message {
            id: delivery.id.message,
            customer_id: delivery.customer_id.clone(),
            event_type: delivery.event_type.clone(),
            time: time.to_string(),
            deadline: None,
            is_test: false,
            payload: Payload::new("{}"),
        };
        let yesterday = NOW - LONGEST_ON_ITS_WAY;
        assert_eq!(event_at(&delivery, &at(yesterday)), Some(yesterday));
        let before = yesterday - Duration::from_millis(1);
        assert_eq!(event_at(&delivery, &at(before)), None);
    }

    #[test]
    fn what_was_attempted_before_somebody_asked_was_sent_again() {
        let again = |earlier_attempts| {
            let delivery = Delivery {
                earlier_attempts,
                ..delivery(2)
            };
            DeliverySummary::from(&delivery).was_resent
        };
        assert_eq!([again(0), again(1), again(2)], [false, true, true]);
    }
}
