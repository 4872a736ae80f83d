//! The decision that follows from an attempt.

use crate::delivery::{Delivery, DeliveryStatus, FailureReason};
use crate::due::{LongestQueueDelay, NextAttempt};
use crate::outbound::{AttemptOutcome, WebhookResponse};
use crate::retry::{Jitter, RetryPolicy, parse_retry_after};
use crate::timestamp::Timestamp;

/// The decision that follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The delivery has ended with this status.
    Ended(DeliveryStatus),
    /// There is a next attempt.
    Retry(NextAttempt),
}

/// The conditions under which a delivery is attempted again.
#[derive(Debug)]
pub struct Terms<'a> {
    /// The number of attempts and the delays between them.
    pub policy: &'a RetryPolicy,
    /// The number of attempts before the last resend, which the policy does not count.
    pub earlier_attempts: u32,
    /// The last moment at which an attempt may begin.
    pub deadline: Timestamp,
    /// The jitter of the next delay.
    pub jitter: Jitter,
    /// The longest wait that is left to the queue.
    pub longest_queue_delay: LongestQueueDelay,
}

impl Verdict {
    /// The verdict after a test. A test has no further attempt, and a 410 does not disable the
    /// subscription, which may be paused.
    pub fn after_test(response: &WebhookResponse) -> Self {
        Self::Ended(match response.outcome {
            AttemptOutcome::Succeeded => DeliveryStatus::Succeeded,
            _ => DeliveryStatus::Failed(FailureReason::TestFailed),
        })
    }

