//! Cancelling what is still pending of a message.
//!
//! The message is marked **before** its deliveries are read. A delivery that its event makes later,
//! by a duplicate or by a later page of subscriptions, is cancelled when its attempt is due: the
//! attempt reads the message anyway. So the mark alone stops everything that is not sent yet, and the
//! writes to the deliveries only make that visible at once.
//!
//! An attempt that is under way ends as it would, and is added to the cancelled delivery.

use futures_util::future::try_join_all;

use crate::delivery::{Delivery, DeliveryStatus};
use crate::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use crate::ports::{CancelTable, Clock, StoreError, WriteOutcome};
use crate::timestamp::Timestamp;

/// The number of deliveries that are cancelled concurrently.
const AT_ONCE: usize = 20;
/// The number of times that a delivery is read again after a concurrent change. Each change is an
/// attempt that was recorded, so more than one in a moment is unlikely.
const MAX_TRIES: u32 = 3;

/// The reason why a message was not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// There is no such message of the customer, or it has expired.
    #[error("there is no message `{0}`")]
    NotFound(MessageId),
    /// A delivery was changed again and again.
    #[error("delivery `{0}` was changed at the same time: try again")]
    Conflict(DeliveryId),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A page of a message's deliveries after they were cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    /// The time at which the message was cancelled first.
    pub cancelled_at: Timestamp,
    /// The number of deliveries that this request has cancelled.
    pub cancelled: u32,
    /// The number of those whose attempt was due: a request may be under way.
    pub due: u32,
    /// The number of deliveries that had ended before.
    pub ended: u32,
    /// The number of deliveries that cannot be read. They are cancelled when an attempt is due.
    pub broken: u32,
    /// The last subscription of the page. `None` on the last page.
    pub next: Option<SubscriptionId>,
}

/// The result for a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Cancelled,
    CancelledWhileDue,
    Ended,
}

/// Cancels messages, with its ports.
#[derive(Debug)]
pub struct Cancel<T, C> {
    /// Messages and deliveries.
    pub table: T,
    /// Tells the time.
    pub clock: C,
}

impl<T: CancelTable, C: Clock> Cancel<T, C> {
    /// Cancels a message, and at most `limit` of its deliveries to subscriptions after the given one.
    /// It is safe to repeat at any time.
    pub async fn run(
        &self,
        customer: &CustomerId,
        id: &MessageId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<Cancellation, CancelError> {
        let now = self.clock.now();
        let message = self.table.message(id).await?;
        let message = message.filter(|message| message.customer_id == *customer);
        let message = message.ok_or(CancelError::NotFound(*id))?;
        let cancelled_at = if let Some(before) = message.cancelled_at {
            before
        } else {
            if self.table.mark_cancelled(id, now).await? == WriteOutcome::Conflict {
                return Err(CancelError::NotFound(*id));
            }
            now
        };
        let page = self.table.deliveries_of_message(id, after, limit).await?;
        let mut cancellation = Cancellation {
            cancelled_at,
            cancelled: 0,
            due: 0,
            ended: 0,
            broken: 0,
            next: None,
        };
        if page.has_more {
            let last = page.entries.last();
            cancellation.next = last.map(|last| {
                last.as_ref()
                    .map_or_else(|broken| broken.id, |read| read.id)
                    .subscription
            });
        }
        let (mut read, mut broken) = (Vec::new(), 0);
        for entry in page.entries {
            match entry {
                Ok(delivery) => read.push(delivery),
                Err(_) => broken += 1,
            }
        }
        cancellation.broken = broken;
        for part in read.chunks(AT_ONCE) {
            let part = part.iter().map(|delivery| self.cancel(delivery, now));
            for outcome in try_join_all(part).await? {
                cancellation.add(outcome);
            }
        }
        Ok(cancellation)
    }

    async fn cancel(&self, delivery: &Delivery, now: Timestamp) -> Result<Outcome, CancelError> {
        let id = delivery.id;
        let mut delivery = delivery.clone();
        for _ in 0..MAX_TRIES {
            let is_due = match delivery.status {
                DeliveryStatus::Pending => delivery.next_attempt_at.is_none_or(|due| due <= now),
                DeliveryStatus::Held(_) => false,
                DeliveryStatus::Succeeded
                | DeliveryStatus::Failed(_)
                | DeliveryStatus::Cancelled(_) => return Ok(Outcome::Ended),
            };
            match self.table.cancel(&delivery).await? {
                WriteOutcome::Written if is_due => return Ok(Outcome::CancelledWhileDue),
                WriteOutcome::Written => return Ok(Outcome::Cancelled),
                WriteOutcome::Conflict => {}
            }
            match self.table.load(&id).await? {
                Some((changed, _)) => delivery = changed,
                // It has expired.
                None => return Ok(Outcome::Ended),
            }
        }
        Err(CancelError::Conflict(id))
    }
}

impl Cancellation {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Cancelled => self.cancelled += 1,
            Outcome::CancelledWhileDue => {
                self.cancelled += 1;
                self.due += 1;
            }
            Outcome::Ended => self.ended += 1,
        }
    }
}
