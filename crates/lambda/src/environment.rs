//! Environment variables, read once at start.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use webhooks_domain::health::{CircuitPolicy, HealthPolicy};
use webhooks_domain::retry::{RetryPolicy, RetryPolicyError};

const SCHEDULE: &str = "RETRY_SCHEDULE";
const CIRCUIT: &str = "CIRCUIT_FAILURE_PERCENT";
const DAY: Duration = Duration::from_hours(24);

/// The environment of the process at its start.
#[derive(Debug)]
pub struct Environment(HashMap<String, String>);

/// A missing or malformed variable, with which the function must not start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// The variable is not set.
    #[error("environment variable {name} is not set")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// The variable's value is invalid.
    #[error("environment variable {name}: {problem}")]
    Malformed {
        /// Its name.
        name: &'static str,
        /// The problem.
        problem: String,
    },
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    /// For tests, which cannot change the environment of their process.
    fn from(variables: [(&str, &str); N]) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(variables.into_iter().map(owned).collect())
    }
}

impl Environment {
    /// Reads the environment of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads it"
    )]
    pub fn read() -> Self {
        Self(std::env::vars().collect())
    }

    /// Returns a variable's text.
    pub fn text(&self, name: &'static str) -> Result<String, EnvironmentError> {
        self.0
            .get(name)
            .cloned()
            .ok_or(EnvironmentError::Missing { name })
    }

    /// Parses a variable.
    pub fn parse<T: FromStr<Err: Display>>(
        &self,
        name: &'static str,
    ) -> Result<T, EnvironmentError> {
        self.text(name)?
            .parse()
            .map_err(|problem: T::Err| malformed(name, problem))
    }

    /// Returns a variable's text, or an empty text if it is not set. The template sets some
    /// variables to an empty text, and Lambda may pass these on empty or not at all.
    pub fn text_or_empty(&self, name: &'static str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Parses a variable; `None` if it is empty or not set.
    pub fn parse_unless_empty<T: FromStr<Err: Display>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, EnvironmentError> {
        match self.text_or_empty(name) {
            "" => Ok(None),
            _ => self.parse(name).map(Some),
        }
    }

    /// Returns the time for which the table keeps a message and its deliveries:
    /// `RETENTION_DAYS`.
    pub fn retention(&self) -> Result<Duration, EnvironmentError> {
        Ok(DAY * self.parse::<u32>("RETENTION_DAYS")?)
    }

    /// Returns the policy for failing endpoints: `DISABLE_AFTER_DAYS` (0 means never) and the
    /// three numbers of the circuit breaker (0 for the first one disables it).
    pub fn health_policy(&self) -> Result<HealthPolicy, EnvironmentError> {
        let days: u32 = self.parse("DISABLE_AFTER_DAYS")?;
        Ok(HealthPolicy {
            disable_after: (days > 0).then_some(DAY * days),
            circuit: self.circuit_policy()?,
        })
    }

    fn circuit_policy(&self) -> Result<Option<CircuitPolicy>, EnvironmentError> {
        let failure_percent = self.parse(CIRCUIT)?;
        if failure_percent == 0 {
            return Ok(None);
        }
        CircuitPolicy::new(
            failure_percent,
            self.parse("CIRCUIT_MINIMUM_ATTEMPTS")?,
            self.parse("CIRCUIT_COOLDOWN_SECONDS")?,
        )
        .map(Some)
        .map_err(|problem| malformed(CIRCUIT, problem))
    }

    /// Returns the stack's retry policy: `RETRY_SCHEDULE` unless it is empty, otherwise the
    /// four numbers of a backoff.
    pub fn retry_policy(&self) -> Result<RetryPolicy, EnvironmentError> {
        let schedule = self.text_or_empty(SCHEDULE);
        if schedule.is_empty() {
            return self.backoff();
        }
        let delays = schedule
            .split(',')
            .map(|delay| delay.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|problem| malformed(SCHEDULE, problem))?;
        RetryPolicy::schedule(delays).map_err(|problem| malformed(SCHEDULE, problem))
    }

    fn backoff(&self) -> Result<RetryPolicy, EnvironmentError> {
        RetryPolicy::backoff(
            self.parse("RETRY_MAX_ATTEMPTS")?,
            self.parse("RETRY_INTERVAL_SECONDS")?,
            self.parse("RETRY_BACKOFF_RATE")?,
            self.parse("RETRY_MAX_DELAY_SECONDS")?,
        )
        .map_err(|problem| malformed(backoff_variable(&problem), problem))
    }
}

