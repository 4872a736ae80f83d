//! A delivery and its attempts: the state machine at the core.
//!
//! ```text
//! pending ── attempt ──> succeeded | failed | pending (due later)
//!    │ └── the subscription is gone ──> cancelled
//!    └──── the subscription is paused ──> held
//! ```

use std::time::Duration;

use crate::event_type::EventType;
use crate::ids::{CustomerId, DeliveryId};
use crate::outbound::{AttemptOutcome, WebhookResponse};
use crate::retry::{Jitter, RetryPolicy, parse_retry_after};
use crate::timestamp::Timestamp;

/// One message owed to one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, which names the message and the subscription.
    pub id: DeliveryId,
    /// Whose message it is.
    pub customer_id: CustomerId,
    /// The message's type.
    pub event_type: EventType,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
    /// When it was prepared.
    pub created_at: Timestamp,
    /// When the next attempt is due, once there was one that failed.
    pub next_attempt_at: Option<Timestamp>,
    /// When the table may forget it.
    pub expires_at: Timestamp,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// An attempt is due, now or later.
    Pending,
    /// Kept and not sent, because the subscription is paused or disabled.
    Held,
    /// The endpoint took it. Terminal.
    Succeeded,
    /// It was given up. Terminal.
    Failed(FailureReason),
    /// It is not owed any more. Terminal.
    Cancelled(CancelReason),
}

/// Why a delivery was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureReason {
    /// The retry policy has no further attempt.
    AttemptsExhausted,
    /// The endpoint answered 410.
    EndpointGone,
}

/// Why a delivery is not owed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelReason {
    /// Its subscription was deleted.
    SubscriptionDeleted,
}

impl DeliveryStatus {
    /// The status word in the table and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::Cancelled(_) => "cancelled",
        }
    }

    /// The reason word beside it, where there is one.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Failed(FailureReason::AttemptsExhausted) => Some("attemptsExhausted"),
            Self::Failed(FailureReason::EndpointGone) => Some("endpointGone"),
            Self::Cancelled(CancelReason::SubscriptionDeleted) => Some("subscriptionDeleted"),
            Self::Pending | Self::Held | Self::Succeeded => None,
        }
    }

    /// From the two words.
    pub fn from_words(status: &str, reason: Option<&str>) -> Option<Self> {
        [
            Self::Pending,
            Self::Held,
            Self::Succeeded,
            Self::Failed(FailureReason::AttemptsExhausted),
            Self::Failed(FailureReason::EndpointGone),
            Self::Cancelled(CancelReason::SubscriptionDeleted),
        ]
        .into_iter()
        .find(|known| known.as_str() == status && known.reason() == reason)
    }
}

/// One HTTP request made for a delivery, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
    /// What came of it.
    pub outcome: AttemptOutcome,
    /// The HTTP status, when there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong below HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The beginning of the response body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_excerpt: Option<String>,
}

/// What a message in the delivery queue asks for. Only a hint: the table decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The number of the attempt, counted from 1.
    pub attempt: u32,
    /// When the attempt is due, as planned by the run that sent this; `None` for the first.
    pub due_at: Option<Timestamp>,
}

