//! What a queue message asks for, held against the delivery.

use std::time::Duration;

use crate::delivery::{Delivery, DeliveryStatus};
use crate::due::OVERDUE_AFTER;
use crate::ids::DeliveryId;
use crate::limits::Reservation;
use crate::ports::MAX_QUEUE_DELAY;
use crate::timestamp::Timestamp;

/// What a message in the delivery queue asks for. Only a task: the table decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryTask {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The number of the attempt, counted from 1.
    pub attempt: u32,
    /// When the attempt is due, as planned by the run that made the one before it, or by
    /// who asked to send it again; `None` for the first of all.
    pub due_at: Option<Timestamp>,
    /// Why it is on its way again although it was due, if it is.
    pub deferral: Option<Deferral>,
    /// On which way it comes.
    pub queue: QueueKind,
}

/// The queue that a task goes through. Each has copies of the function to itself, so that
/// what is slow holds up nothing but what is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum QueueKind {
    /// The delivery queue.
    #[default]
    Fast,
    /// The queue for endpoints that take long to answer.
    Slow,
}

impl QueueKind {
    /// Whether it is the usual one, which needs no mention.
    pub fn is_fast(&self) -> bool {
        *self == Self::Fast
    }
}

/// Why a task whose attempt is due was put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deferral {
    /// The circuit of its subscription was open.
    CircuitBreaker,
    /// Its subscription has limits, and this is its reservation.
    Limiter(Reservation),
}

impl DeliveryTask {
    /// The task for an attempt, as it is sent when the attempt becomes due.
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

    /// Its reservation, if it waits in a line.
    pub fn reservation(&self) -> Option<Reservation> {
        match self.deferral {
            Some(Deferral::Limiter(reservation)) => Some(reservation),
            Some(Deferral::CircuitBreaker) | None => None,
        }
    }

    /// From when on its attempt is late, for a queue message that was sent at this time.
    ///
    /// The planned time of the attempt, or of its turn in a line. An attempt that the sweep, or
    /// whoever emptied a dead-letter queue, asked for again after [`OVERDUE_AFTER`] is due when
    /// it was asked for: it may have waited for a circuit or in a line. `None` for one that
    /// waited for a circuit, since that has no planned end.
    pub fn late_from(&self, sent_at: Option<Timestamp>) -> Option<Timestamp> {
        match (self.deferral, self.due_at) {
            (Some(Deferral::CircuitBreaker), _) => None,
            (Some(Deferral::Limiter(turn)), _) => Some(turn.not_before),
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

    /// The same task on this queue.
    #[must_use]
    pub fn on(self, queue: QueueKind) -> Self {
        Self { queue, ..self }
    }

    /// The same task, put off for this reason.
    #[must_use]
    pub fn deferred(self, deferral: Deferral) -> Self {
        Self {
            deferral: Some(deferral),
            ..self
        }
    }
}

/// What a task asks of us now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskDecision {
    /// Make the attempt with this number.
    Attempt(u32),
    /// It is too early: ask again after this long, which the queue can wait.
    Wait(Duration),
    /// There is nothing to do.
    Discard(DiscardReason),
}

/// Why there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardReason {
    /// There is no such delivery: it was never recorded, or it has expired.
    NoDelivery,
    /// The delivery is not pending any more.
    NotPending,
    /// The attempt was made and recorded.
    AttemptRecorded,
    /// It was sent by a run whose own record did not count. Another task is on its way.
    Stray,
    /// It is far too early. The sweeper will send another in time.
    NotDue,
    /// It has to wait, and the sweeper sends it another every hour.
    LeftToSweep,
}

impl Delivery {
    /// What a task means now.
    ///
    /// A task for a later attempt than the next one stands for the next one: its own
    /// predecessor crashed before recording. Of the tasks for the next one only that
    /// counts whose due time was recorded: two runs that overlap send one each, and if
    /// both counted, the retries would be two chains from then on. None is lost by
    /// that, since a run sends its task before it records the due time.
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
    use crate::delivery::{CancelReason, FailureReason};

    /// The task for this attempt, as the run before it sent it.
    fn task(attempt: u32) -> DeliveryTask {
        DeliveryTask::new(delivery(0).id, attempt, (attempt > 1).then_some(NOW))
    }

    #[test]
    fn a_message_for_a_recorded_attempt_is_dropped() {
        assert_eq!(delivery(0).decide(&task(1), NOW), TaskDecision::Attempt(1));
        assert_eq!(
            delivery(1).decide(&task(1), NOW),
            TaskDecision::Discard(DiscardReason::AttemptRecorded)
        );
        assert_eq!(delivery(1).decide(&task(2), NOW), TaskDecision::Attempt(2));
    }

    #[test]
    fn a_message_whose_predecessor_crashed_stands_for_it() {
        assert_eq!(delivery(1).decide(&task(3), NOW), TaskDecision::Attempt(2));
    }

    #[test]
    fn of_two_tasks_for_one_attempt_only_the_recorded_one_counts() {
        let stray = DeliveryTask {
            due_at: Some(NOW + Duration::from_millis(1)),
            ..task(2)
        };
        assert_eq!(delivery(1).decide(&stray, NOW), TaskDecision::Discard(DiscardReason::Stray));
        assert_eq!(delivery(1).decide(&task(2), NOW), TaskDecision::Attempt(2));
    }

    #[test]
    fn a_task_from_before_the_delivery_was_sent_again_is_a_stray() {
        let again = NOW + Duration::from_mins(1);
        for attempts in [0, 2] {
            let reopened = Delivery {
                earlier_attempts: attempts,
                next_attempt_at: Some(again),
                ..delivery(attempts)
            };
            let old = task(attempts + 1);
            assert_eq!(reopened.decide(&old, again), TaskDecision::Discard(DiscardReason::Stray));
            let new = DeliveryTask {
                due_at: Some(again),
                ..old
            };
            assert_eq!(reopened.decide(&new, again), TaskDecision::Attempt(attempts + 1));
        }
    }

    #[test]
    fn a_message_that_comes_too_early_waits_as_long_as_the_queue_can() {
        let mut delivery = delivery(1);
        let due_at = NOW + MAX_QUEUE_DELAY;
        delivery.next_attempt_at = Some(due_at);
        let task = DeliveryTask {
            due_at: Some(due_at),
            ..task(2)
        };
        assert_eq!(delivery.decide(&task, NOW), TaskDecision::Wait(MAX_QUEUE_DELAY));
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
            DeliveryStatus::Held,
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
