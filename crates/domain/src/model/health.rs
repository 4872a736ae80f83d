//! Endpoint health, as used for routing, circuit breaking and disabling.
//!
//! Health is written when it changes, and not for each delivery. Observations of single attempts
//! stay in the execution environment that made them ([`HealthTracker`]). Health is stored in the
//! subscription and read with it, so every environment knows it without another call.
//!
//! - `failing_since`: a retry has failed, and no attempt has succeeded since.
//! - `circuit`: the circuit breaker is not closed. No attempt is made until its cooldown is over;
//!   then one probe is.
//! - `slow_since`: attempts take so long that they go through the slow queue.
//! - `hold`: deliveries are held, because the circuit breaker has been open for long.
//! - `warned`: the last step of the failing period of which the owner was told.

mod circuit;
mod hold;
mod tracker;
mod warning;
mod window;

use std::time::Duration;

pub use circuit::{CircuitPolicy, CircuitPolicyError, CircuitState, OpenCircuit};
pub use hold::Hold;
pub use tracker::{Endpoint, HealthTracker};
pub use warning::{FailingStep, Warning, WarningStep};
pub use window::{Observation, ResponseSpeed, Window, WindowSummary, is_slow};

use crate::queue::QueueKind;
use crate::timestamp::Timestamp;

/// After this time one quick attempt is enough to make a slow endpoint quick again.
const ONE_QUICK_IS_ENOUGH_AFTER: Duration = Duration::from_mins(10);

/// The health of an endpoint, as it is stored in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// The time since which every attempt has failed. `None` if attempts succeed.
    pub failing_since: Option<Timestamp>,
    /// The circuit breaker. `None` while it is closed.
    pub circuit: Option<OpenCircuit>,
    /// The time since which its attempts are slow. `None` if they are not.
    pub slow_since: Option<Timestamp>,
    /// The hold of its deliveries. `None` if none is held because the endpoint is unavailable.
    pub hold: Option<Hold>,
    /// The last step of the failing period of which the owner is told. `None` if no step is
    /// reached.
    pub warned: Option<FailingStep>,
}

/// The thresholds for failing endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthPolicy {
    /// The thresholds of the circuit breaker. `None` if it never opens.
    pub circuit: Option<CircuitPolicy>,
    /// The time for which an endpoint may fail before its subscription is disabled. `None` if it is
    /// never disabled.
    pub disable_after: Option<Duration>,
}

impl HealthPolicy {
    /// No action on failing endpoints.
    pub const NONE: Self = Self {
        circuit: None,
        disable_after: None,
    };
}

/// An attempt, as evidence of its endpoint's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservedAttempt {
    /// The attempt itself.
    pub observation: Observation,
    /// True if it was a retry.
    pub is_retry: bool,
    /// True if the attempt of the same delivery before it was slow.
    pub follows_slow: bool,
    /// True if it was the probe of a half-open circuit breaker.
    pub is_probe: bool,
    /// The recent attempts, including this one.
    pub summary: WindowSummary,
}

/// The reason why the system stopped sending to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DisabledReason {
    /// It answered 410.
    EndpointGone,
    /// All attempts have failed for longer than the stack allows.
    Failing,
}

impl DisabledReason {
    /// The name of the reason in the table, in the API and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EndpointGone => "endpointGone",
            Self::Failing => "failing",
        }
    }
}

/// A change of an endpoint's health, for logs and operational events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthChange {
    /// A retry has failed, and no attempt is known to have succeeded since.
    Failing,
    /// An attempt has succeeded again.
    Recovered,
    /// The circuit breaker opened: no attempt is made for a while.
    CircuitOpened,
    /// The circuit breaker closed: attempts are made again.
    CircuitClosed,
    /// Its deliveries go through the slow queue.
    Slow,
    /// Its deliveries go through the fast queue again.
    Quick,
    /// Its subscription was disabled.
    Disabled(DisabledReason),
}

impl HealthChange {
    /// Its name in a log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Recovered => "recovered",
            Self::CircuitOpened => "circuit opened",
            Self::CircuitClosed => "circuit closed",
            Self::Slow => "slow",
            Self::Quick => "quick",
            Self::Disabled(_) => "disabled",
        }
    }
}

