//! Warnings to the owner of an endpoint, in steps: it has been failing for an hour, for a day, for
//! half of the time after which it is disabled; it is disabled; it works again.
//!
//! Each step is taken at most once in a failing period. The last step is part of the stored health,
//! and it is written before the warning is published: of two execution environments that reach a
//! step at the same time, one gets a conflict and publishes nothing. A crash between both loses the
//! warning. The next step is not lost.
//!
//! A subscription can be enabled at any time, and an endpoint that answers 410 disables it at once. So
//! of its disabling the owner is told once in some hours, whatever happens in between: the
//! subscription has the time of the last such warning.
//!
//! A step is decided after a failed attempt, which is also how an endpoint becomes failing. So it
//! costs one write for each step and nothing else: no timer, and no read.
//!
//! The end of a client certificate has steps of its own ([`Subscription::certificate_warning`]). They
//! need no failing period, because an endpoint accepts a certificate until its last moment.
//!
//! [`Subscription::certificate_warning`]: crate::subscription::Subscription::certificate_warning

use std::time::Duration;

use crate::timestamp::Timestamp;

use super::{DisabledReason, Health, HealthPolicy};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A step of a failing period. Later steps are greater.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum FailingStep {
    /// It has been failing for an hour.
    FailingForAnHour,
    /// It has been failing for a day. Left out unless this is before half of the time.
    FailingForADay,
    /// Half of the time after which it is disabled is over.
    HalfTimeToDisabling,
}

impl FailingStep {
    const ALL: [Self; 3] = [
        Self::FailingForAnHour,
        Self::FailingForADay,
        Self::HalfTimeToDisabling,
    ];

    /// The time after which the step is taken. `None` if the policy leaves it out: steps would come
    /// at the same time or in another order, or nothing is ever disabled.
    pub fn after(self, policy: &HealthPolicy) -> Option<Duration> {
        let half = policy.disable_after.map(|bound| bound / 2);
        match self {
            Self::FailingForAnHour => Some(HOUR),
            Self::FailingForADay => Some(DAY),
            Self::HalfTimeToDisabling => half,
        }
        .filter(|time| self == Self::HalfTimeToDisabling || half.is_none_or(|half| *time < half))
    }
}

/// A step of which the owner of an endpoint is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningStep {
    /// It has been failing for a time.
    Failing(FailingStep),
    /// Its subscription was disabled.
    Disabled(DisabledReason),
    /// It works again. Only after one of the steps of failing.
    Recovered,
    /// The client certificate ends soon.
    CertificateExpires,
    /// The client certificate has ended.
    CertificateExpired,
}

impl WarningStep {
    /// The name of each step, in their order.
    pub const NAMES: [&'static str; 7] = [
        "failingForAnHour",
        "failingForADay",
        "halfTimeToDisabling",
        "disabled",
        "recovered",
        "certificateExpires",
        "certificateExpired",
    ];

    /// Its name in operational events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failing(FailingStep::FailingForAnHour) => Self::NAMES[0],
            Self::Failing(FailingStep::FailingForADay) => Self::NAMES[1],
            Self::Failing(FailingStep::HalfTimeToDisabling) => Self::NAMES[2],
            Self::Disabled(_) => Self::NAMES[3],
            Self::Recovered => Self::NAMES[4],
            Self::CertificateExpires => Self::NAMES[5],
            Self::CertificateExpired => Self::NAMES[6],
        }
    }
}

/// A warning to the owner of an endpoint, decided after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    /// The step.
    pub step: WarningStep,
    /// The beginning of the failing period. `None` if the endpoint answered 410 at once.
    pub failing_since: Option<Timestamp>,
    /// The time at which it is disabled if it goes on failing. `None` if that is not to come.
    pub disabled_at: Option<Timestamp>,
    /// The end of the client certificate, if the step is about it.
    pub certificate_not_after: Option<Timestamp>,
}

impl Health {
    /// The last step of failing that is due at this time, or the one that was taken if that is
    /// later. Never an earlier one, whatever the policy and the clock say. Steps that one attempt
    /// finds due together are one step, the last of them.
    pub(super) fn warned_after(
        &self,
        failing_since: Option<Timestamp>,
        policy: &HealthPolicy,
        now: Timestamp,
    ) -> Option<FailingStep> {
        let since = failing_since?;
        let is_due = |step: &FailingStep| {
            step.after(policy)
                .is_some_and(|time| now.since(since) >= time)
        };
        let due = FailingStep::ALL.into_iter().filter(is_due).max();
        due.max(self.warned)
    }

    /// The warning that follows from a change of health, to be published once this health is
    /// stored.
    pub fn warning_since(&self, before: &Self, policy: &HealthPolicy) -> Option<Warning> {
        let step = match (before.warned, self.warned) {
            (before, Some(step)) if before < Some(step) => WarningStep::Failing(step),
            (Some(_), None) if self.failing_since.is_none() => WarningStep::Recovered,
            _ => return None,
        };
        let failing_since = self.failing_since.or(before.failing_since);
        let disabled_at = match step {
            WarningStep::Failing(_) => failing_since.zip(policy.disable_after),
            _ => None,
        };
        Some(Warning {
            step,
            failing_since,
            disabled_at: disabled_at.map(|(since, bound)| since + bound),
            certificate_not_after: None,
        })
    }

