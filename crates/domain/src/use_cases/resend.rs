//! Sending a delivery again, because somebody asks for it.
//!
//! The delivery is made pending **before** its task is queued: a task that came first
//! would find it ended and be dropped. The write puts it into the `due` index, so that
//! the sweep finds what a crash in between, or a queue that takes nothing, left without a
//! task.

use futures_util::future::try_join_all;

use crate::delivery::{Delivery, DueEntry, ReopenError};
use crate::due::{LongestQueueDelay, NextAttempt};
use crate::ids::{DeliveryId, SubscriptionId};
use crate::ports::{
    Clock, DeliveryQueue, DeliveryStore, DueIndex, StoreError, SubscriptionStore, WriteOutcome,
};
use crate::queue::MAX_QUEUE_BATCH;
use crate::read_subscription::{ReadError, read_subscription};
use crate::subscription::SubscriptionStatus;

/// Why a delivery was not sent again.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    /// There is no such delivery, or it has expired.
    #[error("there is no delivery `{0}`")]
    NotFound(DeliveryId),
    /// Nothing is sent to its subscription: it is paused, disabled or deleted.
    #[error("subscription `{0}`: must be active")]
    NotActive(SubscriptionId),
    /// Not everything of it, or of its message, can be read.
    #[error("delivery `{delivery}` is stored in a form that cannot be read: {problem}")]
    Broken {
        /// Which one.
        delivery: DeliveryId,
        /// What cannot be read.
        problem: String,
    },
    /// Its subscription cannot be read.
    #[error(transparent)]
    Subscription(#[from] ReadError),
    /// It cannot be, as it is.
    #[error(transparent)]
    Reopen(#[from] ReopenError),
    /// Somebody else changed it at the same time.
    #[error("delivery `{0}` was changed at the same time: read it and try again")]
    Conflict(DeliveryId),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sends deliveries again, with its surroundings.
#[derive(Debug)]
pub struct Resend<T, Q, C> {
    /// Deliveries, subscriptions and the `due` index.
    pub table: T,
    /// Where attempts are asked for.
    pub queue: Q,
    /// Who tells the time.
    pub clock: C,
}

impl<T, Q, C> Resend<T, Q, C>
where
    T: DeliveryStore + SubscriptionStore + DueIndex,
    Q: DeliveryQueue,
    C: Clock,
{
    /// Begins again with a delivery that has ended or is held; its next attempt is due
    /// at once. Gives it as it is then.
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
            // Or it was this very write, whose first answer was lost.
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

    /// Queues the tasks of entries that the `due` index has. What the queue does not take
    /// is left to the next sweep.
    pub(crate) async fn ask_for_attempts(&self, entries: &[DueEntry]) -> Result<(), StoreError> {
        for batch in entries.chunks(MAX_QUEUE_BATCH) {
            let now = self.clock.now();
            let tasks: Vec<_> = batch.iter().map(|due| due.outgoing(now)).collect();
            let not_taken: Vec<_> = match self.queue.send_batch(&tasks).await {
                Ok(refused) => refused
                    .iter()
                    .map(|refused| &batch[refused.index])
                    .collect(),
                Err(_) => batch.iter().collect(),
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
