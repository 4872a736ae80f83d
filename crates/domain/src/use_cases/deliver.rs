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
    Answer, Attempt, Delivery, DeliveryStatus, DeliveryTask, DeliveryTrigger, DiscardReason,
    ExchangeId, FailureReason, TaskDecision, Terms, Verdict,
};
use crate::due::LongestQueueDelay;
use crate::health::Observation;
use crate::ids::DeliveryId;
use crate::limiter;
use crate::limits::LimiterId;
use crate::message::{BodyError, Message, PayloadError};
use crate::outbound::authentication::ClientIdentity;
use crate::outbound::{Credential, WebhookRequest, WebhookResponse, request_headers};
use crate::payload_shape::PayloadShape;
use crate::ports::{
    Clock, DataKeyStore, DeliveryQueue, DeliveryTable, KeyService, QueueError, StoreError,
    TokenEndpoint, WebhookSender, WriteOutcome,
};
use crate::read_shape::payload_shape;
use crate::retry::{Jitter, RetryPolicy};
use crate::signing::{Secret, signature_header};
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;
use crate::vault::{Vault, VaultError};

use access::{Access, Client};
use admit::AdmissionOutcome;
pub use customer_limits::CustomerLimits;
use health_monitor::HealthEffects;
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
                let customer = &delivery.customer_id;
                // Both are read at once, so that the second read adds no time.
                let (subscription, customer_limit) = join(
                    self.table.get(customer, &id.subscription),
                    self.customer_limits.of(&self.table, &self.clock, customer),
                )
                .await;
                let outcome = match subscription {
                    Ok(Some(found)) if !found.has_readable_filter() => {
                        self.settle(&delivery, UNREADABLE).await?
                    }
                    Ok(found) => {
                        self.admit(task, &delivery, &message, found, customer_limit?)
                            .await?
                    }
                    // This is the subscription's own failure, and a retry does not help.
                    Err(StoreError::Corrupt { .. }) => self.settle(&delivery, UNREADABLE).await?,
                    Err(failure) => return Err(failure.into()),
                };
                let permit = match outcome {
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
                let entered_at = self.clock.now();
                let report = self.attempt(&due, end).await;
                if let Some(lease) = permit.lease {
                    let held = self.clock.now().since(entered_at);
                    let limiter = LimiterId::Subscription(id.subscription);
                    // A lease that cannot be released expires.
                    let _ = limiter::release(&self.table, &limiter, lease, Some(held)).await;
                }
                let report = match report {
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
            }),
        )
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
        let mut secret_headers = self.vault.open_headers(subscription).await?;
        let credential = self.credential(subscription).await?;
        secret_headers.extend(credential.as_ref().and_then(header));
        secret_headers.sort_unstable();
        let shape = payload_shape(&self.table, delivery, Some(subscription)).await?;
        let shape = shape.ok_or(DeliverError::NoShape)?;
        let request = WebhookRequest {
            identity: identity(credential.as_ref(), subscription),
            ..request(due, &shape, &secrets, &secret_headers, at)?
        };
        let client = Client::of(credential.as_ref(), subscription);
        let started = self.clock.now();
        let access = match client {
            Some(client) => Some((client, self.access(due, client).await?)),
            None => None,
        };
        if let Some((_, Access::Wait(delay))) = access {
            let customer = &delivery.customer_id;
            self.queue.send(customer, due.task, delay).await?;
            return Ok(Report::Deferred(DeferReason::AwaitsToken));
        }
        // After every read, because each takes time. An attempt without a token sends nothing, so it
        // needs no time; it must not return to the queue until the queue gives it up.
        let sends = !matches!(access, Some((_, Access::Failed(_))));
        if sends && self.clock.now() + self.time_for_attempt > end {
            if let Some((_, access)) = access {
                self.give_back(due, access).await;
            }
            return Err(DeliverError::OutOfTime);
        }
        let mut response = match access {
            Some((client, access)) => self.send_with(access, due, client, request, started).await,
            None => self.sender.send(request).await,
        };
        let values = secret_headers.iter().map(|(_, value)| value.as_str());
        response.hide(values.chain(credential.as_ref().and_then(Credential::secret)));

        let now = self.clock.now();
        let observation = Observation::of(&response, now);
        let is_test = delivery.trigger == DeliveryTrigger::Test;
        let verdict = self.verdict(due, &response, now);
        let answer = Answer::of(&response, delivery);
        let (next_is_queued, is_stored) = futures_util::join!(
            self.queue_next(due, &verdict, now),
            self.store_long_body(due, &answer, at),
        );
        let next_is_queued = next_is_queued?;
        let kept = answer.kept(is_stored);
        let attempt = Attempt {
            number,
            at,
            duration_ms: response.duration_ms,
            outcome: response.outcome,
            status: response.status,
            error: response.error,
            addresses: response.addresses,
            request_version: subscription.request_version,
            timings: response.timings,
            response_headers: kept.headers,
            response_excerpt: kept.excerpt,
            answer_body: kept.body,
        };
        let (table, due_at) = (&self.table, delivery.next_attempt_at);
        let recorded = match table.record(&delivery.id, due_at, &attempt, &verdict).await {
            Ok(WriteOutcome::Written) => Recorded::Written,
            Ok(WriteOutcome::Conflict) => Recorded::Conflict,
            Err(_) if next_is_queued => Recorded::LeftToNextTask,
            Err(error) => return Err(error.into()),
        };
        // Done after the record. Otherwise a crash after a 410 would hold this delivery instead of
        // ending it. An attempt that is not recorded is repeated, and is observed then. A test is
        // not observed.
        let HealthEffects { changes, warning } = match recorded {
            Recorded::Written if !is_test => {
                self.health_monitor
                    .after(&self.table, due, observation, &verdict)
                    .await?
            }
            _ => HealthEffects::default(),
        };
        let warning = warning.map(|warning| {
            let endpoint = subscription.url.without_query();
            Box::new(EndpointWarning { warning, endpoint })
        });
        Ok(Report::Attempted {
            attempt,
            verdict,
            recorded,
            event_at: event_at(delivery, message),
            summary: delivery.into(),
            changes,
            warning,
        })
    }

    /// The decision about a delivery after an attempt.
    fn verdict(&self, due: &DueAttempt<'_>, response: &WebhookResponse, now: Timestamp) -> Verdict {
        let (delivery, subscription) = (due.delivery, due.subscription);
        if delivery.trigger == DeliveryTrigger::Test {
            return Verdict::after_test(response);
        }
        let terms = Terms {
            policy: subscription.retry_policy.as_ref().unwrap_or(&self.policy),
            earlier_attempts: delivery.earlier_attempts,
            deadline: delivery.deadline(due.message),
            jitter: Jitter::random(&self.random),
            longest_queue_delay: self.longest_queue_delay,
        };
        Verdict::after(due.number, response, &terms, now)
    }

    /// The authentication of the subscription, with its secret.
    async fn credential(
        &self,
        subscription: &Subscription,
    ) -> Result<Option<Credential>, VaultError> {
        match &subscription.authentication {
            Some(sealed) => Ok(Some(
                self.vault.open_credential(sealed, subscription).await?,
            )),
            None => Ok(None),
        }
    }

    /// Stores a long answer beside the attempt. Returns true if it is stored.
    ///
    /// This is best-effort: without it the attempt keeps the beginning of the answer, and an answer
    /// that cannot be stored must not cost the delivery anything.
    async fn store_long_body(
        &self,
        due: &DueAttempt<'_>,
        answer: &Answer<'_>,
        at: Timestamp,
    ) -> bool {
        let Some(body) = answer.long_body() else {
            return false;
        };
        let id = ExchangeId {
            delivery: due.delivery.id,
            attempt: due.number,
            at,
        };
        let stored = self.table.store_body(&id, body, due.delivery.expires_at);
        stored.await.is_ok()
    }

    /// Queues the task for the next attempt, if its wait is short enough for the queue.
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

