//! Delivery tasks: the messages of the delivery queues, and their meaning for a delivery.

use std::time::Duration;

use crate::delivery::{Delivery, DeliveryStatus};
use crate::due::OVERDUE_AFTER;
use crate::ids::{CustomerId, DeliveryId};
use crate::limits::Reservation;
use crate::queue::{MAX_QUEUE_DELAY, QueueKind};
use crate::timestamp::Timestamp;

/// A message in a delivery queue, which asks for an attempt. It says only that there may be work:
/// the table decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryTask {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The number of the attempt, counted from 1.
    pub attempt: u32,
    /// The time at which the attempt is due, as planned by the previous attempt or by a resend.
    /// `None` for the first attempt.
    pub due_at: Option<Timestamp>,
    /// The reason why the attempt was deferred although it was due, if it was.
    pub deferral: Option<Deferral>,
    /// The queue that it goes through.
    pub queue: QueueKind,
}

/// The reason why a task was deferred although its attempt was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deferral {
    /// The circuit breaker of its endpoint was open.
    CircuitBreaker,
    /// The limits of its subscription were reached, and this is its reservation.
    Limiter(Reservation),
}

/// A task to put into the fast queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutgoingTask<'a> {
    /// The customer of the delivery.
    pub customer: &'a CustomerId,
    /// The task.
    pub task: DeliveryTask,
    /// The delay in the queue, at most [`MAX_QUEUE_DELAY`].
    pub delay: Duration,
}

/// A task of a batch that the queue refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedTask {
    /// Its index in the batch, from 0.
    pub index: usize,
    /// The queue's error code.
    pub code: String,
}

impl DeliveryTask {
    /// The task for an attempt, in the fast queue.
    pub fn new(delivery: DeliveryId, attempt: u32, due_at: Option<Timestamp>) -> Self {
        Self {
            delivery,
            attempt,
            due_at,
            deferral: None,
            queue: QueueKind::Fast,
        }
    }

    /// The task for the first attempt of a new delivery.
    pub fn first(delivery: DeliveryId) -> Self {
        Self::new(delivery, 1, None)
    }

    /// Its reservation, if the limiter has deferred it.
    pub fn reservation(&self) -> Option<Reservation> {
        match self.deferral {
            Some(Deferral::Limiter(reservation)) => Some(reservation),
            Some(Deferral::CircuitBreaker) | None => None,
        }
    }

    /// The time from which the lateness of its attempt counts, for a queue message that was sent at
    /// `sent_at`.
    ///
    /// This is the due time of the attempt, or its reservation. If the sweep or a redrive sent the
    /// task more than [`OVERDUE_AFTER`] late, the time counts from the sending, because the attempt
    /// may have been deferred meanwhile. `None` for a task that an open circuit breaker deferred,
    /// because that wait has no planned end.
    pub fn late_from(&self, sent_at: Option<Timestamp>) -> Option<Timestamp> {
        match (self.deferral, self.due_at) {
            (Some(Deferral::CircuitBreaker), _) => None,
            (Some(Deferral::Limiter(reservation)), _) => Some(reservation.not_before),
            (None, Some(due_at)) => Some(sent_at.map_or(due_at, |sent_at| {
                if sent_at.since(due_at) >= OVERDUE_AFTER {
                    sent_at
                } else {
                    due_at
                }
            })),
            (None, None) => sent_at,
        }
    }

    /// The same task in this queue.
    #[must_use]
    pub fn on(self, queue: QueueKind) -> Self {
        Self { queue, ..self }
    }

    /// The same task, deferred for this reason.
    #[must_use]
    pub fn deferred_by(self, deferral: Deferral) -> Self {
        Self {
            deferral: Some(deferral),
            ..self
        }
    }
}

/// The decision about a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskDecision {
    /// Make the attempt with this number.
    Attempt(u32),
    /// It is too early. Send the task again with this delay, which the queue can keep.
    Wait(Duration),
    /// There is nothing to do.
    Discard(DiscardReason),
}

/// The reason why there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardReason {
    /// There is no such delivery: it was never recorded, or it has expired.
    NoDelivery,
    /// The delivery is no longer pending.
    NotPending,
    /// The attempt was made and recorded.
    AttemptRecorded,
    /// Its due time is not the recorded one. There is another task for this attempt.
    Stray,
    /// It is far too early. The sweep sends another in time.
    NotDue,
    /// It would be deferred, and the sweep sends another every hour.
    LeftToSweep,
}

