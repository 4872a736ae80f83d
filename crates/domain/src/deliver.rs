//! One queue message: read, check, sign, send, schedule the next, record.
//!
//! The order of the effects is the guarantee. The next attempt is queued
//! **before** this one is recorded: a crash in between repeats this attempt, and
//! never loses the next. Every error in here is a failure of ours; it costs no
//! attempt, and the queue brings the message back.

use ring::rand::SystemRandom;

use crate::delivery::{
    Attempt, CancelReason, Delivery, DeliveryStatus, DropReason, Duty, FailureReason, Hint, Verdict,
};
use crate::message::{Message, PayloadError};
use crate::outbound::{WebhookRequest, WebhookSender};
use crate::ports::{
    Clock, DataKeyStore, DeliveryQueue, DeliveryStore, KeyService, MAX_QUEUE_DELAY, QueueError,
    StoreError, SubscriptionStore, SubscriptionSwitch, WriteOutcome,
};
use crate::retry::{Jitter, RetryPolicy};
use crate::signing::{Secret, signature_header};
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::timestamp::Timestamp;
use crate::vault::{Vault, VaultError};

/// How we name ourselves to an endpoint.
const USER_AGENT: &str = concat!("webhooks/", env!("CARGO_PKG_VERSION"));

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
        /// Whether it was recorded, or another run had recorded it first.
        recorded: WriteOutcome,
    },
    /// The delivery was set to `held` or `cancelled` without an attempt.
    Settled(DeliveryStatus),
    /// It was too early; the queue was asked to bring the message back.
    Waiting,
    /// There was nothing to do.
    Dropped(DropReason),
}

/// The delivery of webhooks, with its surroundings.
///
/// `T` is the table, in its three roles here; the vault brings its own.
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
    /// The stack's retry policy.
    pub policy: RetryPolicy,
    /// Where jitter comes from.
    pub random: SystemRandom,
}

impl<T, Q, W, S, K, C> Deliver<T, Q, W, Vault<S, K, C>, C>
where
    T: DeliveryStore + SubscriptionStore + SubscriptionSwitch,
    Q: DeliveryQueue,
    W: WebhookSender,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// Does what a queue message asks for. Safe to run again at any time.
    pub async fn run(&self, hint: &Hint) -> Result<Report, DeliverError> {
        let id = &hint.delivery;
        let Some((delivery, message)) = self.table.load(id).await? else {
            return Ok(Report::Dropped(DropReason::NoDelivery));
        };
        match delivery.duty(hint, self.clock.now()) {
            Duty::Drop(reason) => Ok(Report::Dropped(reason)),
            Duty::Wait(remaining) => {
                self.queue
                    .send(hint, remaining.min(MAX_QUEUE_DELAY))
                    .await?;
                Ok(Report::Waiting)
            }
            Duty::Attempt(number) => {
                let subscription = self
                    .table
                    .get(&delivery.customer_id, &id.subscription)
                    .await?;
                match subscription {
                    None => {
                        let reason = CancelReason::SubscriptionDeleted;
                        self.settle(&delivery, DeliveryStatus::Cancelled(reason))
                            .await
                    }
                    Some(subscription) if subscription.status != SubscriptionStatus::Active => {
                        self.settle(&delivery, DeliveryStatus::Held).await
                    }
                    Some(subscription) => {
                        self.attempt(&delivery, &message, &subscription, number)
                            .await
                    }
                }
            }
        }
    }

    async fn settle(
        &self,
        delivery: &Delivery,
        status: DeliveryStatus,
    ) -> Result<Report, DeliverError> {
        let made = delivery.next_attempt() - 1;
        match self.table.settle(&delivery.id, made, status).await? {
            WriteOutcome::Written => Ok(Report::Settled(status)),
            WriteOutcome::Overtaken => Ok(Report::Dropped(DropReason::NotPending)),
        }
    }

    async fn attempt(
        &self,
        delivery: &Delivery,
        message: &Message,
        subscription: &Subscription,
        number: u32,
    ) -> Result<Report, DeliverError> {
        let at = self.clock.now();
        let secrets = self.vault.open_all(subscription, at).await?;
        let response = self
            .sender
            .send(request(message, subscription, &secrets, at)?)
            .await;

        let now = self.clock.now();
        let jitter = Jitter::random(&self.random);
        let verdict = delivery.decide(number, &response, &self.policy, now, jitter);
        if let Verdict::RetryAt(due_at) = verdict {
            let next = Hint {
                delivery: delivery.id,
                attempt: number + 1,
                due_at: Some(due_at),
            };
            self.queue
                .send(&next, due_at.since(now).min(MAX_QUEUE_DELAY))
                .await?;
        }
        let attempt = Attempt {
            number,
            at,
            duration_ms: response.duration_ms,
            outcome: response.outcome,
            status: response.status,
            error: response.error,
            response_excerpt: response.excerpt,
        };
        let recorded = self.table.record(&delivery.id, &attempt, &verdict).await?;
        if verdict == Verdict::Ended(DeliveryStatus::Failed(FailureReason::EndpointGone)) {
            // Last: were it first, a crash would hold this delivery instead of ending it.
            // Overtaken means that somebody changed it since: then their word counts.
            self.table.disable(subscription, now).await?;
        }
        Ok(Report::Attempted {
            attempt,
            verdict,
            recorded,
        })
    }
}

/// The request of one attempt: same id and body every time, its own timestamp
/// and signatures (Standard Webhooks 1.0.0).
fn request(
    message: &Message,
    subscription: &Subscription,
    secrets: &[Secret],
    at: Timestamp,
) -> Result<WebhookRequest, PayloadError> {
    let body = message.body()?;
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
    })
}
