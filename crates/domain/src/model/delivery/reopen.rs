//! Resending a delivery that has ended or is held, and continuing one that was held.

use crate::delivery::{Delivery, DeliveryStatus, DeliveryTask, DueEntry, HoldReason};
use crate::due::NextAttempt;
use crate::message::Message;
use crate::timestamp::Timestamp;

/// The reason why a delivery cannot be resent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReopenError {
    /// An attempt is already due.
    #[error("delivery: is pending already")]
    Pending,
    /// It has the largest number of attempts that a delivery can have.
    #[error("delivery: must have fewer than {max} attempts, has {made}", max = Delivery::MAX_ATTEMPTS)]
    AttemptsExhausted {
        /// The number of its attempts.
        made: u32,
    },
    /// The event's own deadline has passed, or the delivery is about to expire.
    #[error("delivery: no attempt may begin after {deadline}")]
    Expired {
        /// The last moment at which an attempt could have begun.
        deadline: Timestamp,
    },
}

/// A delivery that becomes pending again, and its next attempt: the input of
/// [`ResendTable::reopen`](crate::ports::ResendTable::reopen).
#[derive(Debug)]
pub struct Reopening<'a> {
    read: &'a Delivery,
    next: NextAttempt,
    round: Round,
}

/// The round of attempts, from which the retry policy counts.
#[derive(Debug, Clone, Copy)]
enum Round {
    /// A new one begins.
    New,
    /// The one before continues.
    Same,
}

impl Delivery {
    /// Starts a new round of attempts with this attempt. The message must be the delivery's own.
    ///
    /// # Errors
    /// If it is pending, has too many attempts, or has expired by then.
    pub fn reopen(
        &self,
        message: &Message,
        next: NextAttempt,
    ) -> Result<Reopening<'_>, ReopenError> {
        let deadline = self.deadline(message);
        let made = self.attempts_made();
        if self.status == DeliveryStatus::Pending {
            Err(ReopenError::Pending)
        } else if made >= Self::MAX_ATTEMPTS {
            Err(ReopenError::AttemptsExhausted { made })
        } else if next.due_at > deadline {
            Err(ReopenError::Expired { deadline })
        } else {
            Ok(Reopening {
                read: self,
                next,
                round: Round::New,
            })
        }
    }

    /// Returns true if it is held because its endpoint is unavailable.
    pub fn awaits_endpoint(&self) -> bool {
        self.status == DeliveryStatus::Held(HoldReason::EndpointUnavailable)
    }

    /// Continues a delivery that [awaits its endpoint](Self::awaits_endpoint), with the attempt
    /// that was due when it was held. `None` for any other delivery.
    ///
    /// The number of its attempts and its deadline are checked when the attempt is due.
    pub fn resume(&self, next: NextAttempt) -> Option<Reopening<'_>> {
        let resumption = self.end_hold(next);
        resumption.filter(|_| self.awaits_endpoint())
    }

    /// The same for a delivery that is held for any reason, such as one whose deadline has passed: its
    /// task ends it. `None` if it is not held.
    pub(crate) fn end_hold(&self, next: NextAttempt) -> Option<Reopening<'_>> {
        matches!(self.status, DeliveryStatus::Held(_)).then(|| Reopening {
            read: self,
            next: next.of_held(),
            round: Round::Same,
        })
    }

    /// The task for its next attempt, if it was resent or replayed and there was no attempt since. (A
    /// delivery of an event that waits for its first attempt is neither.)
    pub fn resend_task(&self) -> Option<DeliveryTask> {
        let is_reopened = self.status == DeliveryStatus::Pending
            && !self.trigger.is_event()
            && self.attempts_made() == self.earlier_attempts
            && self.next_attempt_at.is_some();
        is_reopened.then(|| DeliveryTask::new(self.id, self.next_attempt(), self.next_attempt_at))
    }
}