    /// The verdict after the attempt with this number.
    pub fn after(
        number: u32,
        response: &WebhookResponse,
        terms: &Terms<'_>,
        now: Timestamp,
    ) -> Self {
        if response.outcome == AttemptOutcome::Succeeded {
            return Self::Ended(DeliveryStatus::Succeeded);
        }
        let failed = |reason| Self::Ended(DeliveryStatus::Failed(reason));
        if response.status == Some(410) {
            return failed(FailureReason::EndpointGone);
        }
        let may_ask = matches!(response.status, Some(429 | 503));
        let retry_after = response
            .retry_after
            .as_deref()
            .filter(|_| may_ask)
            .and_then(|value| parse_retry_after(value, now));
        if number >= Delivery::MAX_ATTEMPTS {
            return failed(FailureReason::AttemptsExhausted);
        }
        let next = (number + 1).saturating_sub(terms.earlier_attempts);
        match terms.policy.due_at(next, now, retry_after, terms.jitter) {
            None => failed(FailureReason::AttemptsExhausted),
            Some(due_at) if due_at > terms.deadline => failed(FailureReason::Expired),
            Some(due_at) => Self::Retry(NextAttempt::plan(due_at, now, terms.longest_queue_delay)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::NOW;
    use crate::outbound::{ResponseBody, ResponseHeaders, Timings};
    use std::sync::LazyLock;
    use std::time::Duration;

    const FAR: Timestamp = Timestamp::from_millis(i64::MAX);

    fn response(status: u16) -> WebhookResponse {
        WebhookResponse {
            outcome: match status {
                200..=299 => AttemptOutcome::Succeeded,
                _ => AttemptOutcome::HttpError,
            },
            status: Some(status),
            error: None,
            addresses: Vec::new(),
            headers: ResponseHeaders::default(),
            body: ResponseBody::default(),
            timings: Timings::default(),
            retry_after: Some("3600".into()),
            duration_ms: 1,
        }
    }

    fn terms(deadline: Timestamp) -> Terms<'static> {
        static POLICY: LazyLock<RetryPolicy> =
            LazyLock::new(|| RetryPolicy::schedule(vec![0, 5, 5]).unwrap());
        Terms {
            policy: &POLICY,
            earlier_attempts: 0,
            deadline,
            jitter: Jitter::NONE,
            longest_queue_delay: LongestQueueDelay::MAX,
        }
    }

    fn decide_before(deadline: Timestamp, status: u16, number: u32) -> Verdict {
        Verdict::after(number, &response(status), &terms(deadline), NOW)
    }

    fn decide(status: u16, number: u32) -> Verdict {
        decide_before(FAR, status, number)
    }

    fn wait(verdict: Verdict) -> Duration {
        match verdict {
            Verdict::Retry(next) => next.due_at.since(NOW),
            Verdict::Ended(status) => panic!("ended with {status:?}"),
        }
    }

    /// The sender decides which statuses are a success. `crates/http` tests that.
    #[test]
    fn a_success_ends_the_delivery_and_an_http_error_is_retried() {
        for (outcome, is_end) in [
            (AttemptOutcome::Succeeded, true),
            (AttemptOutcome::HttpError, false),
        ] {
            let response = WebhookResponse {
                outcome,
                ..response(404)
            };
            let verdict = Verdict::after(1, &response, &terms(FAR), NOW);
            let is_success = verdict == Verdict::Ended(DeliveryStatus::Succeeded);
            assert_eq!(is_success, is_end, "{verdict:?}");
            assert_eq!(matches!(verdict, Verdict::Retry(_)), !is_end, "{verdict:?}");
        }
    }

    #[test]
    fn an_attempt_without_an_answer_is_retried_after_any_failure() {
        for outcome in [
            AttemptOutcome::TimedOut,
            AttemptOutcome::Unreachable,
            // The name may resolve to another address the next time.
            AttemptOutcome::Blocked,
            AttemptOutcome::NoToken,
        ] {
            let response = WebhookResponse {
                outcome,
                status: None,
                retry_after: None,
                ..response(500)
            };
            let verdict = Verdict::after(1, &response, &terms(FAR), NOW);
            assert!(matches!(verdict, Verdict::Retry(_)), "{outcome}");
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
        assert!(matches!(decide(500, 2), Verdict::Retry(_)));
        assert_eq!(decide(500, 3), Verdict::Ended(exhausted));
    }

    #[test]
    fn the_policy_counts_from_the_last_resend() {
        let exhausted = Verdict::Ended(DeliveryStatus::Failed(FailureReason::AttemptsExhausted));
        let again = |number| {
            let terms = Terms {
                earlier_attempts: 3,
                ..terms(FAR)
            };
            Verdict::after(number, &response(500), &terms, NOW)
        };
        assert_eq!(wait(again(4)), Duration::from_secs(5));
        assert!(matches!(again(5), Verdict::Retry(_)));
        assert_eq!(again(6), exhausted);
    }

    #[test]
    fn the_number_of_attempts_is_limited_over_all_resends() {
        let exhausted = Verdict::Ended(DeliveryStatus::Failed(FailureReason::AttemptsExhausted));
        let again = |number| {
            let terms = Terms {
                earlier_attempts: 98,
                ..terms(FAR)
            };
            Verdict::after(number, &response(500), &terms, NOW)
        };
        assert!(matches!(again(99), Verdict::Retry(_)));
        assert_eq!(again(100), exhausted);
    }

    #[test]
    fn a_delivery_expires_if_its_next_attempt_would_be_after_the_deadline() {
        let expired = Verdict::Ended(DeliveryStatus::Failed(FailureReason::Expired));
        let due_at = NOW + Duration::from_secs(5);
        assert_eq!(wait(decide_before(due_at, 500, 1)), Duration::from_secs(5));
        let before = due_at - Duration::from_millis(1);
        assert_eq!(decide_before(before, 500, 1), expired);
        // The delay that the receiver asks for counts too.
        assert_eq!(decide_before(due_at, 503, 1), expired);
        let succeeded = Verdict::Ended(DeliveryStatus::Succeeded);
        assert_eq!(decide_before(NOW, 200, 1), succeeded);
    }

    #[test]
    fn retry_after_counts_on_429_and_503_only() {
        assert!(wait(decide(429, 1)) >= Duration::from_hours(1));
        assert!(wait(decide(503, 1)) >= Duration::from_hours(1));
        assert!(wait(decide(500, 1)) < Duration::from_secs(6));
    }
}
