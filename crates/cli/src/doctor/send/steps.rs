//! The steps of a run. Each has its own subscriptions and events, so they run concurrently.

pub(super) mod again;
pub(super) mod basics;
pub(super) mod failed_events;
pub(super) mod retries;
pub(super) mod subscriptions;

use webhooks_client::{Nullable, RetryPolicy, RetrySchedule, SubscriptionPatch};
use webhooks_self_test::{Answer, Script};

use super::judge::Judgement;
use super::stage::step_of;
use crate::doctor::context::Described;

/// The checks of a step, by name. An error is the outcome of its first check.
pub(super) type Checked = Described<Vec<(&'static str, Judgement)>>;

/// The fields of a subscription with this retry schedule, without jitter.
fn scheduled(schedule: Vec<u32>) -> SubscriptionPatch {
    let policy = RetryPolicy::Schedule(RetrySchedule {
        schedule,
        jitter: Some(0.0),
    });
    SubscriptionPatch {
        retry_policy: Nullable::Value(policy),
        ..SubscriptionPatch::default()
    }
}

const UNAVAILABLE: Answer = Answer::status(503);

/// The `Retry-After` of the one answer that has this header, in seconds.
pub(super) const RETRY_AFTER_SECONDS: u32 = 8;

const DELAYING_ANSWER: Answer = Answer {
    status: 429,
    retry_after_seconds: Some(RETRY_AFTER_SECONDS),
};

/// All steps, with the answers of their endpoints.
///
/// At most nine attempts of a whole run may fail: `AttemptFailuresAlarm` counts periods with
/// twenty attempts or more and triggers if half of them fail. So a run alone never triggers it.
const STEPS: [(&str, &[Answer]); 17] = [
    (basics::PUT, &[]),
    (basics::START_STANDARD, &[]),
    (basics::START_DETAIL, &[]),
    (basics::START_EVENT, &[]),
    (basics::DUPLICATE, &[]),
    (basics::LARGE, &[]),
    (basics::LARGEST, &[]),
    (basics::LATENCY, &[]),
    (retries::RETRY, &[UNAVAILABLE, UNAVAILABLE, Answer::ok()]),
    (retries::RETRY_AFTER, &[DELAYING_ANSWER, Answer::ok()]),
    (retries::GONE, &[Answer::status(410)]),
    (retries::LONG_WAIT, &[UNAVAILABLE, Answer::ok()]),
    (again::RECOVER, &[Answer::status(500), Answer::ok()]),
    (again::REPLAY, &[]),
    (again::RESEND, &[]),
    (subscriptions::LIMIT, &[]),
    (subscriptions::ROTATION, &[]),
];

/// Returns the answers of all steps.
pub(super) fn script() -> Script {
    STEPS
        .into_iter()
        .fold(Script::default(), |script, (step, answers)| {
            script.with(step_of(step), answers.to_vec())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_fails_too_few_attempts_to_fire_an_alarm() {
        let script = script();
        let failing = script.steps().flat_map(|(_, answers)| answers);
        assert!(failing.filter(|answer| answer.status >= 400).count() <= 9);
        // The last answer is repeated, so it must not be a failure unless it ends the delivery.
        for (step, answers) in script.steps() {
            let last = answers.last().map_or(200, |answer| answer.status);
            assert!(matches!(last, 200 | 410), "{step:?}");
        }
    }
}