/// What a queue message asks of us, held against the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Make the attempt with this number.
    Attempt(u32),
    /// It is too early: ask again after this long.
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
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The delivery has ended with this status.
    Ended(DeliveryStatus),
    /// The next attempt is due at this time.
    RetryAt(Timestamp),
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
        match self.next_attempt_at {
            Some(due_at) if due_at > now => Duty::Wait(due_at.since(now)),
            _ => Duty::Attempt(next),
        }
    }

    /// The number of the attempt that is not recorded yet.
    pub fn next_attempt(&self) -> u32 {
        u32::try_from(self.attempts.len()).map_or(u32::MAX, |made| made.saturating_add(1))
    }

    /// What follows from the response to attempt `number`.
    pub fn decide(
        &self,
        number: u32,
        response: &WebhookResponse,
        policy: &RetryPolicy,
        now: Timestamp,
        jitter: Jitter,
    ) -> Verdict {
        if response.outcome == AttemptOutcome::Succeeded {
            return Verdict::Ended(DeliveryStatus::Succeeded);
        }
        if response.status == Some(410) {
            return Verdict::Ended(DeliveryStatus::Failed(FailureReason::EndpointGone));
        }
        let may_ask = matches!(response.status, Some(429 | 503));
        let retry_after = response
            .retry_after
            .as_deref()
            .filter(|_| may_ask)
            .and_then(|value| parse_retry_after(value, now));
        match policy.due_at(number.saturating_add(1), now, retry_after, jitter) {
            Some(due_at) => Verdict::RetryAt(due_at),
            None => Verdict::Ended(DeliveryStatus::Failed(FailureReason::AttemptsExhausted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn delivery(attempts: u32) -> Delivery {
        let attempt = |number| Attempt {
            number,
            at: NOW,
            duration_ms: 1,
            outcome: AttemptOutcome::HttpError,
            status: Some(500),
            error: None,
            response_excerpt: None,
        };
        Delivery {
            id: format!("dlv_{:032x}_{:032x}", 1, 2).parse().unwrap(),
            customer_id: "acme".parse().unwrap(),
            event_type: "order.created".parse().unwrap(),
            status: DeliveryStatus::Pending,
            attempts: (1..=attempts).map(attempt).collect(),
            created_at: NOW,
            next_attempt_at: (attempts > 0).then_some(NOW),
            expires_at: NOW,
        }
    }

    fn response(outcome: AttemptOutcome, status: u16) -> WebhookResponse {
        WebhookResponse {
            outcome,
            status: Some(status),
            error: None,
            excerpt: None,
            retry_after: Some("3600".into()),
            duration_ms: 1,
        }
    }

    fn decide(status: u16, number: u32) -> Verdict {
        let policy = RetryPolicy::schedule(vec![0, 5, 5]).unwrap();
        let outcome = match status {
            200..=299 => AttemptOutcome::Succeeded,
            _ => AttemptOutcome::HttpError,
        };
        delivery(number - 1).decide(
            number,
            &response(outcome, status),
            &policy,
            NOW,
            Jitter::NONE,
        )
    }

    fn wait(verdict: Verdict) -> Duration {
        match verdict {
            Verdict::RetryAt(at) => at.since(NOW),
            Verdict::Ended(status) => panic!("ended with {status:?}"),
        }
    }

    /// The hint for this attempt, as the run before it sent it.
    fn hint(attempt: u32) -> Hint {
        let delivery = delivery(0).id;
        Hint {
            delivery,
            attempt,
            due_at: (attempt > 1).then_some(NOW),
        }
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
    fn a_message_that_comes_too_early_waits() {
        let mut delivery = delivery(1);
        let due_at = Some(NOW + Duration::from_secs(7));
        delivery.next_attempt_at = due_at;
        let hint = Hint { due_at, ..hint(2) };
        assert_eq!(
            delivery.duty(&hint, NOW),
            Duty::Wait(Duration::from_secs(7))
        );
        assert_eq!(
            delivery.duty(&hint, NOW + Duration::from_secs(7)),
            Duty::Attempt(2)
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

    #[test]
    fn success_is_200_to_299_and_nothing_else() {
        for status in [200, 204, 299] {
            assert_eq!(decide(status, 1), Verdict::Ended(DeliveryStatus::Succeeded));
        }
        for status in [300, 302, 400, 404, 500, 503] {
            assert!(matches!(decide(status, 1), Verdict::RetryAt(_)), "{status}");
        }
    }

    #[test]
    fn a_gone_endpoint_ends_the_delivery() {
        let gone = DeliveryStatus::Failed(FailureReason::EndpointGone);
        assert_eq!(decide(410, 1), Verdict::Ended(gone));
    }

    #[test]
    fn the_last_attempt_ends_the_delivery() {
        let exhausted = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);
        assert!(matches!(decide(500, 2), Verdict::RetryAt(_)));
        assert_eq!(decide(500, 3), Verdict::Ended(exhausted));
    }

    #[test]
    fn retry_after_counts_on_429_and_503_only() {
        assert!(wait(decide(429, 1)) >= Duration::from_hours(1));
        assert!(wait(decide(503, 1)) >= Duration::from_hours(1));
        assert!(wait(decide(500, 1)) < Duration::from_secs(6));
    }

    #[test]
    fn status_words_are_read_back() {
        for status in [
            DeliveryStatus::Pending,
            DeliveryStatus::Failed(FailureReason::EndpointGone),
            DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted),
        ] {
            let back = DeliveryStatus::from_words(status.as_str(), status.reason());
            assert_eq!(back, Some(status));
        }
        assert_eq!(DeliveryStatus::from_words("failed", None), None);
        assert_eq!(DeliveryStatus::from_words("lost", None), None);
    }
}