/// An attempt that is due and admitted.
struct DueAttempt<'a> {
    task: &'a DeliveryTask,
    delivery: &'a Delivery,
    message: &'a Message,
    subscription: &'a Subscription,
    number: u32,
    /// True if it is the probe of a half-open circuit breaker.
    is_probe: bool,
}

/// The longest time until an event arrives here: the rule retries for this long.
const LONGEST_ARRIVAL: Duration = Duration::from_hours(24);

/// The time of the event. `None` if it is long before the delivery was prepared: then the event was
/// replayed, or the producer set another time, and a latency has no meaning. If the event waits for
/// its first attempt, the time at which that is due.
fn event_at(delivery: &Delivery, message: &Message) -> Option<Timestamp> {
    let at = Timestamp::parse_rfc3339(&message.time)
        .filter(|at| delivery.created_at.since(*at) <= LONGEST_ARRIVAL)?;
    Some(
        message
            .deliver_at
            .map_or(at, |deliver_at| deliver_at.max(at)),
    )
}

/// The header of an authentication, if it has one, without a value if that is an access token.
fn header(credential: &Credential) -> Option<(String, String)> {
    let name = credential.authentication().header_name()?.to_owned();
    Some(credential.header().unwrap_or((name, String::new())))
}

/// The request of one attempt. The body is the same for every attempt.
fn request(
    due: &DueAttempt<'_>,
    shape: &PayloadShape,
    secrets: &[Secret],
    secret_headers: &[(String, String)],
    at: Timestamp,
) -> Result<WebhookRequest, DeliverError> {
    let (message, subscription) = (due.message, due.subscription);
    let body = message.body(shape, due.delivery.link.as_deref());
    let body = body.map_err(|error| match error {
        BodyError::TooLarge => DeliverError::BodyTooLarge,
        BodyError::Payload(unreadable) => unreadable.into(),
    })?;
    let signature = signature_header(secrets, &message.id, at, &body);
    Ok(WebhookRequest {
        method: subscription.method,
        url: subscription.url.with_query(&subscription.query),
        headers: request_headers(
            shape.content_type(),
            &message.id,
            at,
            signature,
            &subscription.headers,
            secret_headers.iter().cloned(),
        ),
        body,
        timeout: subscription.timeout,
        spent: Duration::ZERO,
        identity: None,
    })
}

/// The client certificate of the connection, for this subscription only.
fn identity(
    credential: Option<&Credential>,
    subscription: &Subscription,
) -> Option<Box<ClientIdentity>> {
    let certificate = credential?.certificate()?.clone();
    let Subscription {
        customer_id,
        id,
        url,
        ..
    } = subscription;
    Some(Box::new(ClientIdentity::new(
        customer_id,
        id,
        url,
        certificate,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::{NOW, delivery};
    use crate::message::Payload;

    #[test]
    fn no_latency_is_measured_for_a_replayed_event() {
        let delivery = delivery(0);
        let at = |time: Timestamp| Message {
            id: delivery.id.message,
            customer_id: delivery.customer_id.clone(),
            event_type: delivery.event_type.clone(),
            time: time.to_string(),
            deadline: None,
            deliver_at: None,
            cancelled_at: None,
            is_test: false,
            payload: Payload::new("{}"),
        };
        let yesterday = NOW - LONGEST_ARRIVAL;
        assert_eq!(event_at(&delivery, &at(yesterday)), Some(yesterday));
        let before = yesterday - Duration::from_millis(1);
        assert_eq!(event_at(&delivery, &at(before)), None);
    }
}