    /// The warning that the subscription of this endpoint was disabled.
    pub fn disabled_warning(&self, reason: DisabledReason) -> Warning {
        Warning {
            step: WarningStep::Disabled(reason),
            failing_since: self.failing_since,
            disabled_at: None,
            certificate_not_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{NOW, observed, policy};
    use super::*;
    use crate::health::ObservedAttempt;

    fn policy_of(disable_after: Option<Duration>) -> HealthPolicy {
        HealthPolicy {
            disable_after,
            ..policy()
        }
    }

    fn failed_at(health: Health, at: Timestamp, policy: &HealthPolicy) -> Health {
        let mut attempt = ObservedAttempt {
            is_retry: true,
            ..observed(true)
        };
        attempt.observation.at = at;
        health.after(&attempt, policy)
    }

    fn succeeded_at(health: Health, at: Timestamp, policy: &HealthPolicy) -> Health {
        let mut attempt = observed(false);
        attempt.observation.at = at;
        health.after(&attempt, policy)
    }

    #[test]
    fn steps_that_would_coincide_or_come_out_of_order_are_left_out() {
        use FailingStep::{FailingForADay, FailingForAnHour, HalfTimeToDisabling};
        let steps = |days: Option<u32>| {
            let policy = policy_of(days.map(|days| days * DAY));
            let all = FailingStep::ALL.into_iter();
            all.filter(|step| step.after(&policy).is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(steps(None), [FailingForAnHour, FailingForADay]);
        assert_eq!(steps(Some(5)), FailingStep::ALL);
        assert_eq!(steps(Some(2)), [FailingForAnHour, HalfTimeToDisabling]);
        assert_eq!(steps(Some(1)), [FailingForAnHour, HalfTimeToDisabling]);
    }

    #[test]
    fn each_step_is_taken_once_and_a_recovery_only_after_one() {
        let policy = policy_of(Some(5 * DAY));
        let mut health = failed_at(Health::default(), NOW, &policy);
        let mut taken = Vec::new();
        for minutes in (0..5 * 24 * 60).step_by(30) {
            let next = failed_at(health, NOW + Duration::from_mins(minutes), &policy);
            taken.extend(next.warning_since(&health, &policy).map(|warning| {
                assert_eq!(warning.failing_since, Some(NOW));
                assert_eq!(warning.disabled_at, Some(NOW + 5 * DAY));
                (minutes / 60, warning.step.as_str())
            }));
            health = next;
        }
        let expected = [
            (1, "failingForAnHour"),
            (24, "failingForADay"),
            (60, "halfTimeToDisabling"),
        ];
        assert_eq!(taken, expected);
        let well = succeeded_at(health, NOW + 5 * DAY, &policy);
        let recovered = well.warning_since(&health, &policy).unwrap();
        assert_eq!(recovered.step, WarningStep::Recovered);
        assert_eq!(recovered.failing_since, Some(NOW));
        assert_eq!(recovered.disabled_at, None);

        let shortly = failed_at(Health::default(), NOW, &policy);
        let well = succeeded_at(shortly, NOW + HOUR / 2, &policy);
        assert_eq!(well.warning_since(&shortly, &policy), None);
    }

    proptest! {
        /// Any attempts at any times, under any policies, also if the clock goes back.
        #[test]
        fn steps_are_monotone_and_taken_at_most_once_in_a_failing_period(
            attempts in proptest::collection::vec(
                (any::<bool>(), 0..200_u64, proptest::option::of(0..10_u32)), 0..60
            ),
        ) {
            let mut health = Health::default();
            let mut last: Option<FailingStep> = None;
            for (fails, hours, days) in attempts {
                let policy = policy_of(days.map(|days| days * DAY));
                let at = NOW + Duration::from_hours(hours);
                let next = if fails {
                    failed_at(health, at, &policy)
                } else {
                    succeeded_at(health, at, &policy)
                };
                match next.warning_since(&health, &policy).map(|warning| warning.step) {
                    Some(WarningStep::Failing(step)) => {
                        prop_assert!(fails && last < Some(step), "{step:?} after {last:?}");
                        prop_assert!(next.warned == Some(step));
                        last = Some(step);
                    }
                    Some(WarningStep::Recovered) => {
                        prop_assert!(!fails && last.is_some());
                        last = None;
                    }
                    Some(step) => prop_assert!(false, "{step:?} by an attempt"),
                    None => prop_assert!(fails || last.is_none()),
                }
                // The same health again is no other step.
                prop_assert_eq!(next.warning_since(&next, &policy), None);
                health = next;
            }
        }
    }
}
