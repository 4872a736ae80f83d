//! The circuit breaker of an endpoint: closed, open, or half-open.
//!
//! While it is open no attempt is made. After its cooldown it is half-open and admits one attempt,
//! the probe. A run claims the probe by extending the open time until the probe must have ended.
//! If that run crashes, another one can claim the next probe then. A probe that succeeds closes
//! the circuit breaker; one that fails opens it for twice as long.

use std::time::Duration;

use crate::queue::MAX_QUEUE_DELAY;
use crate::timestamp::Timestamp;

use super::window::Window;

/// A circuit breaker that is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCircuit {
    /// The time at which it opened. Failed probes do not change it.
    pub since: Timestamp,
    /// No attempt is made before this time.
    pub until: Timestamp,
    /// The last cooldown, which doubles with each failed probe.
    pub cooldown: Duration,
}

/// The state of a circuit breaker that is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// No attempt is made before this time.
    Open(Timestamp),
    /// One attempt may be claimed: the probe.
    HalfOpen,
}

impl OpenCircuit {
    /// The longest cooldown. The queue cannot keep a task for longer.
    pub const LONGEST: Duration = MAX_QUEUE_DELAY;

    /// The circuit breaker during a probe, which must have ended at `until`.
    #[must_use]
    pub fn claimed_until(self, until: Timestamp) -> Self {
        Self { until, ..self }
    }

    /// The circuit breaker after a failed probe: open for twice as long as before.
    #[must_use]
    pub fn for_longer(self, now: Timestamp) -> Self {
        let cooldown = (2 * self.cooldown).min(Self::LONGEST);
        Self {
            until: now + cooldown,
            cooldown,
            ..self
        }
    }

    /// Its state now.
    pub fn state(self, now: Timestamp) -> CircuitState {
        if now < self.until {
            CircuitState::Open(self.until)
        } else {
            CircuitState::HalfOpen
        }
    }
}

/// The thresholds of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitPolicy {
    failure_percent: u32,
    minimum_attempts: u32,
    cooldown: Duration,
}

/// A circuit policy with a number out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: must be {min} to {max}, is {value}")]
pub struct CircuitPolicyError {
    field: &'static str,
    min: u32,
    max: u32,
    value: u32,
}

impl CircuitPolicy {
    /// A circuit breaker that opens when the window has at least `minimum_attempts`, of which at
    /// least `failure_percent` failed. Its first cooldown is `cooldown_seconds`.
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn new(
        failure_percent: u32,
        minimum_attempts: u32,
        cooldown_seconds: u32,
    ) -> Result<Self, CircuitPolicyError> {
        let check = |field, value, max| {
            if (1..=max).contains(&value) {
                return Ok(());
            }
            Err(CircuitPolicyError {
                field,
                min: 1,
                max,
                value,
            })
        };
        check("failurePercent", failure_percent, 100)?;
        check("minimumAttempts", minimum_attempts, Window::MAX_ATTEMPTS)?;
        let longest = u32::try_from(OpenCircuit::LONGEST.as_secs()).unwrap_or(u32::MAX);
        check("cooldownSeconds", cooldown_seconds, longest)?;
        Ok(Self {
            failure_percent,
            minimum_attempts,
            cooldown: Duration::from_secs(cooldown_seconds.into()),
        })
    }

    /// Returns true if this many failures among this many attempts open it.
    pub fn opens_at(&self, failed: u32, attempts: u32) -> bool {
        attempts >= self.minimum_attempts && failed * 100 >= attempts * self.failure_percent
    }

    /// A circuit breaker that opens now.
    pub fn open(&self, now: Timestamp) -> OpenCircuit {
        OpenCircuit {
            since: now,
            until: now + self.cooldown,
            cooldown: self.cooldown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_circuit_breaker_is_open_until_its_time_and_then_half_open() {
        let open = CircuitPolicy::new(50, 10, 30).unwrap().open(NOW);
        let end = NOW + Duration::from_secs(30);
        let at = |now| open.state(now);
        assert_eq!(at(end - Duration::from_millis(1)), CircuitState::Open(end));
        assert_eq!(at(end), CircuitState::HalfOpen);
        let lease = end + Duration::from_secs(20);
        let claimed = open.claimed_until(lease);
        let at = |now| claimed.state(now);
        assert_eq!(at(end), CircuitState::Open(lease), "the probe is claimed");
        assert_eq!(at(lease), CircuitState::HalfOpen, "the claim expires");
    }

    #[test]
    fn each_failed_probe_doubles_the_cooldown_up_to_the_longest_queue_delay() {
        let mut circuit = CircuitPolicy::new(50, 10, 100).unwrap().open(NOW);
        let mut cooldowns = Vec::new();
        for _ in 0..5 {
            circuit = circuit.claimed_until(NOW).for_longer(NOW);
            cooldowns.push(circuit.until.since(NOW).as_secs());
        }
        assert_eq!(cooldowns, [200, 400, 800, 900, 900]);
        let later = circuit.for_longer(NOW + OpenCircuit::LONGEST);
        assert_eq!(later.since, NOW, "a failed probe keeps the time of opening");
    }

    #[test]
    fn a_circuit_breaker_opens_at_its_rate_and_not_before_its_minimum() {
        let policy = CircuitPolicy::new(80, 10, 30).unwrap();
        assert!(!policy.opens_at(9, 9));
        assert!(policy.opens_at(8, 10));
        assert!(!policy.opens_at(7, 10));
        assert!(!policy.opens_at(15, 20));
        assert!(policy.opens_at(16, 20));
    }

    #[test]
    fn a_circuit_policy_is_limited() {
        assert!(CircuitPolicy::new(100, Window::MAX_ATTEMPTS, 900).is_ok());
        for (percent, minimum, cooldown) in [
            (0, 10, 30),
            (101, 10, 30),
            (50, 0, 30),
            (50, Window::MAX_ATTEMPTS + 1, 30),
            (50, 10, 0),
            (50, 10, 901),
        ] {
            assert!(CircuitPolicy::new(percent, minimum, cooldown).is_err());
        }
    }
}
