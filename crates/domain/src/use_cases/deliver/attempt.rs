//! One attempt: sign, send, queue the next attempt, record.

use std::time::Duration;

use crate::delivery::{
    Answer, Attempt, Delivery, DeliveryTask, DeliveryTrigger, ExchangeId, Terms, Verdict,
};
use crate::health::Observation;
use crate::ids::DeliveryId;
use crate::message::{BodyError, Message};
use crate::outbound::authentication::ClientIdentity;
use crate::outbound::{Credential, WebhookRequest, WebhookResponse, request_headers};
use crate::payload_shape::PayloadShape;
use crate::ports::{
    Clock, DataKeyStore, DeliveryQueue, DeliveryTable, KeyService, QueueError, TokenEndpoint,
    WebhookSender, WriteOutcome, with_sources,
};
use crate::read_shape::payload_shape;
use crate::retry::Jitter;
use crate::signing::{Secret, signature_header};
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;
use crate::vault::{Vault, VaultError};

use super::access::{Access, Client};
use super::health_monitor::HealthEffects;
use super::{DeferReason, Deliver, DeliverError, EndpointWarning, Recorded, Report};

/// An attempt that is due and admitted.
pub(super) struct DueAttempt<'a> {
    pub(super) task: &'a DeliveryTask,
    pub(super) delivery: &'a Delivery,
    pub(super) message: &'a Message,
    pub(super) subscription: &'a Subscription,
    pub(super) number: u32,
    /// True if it is the probe of a half-open circuit breaker.
    pub(super) is_probe: bool,
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
    /// Makes an attempt that is due.
    pub(super) async fn attempt(
        &self,
        due: &DueAttempt<'_>,
        end: Timestamp,
    ) -> Result<Report, DeliverError> {
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
        let recorded = self.record(due, &attempt, &verdict, next_is_queued).await?;
        // Done after the record. Otherwise a crash after a 410 would hold this delivery instead of
        // ending it. An attempt that is not recorded is repeated, and is observed then. A test is
        // not observed.
        let observed = match recorded {
            Recorded::Written if !is_test => {
                let monitor = &self.health_monitor;
                monitor.after(&self.table, due, observation, &verdict).await
            }
            _ => Ok(HealthEffects::default()),
        };
        // The attempt is made and recorded, so its task must not return: its next run would find
        // nothing to do, and nobody would hear of the attempt. The next attempt is observed again.
        let (HealthEffects { changes, warning }, health_failure) = match observed {
            Ok(effects) => (effects, None),
            Err(error) => (HealthEffects::default(), Some(with_sources(&error))),
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
            health_failure,
        })
    }

    /// Records an attempt with the decision that follows from it.
    async fn record(
        &self,
        due: &DueAttempt<'_>,
        attempt: &Attempt,
        verdict: &Verdict,
        next_is_queued: bool,
    ) -> Result<Recorded, DeliverError> {
        let (id, due_at) = (&due.delivery.id, due.delivery.next_attempt_at);
        match self.table.record(id, due_at, attempt, verdict).await {
            Ok(WriteOutcome::Written) => Ok(Recorded::Written),
            Ok(WriteOutcome::Conflict) if self.has(id, attempt).await => Ok(Recorded::Written),
            Ok(WriteOutcome::Conflict) => Ok(Recorded::Conflict),
            Err(_) if next_is_queued => Ok(Recorded::LeftToNextTask),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns true if the table has this attempt: the answer to its record was lost, and the client
    /// made the call again, which found its own write. Another run's attempt is another one.
    async fn has(&self, id: &DeliveryId, attempt: &Attempt) -> bool {
        let Ok((_, Some(stored))) = self.table.read(id).await else {
            return false;
        };
        let identity = |made: &Attempt| (made.number, made.at, made.duration_ms, made.outcome);
        let mut made = stored.attempts.iter().map(identity);
        made.any(|made| made == identity(attempt))
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
