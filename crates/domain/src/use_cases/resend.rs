//! Resending a delivery on request.
//!
//! The delivery is made pending **before** its task is queued: a task that came first would find
//! the delivery ended, and be discarded. The write also adds the delivery to the `due` index. So
//! the sweep finds it if a crash, or a queue that refuses messages, leaves it without a task.

use futures_util::future::try_join_all;

use crate::delivery::{Delivery, DueEntry, ReopenError};
use crate::due::{LongestQueueDelay, NextAttempt};
use crate::ids::{DeliveryId, SubscriptionId};
use crate::ports::{Clock, DeliveryQueue, ResendTable, StoreError, WriteOutcome};
use crate::queue::MAX_QUEUE_BATCH;
use crate::read_subscription::{ReadError, read_subscription};
use crate::subscription::SubscriptionStatus;

/// The reason why a delivery was not resent.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    /// There is no such delivery, or it has expired.
    #[error("there is no delivery `{0}`")]
    NotFound(DeliveryId),
    /// Its subscription is paused, disabled or deleted, so nothing may be sent to it.
    #[error("subscription `{0}`: must be active")]
    NotActive(SubscriptionId),
    /// It, or its message, cannot be read completely.
    #[error("delivery `{delivery}` is stored in a form that cannot be read: {problem}")]
    Broken {
        /// The delivery.
        delivery: DeliveryId,
        /// The problem.
        problem: String,
    },
    /// Its subscription cannot be read.
    #[error(transparent)]
    Subscription(#[from] ReadError),
    /// Its status does not allow it.
    #[error(transparent)]
    Reopen(#[from] ReopenError),
    /// There was a concurrent change.
    #[error("delivery `{0}` was changed at the same time: read it and try again")]
    Conflict(DeliveryId),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Resends deliveries, with its ports.
#[derive(Debug)]
pub struct Resend<T, Q, C> {
    /// Deliveries, subscriptions and the `due` index.
    pub table: T,
    /// The queue for the tasks.
    pub queue: Q,
    /// Tells the time.
    pub clock: C,
}

impl<T, Q, C> Resend<T, Q, C>
where
    T: ResendTable,
    Q: DeliveryQueue,
    C: Clock,
{
    /// Makes a delivery that has ended or is held pending again; its next attempt is due at once.
    /// Returns the changed delivery.
    pub async fn run(&self, id: &DeliveryId) -> Result<Delivery, ResendError> {
        let now = self.clock.now();
        let next = NextAttempt::plan(now, now, LongestQueueDelay::MAX);
        let (read, message) = self.load(id).await?;
        let reopening = read.reopen(&message, next)?;
        let subscription =
            read_subscription(&self.table, &read.customer_id, &id.subscription).await?;
        if subscription.is_none_or(|found| found.status != SubscriptionStatus::Active) {
            return Err(ResendError::NotActive(id.subscription));
        }
        let mut reopened = reopening.reopened();
        if self.table.reopen(&reopening).await? == WriteOutcome::Conflict {
            // The conflict may come from this write itself, repeated after its response was lost.
            let (stored, _) = self.load(id).await?;
            if stored.resend_task() != Some(reopening.due().task) {
                return Err(ResendError::Conflict(*id));
            }
            reopened = stored;
        }
        self.ask_for_attempts(&[reopening.due()]).await?;
        Ok(reopened)
    }

    async fn load(
        &self,
        id: &DeliveryId,
    ) -> Result<(Delivery, crate::message::Message), ResendError> {
        match self.table.load(id).await {
            Ok(found) => found.ok_or(ResendError::NotFound(*id)),
            Err(unreadable @ StoreError::Corrupt { .. }) => Err(ResendError::Broken {
                delivery: *id,
                problem: unreadable.to_string(),
            }),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Queues the tasks of entries that are in the `due` index, except those whose wait is too long
    /// for the queue. Tasks that the queue refuses are left to the next sweep.
    pub(crate) async fn ask_for_attempts(&self, entries: &[DueEntry]) -> Result<(), StoreError> {
        let soon = entries.iter().filter(|due| !due.is_left_to_sweep());
        let entries: Vec<_> = soon.collect();
        for batch in entries.chunks(MAX_QUEUE_BATCH) {
            let now = self.clock.now();
            let tasks: Vec<_> = batch.iter().map(|due| due.outgoing(now)).collect();
            let not_taken: Vec<_> = match self.queue.send_batch(&tasks).await {
                Ok(refused) => refused.iter().map(|refused| batch[refused.index]).collect(),
                Err(_) => batch.to_vec(),
            };
            // A conflict means that another write came first.
            let swept = not_taken.into_iter().map(|due| {
                let next_sweep = due.task.due_at.unwrap_or(now);
                self.table.postpone(due, next_sweep)
            });
            try_join_all(swept).await?;
        }
        Ok(())
    }
}