impl Health {
    /// The health after an attempt.
    ///
    /// A single failure changes nothing. An endpoint is failing when a retry fails too, or when its
    /// circuit breaker opens. So an endpoint that fails now and then costs no writes.
    #[must_use]
    pub fn after(self, observed: &ObservedAttempt, policy: &HealthPolicy) -> Self {
        let now = observed.observation.at;
        if !observed.observation.failed {
            let circuit = self.circuit.filter(|_| !observed.is_probe);
            return Self {
                failing_since: None,
                circuit,
                slow_since: self.slow_after(observed),
                hold: self.hold_after(circuit, now),
                warned: None,
            };
        }
        let circuit = match (self.circuit, policy.circuit) {
            (Some(open), _) if observed.is_probe => Some(open.for_longer(now)),
            (None, Some(policy)) if observed.summary.fails_at_rate => Some(policy.open(now)),
            (circuit, _) => circuit,
        };
        let is_failing = observed.is_retry || circuit.is_some();
        let failing_since = self.failing_since.or(is_failing.then_some(now));
        Self {
            failing_since,
            circuit,
            slow_since: self.slow_after(observed),
            hold: self.hold_after(circuit, now),
            warned: self.warned_after(failing_since, policy, now),
        }
    }

    /// An endpoint becomes slow after several slow attempts in a row, of one execution environment
    /// or of one delivery. It becomes quick again after several quick attempts in a row. An
    /// endpoint with little traffic may never have several in one environment. So one is enough if
    /// the endpoint has been slow for ten minutes and no recent attempt was slow.
    fn slow_after(&self, observed: &ObservedAttempt) -> Option<Timestamp> {
        let now = observed.observation.at;
        let is_slow = observed.summary.speed == Some(ResponseSpeed::Slow)
            || (observed.observation.slow && observed.follows_slow);
        let one_is_enough =
            |since| observed.summary.none_slow && now.since(since) >= ONE_QUICK_IS_ENOUGH_AFTER;
        if is_slow {
            self.slow_since.or(Some(now))
        } else if observed.summary.speed == Some(ResponseSpeed::Quick) {
            None
        } else {
            self.slow_since.filter(|&since| !one_is_enough(since))
        }
    }

    /// The queue for its deliveries.
    pub fn queue(&self) -> QueueKind {
        match self.slow_since {
            Some(_) => QueueKind::Slow,
            None => QueueKind::Fast,
        }
    }

    /// Returns true if it has failed for so long that its subscription must be disabled.
    pub fn has_failed_for_too_long(&self, policy: &HealthPolicy, now: Timestamp) -> bool {
        match (self.failing_since, policy.disable_after) {
            (Some(since), Some(bound)) => now.since(since) >= bound,
            _ => false,
        }
    }