impl Reopening<'_> {
    /// The delivery as it was read.
    pub fn read(&self) -> &Delivery {
        self.read
    }

    /// The next attempt.
    pub fn next(&self) -> &NextAttempt {
        &self.next
    }

    /// The delivery after the change.
    pub fn reopened(&self) -> Delivery {
        let (trigger, earlier_attempts) = match self.round {
            Round::New => (self.read.trigger.after_resend(), self.read.attempts_made()),
            Round::Same => (self.read.trigger, self.read.earlier_attempts),
        };
        Delivery {
            status: DeliveryStatus::Pending,
            trigger,
            earlier_attempts,
            next_attempt_at: Some(self.next.due_at),
            ..self.read.clone()
        }
    }

    /// Its entry of the `due` index.
    pub fn due(&self) -> DueEntry {
        DueEntry::of(self.read, &self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::{NOW, delivery, message_of};
    use crate::delivery::{CancelReason, DeliveryTrigger, FailureReason};
    use crate::due::{GRACE, LongestQueueDelay};
    use crate::queue::MAX_QUEUE_DELAY;
    use std::time::Duration;

    fn ended(attempts: u32, status: DeliveryStatus) -> Delivery {
        Delivery {
            status,
            next_attempt_at: None,
            ..delivery(attempts)
        }
    }

    fn planned(wait: Duration) -> NextAttempt {
        NextAttempt::plan(NOW + wait, NOW, LongestQueueDelay::MAX)
    }

    fn reopen_at(delivery: &Delivery, due_at: Timestamp) -> Result<Delivery, ReopenError> {
        let next = NextAttempt::plan(due_at, NOW, LongestQueueDelay::MAX);
        let reopened = delivery.reopen(&message_of(delivery), next);
        reopened.map(|reopening| reopening.reopened())
    }

    const FAILED: DeliveryStatus = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);
    const HELD: DeliveryStatus = DeliveryStatus::Held(HoldReason::NotActive);
    const UNAVAILABLE: DeliveryStatus = DeliveryStatus::Held(HoldReason::EndpointUnavailable);

    #[test]
    fn a_delivery_that_awaited_its_endpoint_continues_its_round() {
        let held = Delivery {
            earlier_attempts: 1,
            ..ended(3, UNAVAILABLE)
        };
        let next = planned(Duration::from_mins(10));
        let later = next.due_at;
        let resumption = held.resume(next).unwrap();
        let resumed = resumption.reopened();
        assert_eq!(resumed.status, DeliveryStatus::Pending);
        assert_eq!((resumed.earlier_attempts, resumed.next_attempt()), (1, 4));
        assert_eq!(resumed.trigger, held.trigger);
        assert_eq!(resumed.next_attempt_at, Some(later));
        let due = resumption.due();
        assert_eq!((due.task.attempt, due.task.due_at), (4, Some(later)));
        assert_eq!(due.sweep_at, later + GRACE, "its task is queued at once");
        for status in [HELD, FAILED, DeliveryStatus::Pending] {
            assert!(ended(3, status).resume(next).is_none(), "{status:?}");
        }
    }

    #[test]
    fn a_resumption_never_asks_the_queue_for_a_longer_delay_than_it_has() {
        let held = ended(0, UNAVAILABLE);
        for (wait, is_left) in [(Duration::ZERO, false), (MAX_QUEUE_DELAY, false)]
            .into_iter()
            .chain([(MAX_QUEUE_DELAY + Duration::from_millis(1), true)])
            .chain([(Duration::from_hours(24 * 90), true)])
        {
            let due = held.resume(planned(wait)).unwrap().due();
            assert_eq!(due.is_left_to_sweep(), is_left, "{wait:?}");
            let sent_at = if is_left { due.sweep_at } else { NOW };
            assert!(due.queue_delay(sent_at) <= MAX_QUEUE_DELAY, "{wait:?}");
        }
    }

    #[test]
    fn a_reopened_delivery_continues_after_its_attempts() {
        for status in [
            HELD,
            UNAVAILABLE,
            DeliveryStatus::Succeeded,
            FAILED,
            DeliveryStatus::Failed(FailureReason::EndpointGone),
            DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted),
        ] {
            let again = reopen_at(&ended(3, status), NOW).unwrap();
            assert_eq!(again.status, DeliveryStatus::Pending);
            assert_eq!((again.earlier_attempts, again.next_attempt()), (3, 4));
            assert_eq!(again.trigger, DeliveryTrigger::Resend);
            assert_eq!(again.next_attempt_at, Some(NOW));
        }
    }

    #[test]
    fn a_pending_delivery_is_not_reopened() {
        assert_eq!(reopen_at(&delivery(1), NOW), Err(ReopenError::Pending));
    }

    #[test]
    fn a_delivery_with_a_hundred_attempts_is_not_reopened() {
        assert!(reopen_at(&ended(99, FAILED), NOW).is_ok());
        let made = 100;
        let refused = reopen_at(&ended(made, FAILED), NOW);
        assert_eq!(refused, Err(ReopenError::AttemptsExhausted { made }));
    }

    #[test]
    fn no_delivery_is_reopened_after_its_deadline() {
        let delivery = ended(1, FAILED);
        let deadline = delivery.expires_at - Duration::from_hours(1);
        assert!(reopen_at(&delivery, deadline).is_ok());
        let late = reopen_at(&delivery, deadline + Duration::from_millis(1));
        assert_eq!(late, Err(ReopenError::Expired { deadline }));
    }

    #[test]
    fn only_a_resent_delivery_without_a_new_attempt_has_a_resend_task() {
        assert_eq!(delivery(0).resend_task(), None);
        assert_eq!(delivery(2).resend_task(), None);
        for attempts in [0, 2] {
            let mut again = reopen_at(&ended(attempts, HELD), NOW).unwrap();
            let task = again.resend_task().unwrap();
            assert_eq!((task.attempt, task.due_at), (attempts + 1, Some(NOW)));
            again.status = HELD;
            assert_eq!(again.resend_task(), None);
        }
        let waiting = Delivery {
            next_attempt_at: Some(NOW + Duration::from_hours(1)),
            ..delivery(0)
        };
        assert_eq!(waiting.resend_task(), None, "the event names its time");
        let replayed = Delivery {
            trigger: DeliveryTrigger::Replay,
            ..waiting
        };
        assert!(replayed.resend_task().is_some());
    }
}
