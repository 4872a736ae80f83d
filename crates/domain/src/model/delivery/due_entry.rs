//! The entries of the `due` index.

use std::time::Duration;

use crate::delivery::{Delivery, DeliveryTask, OutgoingTask};
use crate::due::{NextAttempt, OVERDUE_AFTER};
use crate::ids::CustomerId;
use crate::timestamp::Timestamp;

/// A delivery that the sweep must check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueEntry {
    /// The customer of the delivery.
    pub customer: CustomerId,
    /// The task to send.
    pub task: DeliveryTask,
    /// The time from which the sweep must check it.
    pub sweep_at: Timestamp,
}

impl DueEntry {
    /// The entry of a delivery with this next attempt.
    pub fn of(delivery: &Delivery, next: &NextAttempt) -> Self {
        Self {
            customer: delivery.customer_id.clone(),
            task: DeliveryTask::new(delivery.id, delivery.next_attempt(), Some(next.due_at)),
            sweep_at: next.sweep_at,
        }
    }

    /// Its task, to be sent now.
    pub fn outgoing(&self, now: Timestamp) -> OutgoingTask<'_> {
        OutgoingTask {
            customer: &self.customer,
            task: self.task,
            delay: self.queue_delay(now),
        }
    }

    /// The delay of its task in the queue.
    pub fn queue_delay(&self, now: Timestamp) -> Duration {
        self.task
            .due_at
            .map_or(Duration::ZERO, |due_at| due_at.since(now))
    }

    /// Returns true if the sweep sends its task, because the wait is too long for the queue.
    pub fn is_left_to_sweep(&self) -> bool {
        self.task
            .due_at
            .is_some_and(|due_at| self.sweep_at < due_at)
    }

    /// Returns true if its attempt is overdue.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.task
            .due_at
            .is_some_and(|due_at| now.since(due_at) >= OVERDUE_AFTER)
    }

    /// The time of the next check, after its task was sent.
    pub fn sweep_again_at(&self, now: Timestamp) -> Timestamp {
        now + self.queue_delay(now) + OVERDUE_AFTER
    }
}