    /// The changes since an earlier state.
    pub fn changes_since(&self, before: &Self) -> Vec<HealthChange> {
        let change = |before: bool, after: bool, begins, ends| match (before, after) {
            (false, true) => Some(begins),
            (true, false) => Some(ends),
            _ => None,
        };
        [
            change(
                before.failing_since.is_some(),
                self.failing_since.is_some(),
                HealthChange::Failing,
                HealthChange::Recovered,
            ),
            change(
                before.circuit.is_some(),
                self.circuit.is_some(),
                HealthChange::CircuitOpened,
                HealthChange::CircuitClosed,
            ),
            change(
                before.slow_since.is_some(),
                self.slow_since.is_some(),
                HealthChange::Slow,
                HealthChange::Quick,
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const DAY: Duration = Duration::from_hours(24);

    pub(super) fn policy() -> HealthPolicy {
        HealthPolicy {
            circuit: Some(CircuitPolicy::new(80, 10, 30).unwrap()),
            disable_after: Some(5 * DAY),
        }
    }

    pub(super) fn observed(failed: bool) -> ObservedAttempt {
        ObservedAttempt {
            observation: Observation {
                at: NOW,
                failed,
                slow: false,
            },
            is_retry: false,
            follows_slow: false,
            is_probe: false,
            summary: WindowSummary::default(),
        }
    }

    fn after(health: Health, observed: ObservedAttempt) -> Health {
        health.after(&observed, &policy())
    }

    #[test]
    fn one_failure_changes_nothing_and_a_failed_retry_starts_a_failing_period() {
        let well = Health::default();
        assert_eq!(after(well, observed(false)), well);
        assert_eq!(after(well, observed(true)), well);
        let retry = ObservedAttempt {
            is_retry: true,
            ..observed(true)
        };
        let failing = after(well, retry);
        assert_eq!(failing.failing_since, Some(NOW));
        assert_eq!(failing.changes_since(&well), [HealthChange::Failing]);
        let earlier = Health {
            failing_since: Some(NOW - DAY),
            warned: Some(FailingStep::FailingForADay),
            ..well
        };
        assert_eq!(
            after(earlier, retry),
            earlier,
            "the start of the failing period stays"
        );
        assert_eq!(after(failing, observed(false)), well);
        assert_eq!(well.changes_since(&failing), [HealthChange::Recovered]);
    }

    #[test]
    fn a_subscription_is_disabled_after_the_time_limit_or_never_without_one() {
        let failing = |days: u32| Health {
            failing_since: Some(NOW - days * DAY),
            ..Health::default()
        };
        let never = HealthPolicy::NONE;
        assert!(!failing(4).has_failed_for_too_long(&policy(), NOW));
        assert!(failing(5).has_failed_for_too_long(&policy(), NOW));
        assert!(!failing(5).has_failed_for_too_long(&never, NOW));
        assert!(!Health::default().has_failed_for_too_long(&policy(), NOW));
    }

    #[test]
    fn a_circuit_breaker_opens_at_a_failure_rate_and_the_endpoint_is_failing() {
        let at_rate = ObservedAttempt {
            summary: WindowSummary {
                fails_at_rate: true,
                ..WindowSummary::default()
            },
            ..observed(true)
        };
        let open = after(Health::default(), at_rate);
        let until = NOW + Duration::from_secs(30);
        assert_eq!(open.circuit.unwrap().until, until);
        assert_eq!(open.failing_since, Some(NOW));
        let off = Health::default().after(&at_rate, &HealthPolicy::NONE);
        assert_eq!(off, Health::default());
        // Attempts that began before it opened change nothing.
        assert_eq!(after(open, at_rate), open);
        let late_success = after(open, observed(false));
        assert_eq!(late_success.circuit, open.circuit);
    }

    #[test]
    fn a_probe_closes_the_circuit_breaker_or_keeps_it_open_for_longer() {
        let circuit = policy().circuit.unwrap().open(NOW);
        let open = Health {
            failing_since: Some(NOW),
            circuit: Some(circuit),
            ..Health::default()
        };
        let probe = |failed| ObservedAttempt {
            is_probe: true,
            ..observed(failed)
        };
        let closed = after(open, probe(false));
        assert_eq!(closed, Health::default());
        assert_eq!(
            closed.changes_since(&open),
            [HealthChange::Recovered, HealthChange::CircuitClosed]
        );
        let longer = after(open, probe(true)).circuit.unwrap();
        assert_eq!(longer.until, NOW + Duration::from_mins(1));
    }

    #[test]
    fn two_slow_attempts_of_one_delivery_make_an_endpoint_slow() {
        let attempt = |slow, follows_slow| ObservedAttempt {
            observation: Observation {
                slow,
                ..observed(true).observation
            },
            follows_slow,
            ..observed(true)
        };
        let well = Health::default();
        for (slow, follows_slow) in [(true, false), (false, true)] {
            let after = after(well, attempt(slow, follows_slow));
            assert_eq!(after.queue(), QueueKind::Fast);
        }
        assert_eq!(after(well, attempt(true, true)).queue(), QueueKind::Slow);
    }

    #[test]
    fn one_quick_attempt_is_enough_after_ten_minutes() {
        let slow = |ago| Health {
            slow_since: Some(NOW - ago),
            ..Health::default()
        };
        let quick = |none_slow| ObservedAttempt {
            summary: WindowSummary {
                none_slow,
                ..WindowSummary::default()
            },
            ..observed(false)
        };
        let queue = |ago, none_slow| after(slow(ago), quick(none_slow)).queue();
        assert_eq!(queue(ONE_QUICK_IS_ENOUGH_AFTER, true), QueueKind::Fast);
        assert_eq!(queue(ONE_QUICK_IS_ENOUGH_AFTER, false), QueueKind::Slow);
        assert_eq!(queue(ONE_QUICK_IS_ENOUGH_AFTER / 2, true), QueueKind::Slow);
    }

    #[test]
    fn an_endpoint_stays_slow_until_it_is_quick() {
        let at_speed = |speed| ObservedAttempt {
            summary: WindowSummary {
                speed,
                ..WindowSummary::default()
            },
            ..observed(false)
        };
        let well = Health::default();
        let slow = after(well, at_speed(Some(ResponseSpeed::Slow)));
        assert_eq!(slow.slow_since, Some(NOW));
        assert_eq!(slow.changes_since(&well), [HealthChange::Slow]);
        assert_eq!(after(slow, at_speed(None)), slow);
        assert_eq!(after(slow, at_speed(Some(ResponseSpeed::Quick))), well);
        assert_eq!(well.changes_since(&slow), [HealthChange::Quick]);
    }
}