impl Delivery {
    /// Decides about a task now.
    ///
    /// A task for a later attempt than the next one stands for the next one, because the attempt
    /// between them crashed before it was recorded. If several tasks target the next attempt, only
    /// the one with the recorded due time is honoured. Otherwise two overlapping runs would start
    /// two chains of retries. No attempt is lost, because a run sends its task before it records
    /// the due time.
    pub fn decide(&self, task: &DeliveryTask, now: Timestamp) -> TaskDecision {
        if self.status != DeliveryStatus::Pending {
            return TaskDecision::Discard(DiscardReason::NotPending);
        }
        let next = self.next_attempt();
        if task.attempt < next {
            return TaskDecision::Discard(DiscardReason::AttemptRecorded);
        }
        if task.attempt == next && task.due_at != self.next_attempt_at {
            return TaskDecision::Discard(DiscardReason::Stray);
        }
        let wait = self
            .next_attempt_at
            .map_or(Duration::ZERO, |due_at| due_at.since(now));
        if wait.is_zero() {
            TaskDecision::Attempt(next)
        } else if wait <= MAX_QUEUE_DELAY {
            TaskDecision::Wait(wait)
        } else {
            TaskDecision::Discard(DiscardReason::NotDue)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::{NOW, delivery};
    use crate::delivery::{CancelReason, FailureReason, HoldReason};

    /// The task for this attempt, as the previous attempt sent it.
    fn task(attempt: u32) -> DeliveryTask {
        DeliveryTask::new(delivery(0).id, attempt, (attempt > 1).then_some(NOW))
    }

    #[test]
    fn a_task_for_a_recorded_attempt_is_discarded() {
        assert_eq!(delivery(0).decide(&task(1), NOW), TaskDecision::Attempt(1));
        assert_eq!(
            delivery(1).decide(&task(1), NOW),
            TaskDecision::Discard(DiscardReason::AttemptRecorded)
        );
        assert_eq!(delivery(1).decide(&task(2), NOW), TaskDecision::Attempt(2));
    }

    #[test]
    fn a_task_whose_predecessor_crashed_replaces_it() {
        assert_eq!(delivery(1).decide(&task(3), NOW), TaskDecision::Attempt(2));
    }

    #[test]
    fn only_the_task_with_the_recorded_due_time_is_honoured() {
        let stray = DeliveryTask {
            due_at: Some(NOW + Duration::from_millis(1)),
            ..task(2)
        };
        assert_eq!(
            delivery(1).decide(&stray, NOW),
            TaskDecision::Discard(DiscardReason::Stray)
        );
        assert_eq!(delivery(1).decide(&task(2), NOW), TaskDecision::Attempt(2));
    }

    #[test]
    fn a_task_from_before_a_resend_is_a_stray() {
        let again = NOW + Duration::from_mins(1);
        for attempts in [0, 2] {
            let reopened = Delivery {
                earlier_attempts: attempts,
                next_attempt_at: Some(again),
                ..delivery(attempts)
            };
            let old = task(attempts + 1);
            assert_eq!(
                reopened.decide(&old, again),
                TaskDecision::Discard(DiscardReason::Stray)
            );
            let new = DeliveryTask {
                due_at: Some(again),
                ..old
            };
            assert_eq!(
                reopened.decide(&new, again),
                TaskDecision::Attempt(attempts + 1)
            );
        }
    }

    #[test]
    fn a_task_that_arrives_too_early_waits_up_to_the_longest_queue_delay() {
        let mut delivery = delivery(1);
        let due_at = NOW + MAX_QUEUE_DELAY;
        delivery.next_attempt_at = Some(due_at);
        let task = DeliveryTask {
            due_at: Some(due_at),
            ..task(2)
        };
        assert_eq!(
            delivery.decide(&task, NOW),
            TaskDecision::Wait(MAX_QUEUE_DELAY)
        );
        assert_eq!(delivery.decide(&task, due_at), TaskDecision::Attempt(2));
        let earlier = NOW - Duration::from_millis(1);
        assert_eq!(
            delivery.decide(&task, earlier),
            TaskDecision::Discard(DiscardReason::NotDue)
        );
    }

    #[test]
    fn only_a_pending_delivery_is_attempted() {
        for status in [
            DeliveryStatus::Held(HoldReason::NotActive),
            DeliveryStatus::Held(HoldReason::EndpointUnavailable),
            DeliveryStatus::Succeeded,
            DeliveryStatus::Failed(FailureReason::AttemptsExhausted),
            DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted),
        ] {
            let delivery = Delivery {
                status,
                ..delivery(0)
            };
            assert_eq!(
                delivery.decide(&task(1), NOW),
                TaskDecision::Discard(DiscardReason::NotPending)
            );
        }
    }
}
