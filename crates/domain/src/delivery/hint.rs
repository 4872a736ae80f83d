//! What a queue message asks for, held against the delivery.

use std::time::Duration;

use crate::delivery::{Delivery, DeliveryStatus};
use crate::due::OVERDUE_AFTER;
use crate::ids::DeliveryId;
use crate::limits::Reservation;
use crate::ports::MAX_QUEUE_DELAY;
use crate::timestamp::Timestamp;

/// What a message in the delivery queue asks for. Only a hint: the table decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The number of the attempt, counted from 1.
    pub attempt: u32,
    /// When the attempt is due, as planned by the run that made the one before it, or by
    /// who asked to send it again; `None` for the first of all.
    pub due_at: Option<Timestamp>,
    /// Why it is on its way again although it was due, if it is.
    pub detour: Option<Detour>,
    /// On which way it comes.
    pub lane: Lane,
}

/// The queue that a hint goes through. Each has copies of the function to itself, so that
/// what is slow holds up nothing but what is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Lane {
    /// The delivery queue.
    #[default]
    Fast,
    /// The queue for endpoints that take long to answer.
    Slow,
}

impl Lane {
    /// Whether it is the usual one, which needs no mention.
    pub fn is_fast(&self) -> bool {
        *self == Self::Fast
    }
}

/// Why a hint whose attempt is due was put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detour {
    /// The circuit of its subscription was open.
    Parked,
    /// Its subscription has limits, and this is its reservation.
    InLine(Reservation),
}

impl Hint {
    /// The hint for an attempt, as it is sent when the attempt becomes due.
    pub fn new(delivery: DeliveryId, attempt: u32, due_at: Option<Timestamp>) -> Self {
        Self {
            delivery,
            attempt,
            due_at,
            detour: None,
            lane: Lane::Fast,
        }
    }

    /// The hint for the first attempt of a new delivery.
    pub fn first(delivery: DeliveryId) -> Self {
        Self::new(delivery, 1, None)
    }

    /// Its reservation, if it waits in a line.
    pub fn reservation(&self) -> Option<Reservation> {
        match self.detour {
            Some(Detour::InLine(reservation)) => Some(reservation),
            Some(Detour::Parked) | None => None,
        }
    }

