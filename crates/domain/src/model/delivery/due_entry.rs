//! The entries of the `due` index.

use std::time::Duration;

use crate::delivery::{Delivery, DeliveryTask, OutgoingTask};
use crate::due::{NextAttempt, OVERDUE_AFTER};
use crate::ids::CustomerId;
use crate::timestamp::Timestamp;

/// A delivery that the sweeper has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueEntry {
    /// Whose delivery it is.
    pub customer: CustomerId,
    /// What to send for it.
    pub task: DeliveryTask,
    /// Since when.
    pub sweep_at: Timestamp,
}

impl DueEntry {
    /// The entry of a delivery whose next attempt is planned so.
    pub fn of(delivery: &Delivery, next: &NextAttempt) -> Self {
        Self {
            customer: delivery.customer_id.clone(),
            task: DeliveryTask::new(delivery.id, delivery.next_attempt(), Some(next.due_at)),
            sweep_at: next.sweep_at,
        }
    }

    /// Its task, to send now.
    pub fn outgoing(&self, now: Timestamp) -> OutgoingTask<'_> {
        OutgoingTask {
            customer: &self.customer,
            task: self.task,
            delay: self.queue_delay(now),
        }
    }

    /// How long the queue is to keep its task.
    pub fn queue_delay(&self, now: Timestamp) -> Duration {
        self.task
            .due_at
            .map_or(Duration::ZERO, |due_at| due_at.since(now))
    }

    /// Whether its attempt should have been made long ago.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.task
            .due_at
            .is_some_and(|due_at| now.since(due_at) >= OVERDUE_AFTER)
    }

    /// When to look again, after its task was sent.
    pub fn sweep_again_at(&self, now: Timestamp) -> Timestamp {
        now + self.queue_delay(now) + OVERDUE_AFTER
    }
}