/// Returns the variable that a policy's error refers to.
fn backoff_variable(error: &RetryPolicyError) -> &'static str {
    match error {
        RetryPolicyError::Range {
            field: "intervalSeconds",
            ..
        } => "RETRY_INTERVAL_SECONDS",
        RetryPolicyError::Range {
            field: "backoffRate",
            ..
        } => "RETRY_BACKOFF_RATE",
        RetryPolicyError::Range {
            field: "maxDelaySeconds",
            ..
        } => "RETRY_MAX_DELAY_SECONDS",
        _ => "RETRY_MAX_ATTEMPTS",
    }
}

fn malformed(name: &'static str, problem: impl Display) -> EnvironmentError {
    EnvironmentError::Malformed {
        name,
        problem: problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Environment(variables.iter().map(owned).collect())
    }

    #[test]
    fn a_missing_or_malformed_variable_is_named() {
        let environment = environment(&[("COUNT", "many")]);
        assert_eq!(
            environment.text("TABLE_NAME").unwrap_err().to_string(),
            "environment variable TABLE_NAME is not set"
        );
        let error = environment.parse::<u32>("COUNT").unwrap_err().to_string();
        assert!(error.starts_with("environment variable COUNT: "), "{error}");
    }

    #[test]
    fn an_empty_variable_says_that_there_is_none_and_so_does_a_missing_one() {
        let environment = environment(&[("OPERATOR", ""), ("COUNT", "3")]);
        assert_eq!(environment.parse_unless_empty::<u32>("OPERATOR"), Ok(None));
        assert_eq!(environment.parse_unless_empty::<u32>("COUNT"), Ok(Some(3)));
        assert_eq!(environment.parse_unless_empty::<u32>("NOTHING"), Ok(None));
    }

    fn schedule(delays: &str, retention_days: &str) -> Result<RetryPolicy, EnvironmentError> {
        environment(&[
            ("RETRY_SCHEDULE", delays),
            ("RETENTION_DAYS", retention_days),
        ])
        .retry_policy()
    }

    #[test]
    fn a_schedule_wins_over_the_backoff_numbers() {
        let policy = schedule("0, 5,300", "14");
        assert_eq!(
            policy,
            RetryPolicy::schedule(vec![0, 5, 300]).map_err(|error| malformed(SCHEDULE, error))
        );
        for bad in ["0,x", "5,0", "0,,1", "0,-1"] {
            assert!(schedule(bad, "90").is_err(), "{bad}");
        }
    }

    #[test]
    fn endpoints_are_disabled_after_some_days_or_never() {
        let days = |days| {
            let variables = [("DISABLE_AFTER_DAYS", days), (CIRCUIT, "0")];
            environment(&variables).health_policy()
        };
        assert_eq!(days("5").unwrap().disable_after, Some(5 * DAY));
        assert_eq!(days("0").unwrap().disable_after, None);
        assert!(days("-1").is_err() && days("").is_err());
    }

    #[test]
    fn a_circuit_opens_as_the_numbers_say_or_never() {
        let circuit = |percent, minimum| {
            environment(&[
                ("DISABLE_AFTER_DAYS", "5"),
                (CIRCUIT, percent),
                ("CIRCUIT_MINIMUM_ATTEMPTS", minimum),
                ("CIRCUIT_COOLDOWN_SECONDS", "30"),
            ])
            .health_policy()
            .map(|policy| policy.circuit)
        };
        let expected = CircuitPolicy::new(80, 10, 30).unwrap();
        assert_eq!(circuit("80", "10"), Ok(Some(expected)));
        assert_eq!(circuit("0", "10"), Ok(None));
        let error = circuit("80", "21").unwrap_err().to_string();
        assert!(error.contains("minimumAttempts"), "{error}");
    }

    #[test]
    fn without_a_schedule_the_backoff_numbers_count() {
        let numbers = |rate| {
            environment(&[
                ("RETENTION_DAYS", "14"),
                ("RETRY_SCHEDULE", ""),
                ("RETRY_MAX_ATTEMPTS", "4"),
                ("RETRY_INTERVAL_SECONDS", "10"),
                ("RETRY_BACKOFF_RATE", rate),
                ("RETRY_MAX_DELAY_SECONDS", "60"),
            ])
        };
        let mut unset = numbers("2.5");
        assert!(unset.retry_policy().is_ok());
        unset.0.remove("RETRY_SCHEDULE");
        assert!(unset.retry_policy().is_ok());
        let error = numbers("0.5").retry_policy().unwrap_err().to_string();
        assert!(error.contains("RETRY_BACKOFF_RATE"), "{error}");
    }
}