    /// From when on its attempt is late, for a queue message that was sent at this time.
    ///
    /// The planned time of the attempt, or of its turn in a line. An attempt that the sweep, or
    /// whoever emptied a dead-letter queue, asked for again after [`OVERDUE_AFTER`] is due when
    /// it was asked for: it may have waited for a circuit or in a line. `None` for one that
    /// waited for a circuit, since that has no planned end.
    pub fn late_from(&self, sent_at: Option<Timestamp>) -> Option<Timestamp> {
        match (self.detour, self.due_at) {
            (Some(Detour::Parked), _) => None,
            (Some(Detour::InLine(turn)), _) => Some(turn.not_before),
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

    /// The same hint on this lane.
    #[must_use]
    pub fn on(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    /// The same hint, put off for this reason.
    #[must_use]
    pub fn put_off(self, detour: Detour) -> Self {
        Self {
            detour: Some(detour),
            ..self
        }
    }
}

/// What a hint asks of us now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Make the attempt with this number.
    Attempt(u32),
    /// It is too early: ask again after this long, which the queue can wait.
    Wait(Duration),
    /// There is nothing to do.
    Drop(DropReason),
}

/// Why there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// There is no such delivery: it was never recorded, or it has expired.
    NoDelivery,
    /// The delivery is not pending any more.
    NotPending,
    /// The attempt was made and recorded.
    AttemptRecorded,
    /// It was sent by a run whose own record did not count. Another hint is on its way.
    Stray,
    /// It is far too early. The sweeper will send another in time.
    NotDue,
    /// It has to wait, and the sweeper sends it another every hour.
    LeftToSweep,
}

impl Delivery {
    /// What a hint means now.
    ///
    /// A hint for a later attempt than the next one stands for the next one: its own
    /// predecessor crashed before recording. Of the hints for the next one only that
    /// counts whose due time was recorded: two runs that overlap send one each, and if
    /// both counted, the retries would be two chains from then on. None is lost by
    /// that, since a run sends its hint before it records the due time.
    pub fn duty(&self, hint: &Hint, now: Timestamp) -> Duty {
        if self.status != DeliveryStatus::Pending {
            return Duty::Drop(DropReason::NotPending);
        }
        let next = self.next_attempt();
        if hint.attempt < next {
            return Duty::Drop(DropReason::AttemptRecorded);
        }
        if hint.attempt == next && hint.due_at != self.next_attempt_at {
            return Duty::Drop(DropReason::Stray);
        }
        let wait = self
            .next_attempt_at
            .map_or(Duration::ZERO, |due_at| due_at.since(now));
        if wait.is_zero() {
            Duty::Attempt(next)
        } else if wait <= MAX_QUEUE_DELAY {
            Duty::Wait(wait)
        } else {
            Duty::Drop(DropReason::NotDue)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::{NOW, delivery};
    use crate::delivery::{CancelReason, FailureReason};

    /// The hint for this attempt, as the run before it sent it.
    fn hint(attempt: u32) -> Hint {
        Hint::new(delivery(0).id, attempt, (attempt > 1).then_some(NOW))
    }

    #[test]
    fn a_message_for_a_recorded_attempt_is_dropped() {
        assert_eq!(delivery(0).duty(&hint(1), NOW), Duty::Attempt(1));
        assert_eq!(
            delivery(1).duty(&hint(1), NOW),
            Duty::Drop(DropReason::AttemptRecorded)
        );
        assert_eq!(delivery(1).duty(&hint(2), NOW), Duty::Attempt(2));
    }

    #[test]
    fn a_message_whose_predecessor_crashed_stands_for_it() {
        assert_eq!(delivery(1).duty(&hint(3), NOW), Duty::Attempt(2));
    }

    #[test]
    fn of_two_hints_for_one_attempt_only_the_recorded_one_counts() {
        let stray = Hint {
            due_at: Some(NOW + Duration::from_millis(1)),
            ..hint(2)
        };
        assert_eq!(delivery(1).duty(&stray, NOW), Duty::Drop(DropReason::Stray));
        assert_eq!(delivery(1).duty(&hint(2), NOW), Duty::Attempt(2));
    }

    #[test]
    fn a_hint_from_before_the_delivery_was_sent_again_is_a_stray() {
        let again = NOW + Duration::from_mins(1);
        for attempts in [0, 2] {
            let reopened = Delivery {
                earlier_attempts: attempts,
                next_attempt_at: Some(again),
                ..delivery(attempts)
            };
            let old = hint(attempts + 1);
            assert_eq!(reopened.duty(&old, again), Duty::Drop(DropReason::Stray));
            let new = Hint {
                due_at: Some(again),
                ..old
            };
            assert_eq!(reopened.duty(&new, again), Duty::Attempt(attempts + 1));
        }
    }

    #[test]
    fn a_message_that_comes_too_early_waits_as_long_as_the_queue_can() {
        let mut delivery = delivery(1);
        let due_at = NOW + MAX_QUEUE_DELAY;
        delivery.next_attempt_at = Some(due_at);
        let hint = Hint {
            due_at: Some(due_at),
            ..hint(2)
        };
        assert_eq!(delivery.duty(&hint, NOW), Duty::Wait(MAX_QUEUE_DELAY));
        assert_eq!(delivery.duty(&hint, due_at), Duty::Attempt(2));
        let earlier = NOW - Duration::from_millis(1);
        assert_eq!(
            delivery.duty(&hint, earlier),
            Duty::Drop(DropReason::NotDue)
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
                delivery.duty(&hint(1), NOW),
                Duty::Drop(DropReason::NotPending)
            );
        }
    }
}
