//! Environment variables, read once at start.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use webhooks_domain::event::EventReader;
use webhooks_domain::health::{CircuitPolicy, HealthPolicy};
use webhooks_domain::retention::{Retention, RetentionByEventType};
use webhooks_domain::retry::{RetryPolicy, RetryPolicyError};

const SCHEDULE: &str = "RETRY_SCHEDULE";
const RETENTION_BY_TYPE: &str = "RETENTION_BY_EVENT_TYPE";
const CIRCUIT: &str = "CIRCUIT_FAILURE_PERCENT";
const DAY: Duration = Duration::from_hours(24);

/// The environment of the process, as it was at start.
#[derive(Debug, Default)]
pub struct Environment(HashMap<String, String>);

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    /// For tests, which do not change the process's own environment.
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(variables: I) -> Self {
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
}

/// A variable that is missing or malformed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// It is not set.
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

/// A variable that a function reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The function does not start when this variable is missing or empty.
    pub is_required: bool,
}

/// Reads variables, and keeps a list of those that were read and of what is wrong with them.
///
/// Each method returns `None` when its variable is missing or malformed, so that a
/// configuration can read all variables before it reports every problem at once.
#[derive(Debug)]
pub struct Variables<'a> {
    environment: &'a Environment,
    read: Vec<Variable>,
    problems: Vec<VariableError>,
}

impl<'a> Variables<'a> {
    pub(crate) fn of(environment: &'a Environment) -> Self {
        Self {
            environment,
            read: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The variables that were read, and the problems.
    pub(crate) fn finish(self) -> (Vec<Variable>, Vec<VariableError>) {
        (self.read, self.problems)
    }

    /// A variable that must be set, parsed.
    pub fn required<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        self.read.push(Variable {
            name,
            is_required: true,
        });
        let Some(value) = self.environment.0.get(name) else {
            self.problems.push(VariableError::Missing { name });
            return None;
        };
        self.parsed(name, value.parse())
    }

    /// A variable, parsed, or `Some(None)` when it is empty or not set. The template sets some
    /// variables to an empty text, and Lambda may drop those.
    pub fn optional<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<Option<T>> {
        self.read.push(Variable {
            name,
            is_required: false,
        });
        let value = self.environment.0.get(name);
        match value.filter(|value| !value.is_empty()) {
            Some(value) => self.parsed(name, value.parse()).map(Some),
            None => Some(None),
        }
    }

    /// A variable, parsed, or the type's default when it is empty or not set.
    pub fn or_default<T>(&mut self, name: &'static str) -> Option<T>
    where
        T: FromStr<Err: Display> + Default,
    {
        Some(self.optional(name)?.unwrap_or_default())
    }

    /// A number of seconds.
    pub fn seconds(&mut self, name: &'static str) -> Option<Duration> {
        self.required(name).map(Duration::from_secs)
    }

    /// A number of days.
    pub fn days(&mut self, name: &'static str) -> Option<Duration> {
        Some(DAY * self.required::<u32>(name)?)
    }

    /// The times for which messages and their deliveries are kept: the stack's, and those of some
    /// event types.
    pub fn retention(&mut self) -> Option<Retention> {
        let stack = self.days("RETENTION_DAYS");
        let by_type = self.or_default::<RetentionByEventType>(RETENTION_BY_TYPE);
        Some(Retention::new(stack?, by_type?))
    }

    /// The places of customer, idempotency key, deadline and time of the first attempt in an event,
    /// and the customer of the operational events.
    pub fn event_reader(&mut self) -> Option<EventReader> {
        let operator = self.optional("OPERATOR_CUSTOMER_ID");
        let customer_id = self.required("CUSTOMER_ID_POINTER");
        let idempotency_key = self.required("IDEMPOTENCY_KEY_POINTER");
        let deadline = self.required("DEADLINE_POINTER");
        let deliver_at = self.required("DELIVER_AT_POINTER");
        Some(EventReader {
            operator: operator?,
            customer_id: customer_id?,
            idempotency_key: idempotency_key?,
            deadline: deadline?,
            deliver_at: deliver_at?,
        })
    }

    /// The stack's policy for failing endpoints: the days until one is disabled, 0 for never, and
    /// the three numbers of the circuit breaker, the first of them 0 for none.
    pub fn health_policy(&mut self) -> Option<HealthPolicy> {
        let disable_after = self.days("DISABLE_AFTER_DAYS");
        let circuit = self.circuit_policy();
        Some(HealthPolicy {
            disable_after: Some(disable_after?).filter(|time| !time.is_zero()),
            circuit: circuit?,
        })
    }

    #[expect(
        clippy::option_option,
        reason = "the outer one says that the variables could be read"
    )]
    fn circuit_policy(&mut self) -> Option<Option<CircuitPolicy>> {
        let failure_percent = self.required(CIRCUIT);
        if failure_percent == Some(0) {
            return Some(None);
        }
        let minimum_attempts = self.required("CIRCUIT_MINIMUM_ATTEMPTS");
        let cooldown_seconds = self.required("CIRCUIT_COOLDOWN_SECONDS");
        let policy = CircuitPolicy::new(failure_percent?, minimum_attempts?, cooldown_seconds?);
        self.parsed(CIRCUIT, policy).map(Some)
    }

    /// Returns the stack's retry policy: `RETRY_SCHEDULE` unless it is empty, otherwise the
    /// four numbers of a backoff.
    pub fn retry_policy(&mut self) -> Option<RetryPolicy> {
        let Some(schedule) = self.optional::<String>(SCHEDULE)? else {
            return self.backoff();
        };
        let delays = schedule
            .split(',')
            .map(|delay| delay.trim().parse())
            .collect::<Result<_, _>>();
        let delays = self.parsed(SCHEDULE, delays)?;
        self.parsed(SCHEDULE, RetryPolicy::schedule(delays))
    }

    fn backoff(&mut self) -> Option<RetryPolicy> {
        let max_attempts = self.required("RETRY_MAX_ATTEMPTS");
        let interval_seconds = self.required("RETRY_INTERVAL_SECONDS");
        let backoff_rate = self.required("RETRY_BACKOFF_RATE");
        let max_delay_seconds = self.required("RETRY_MAX_DELAY_SECONDS");
        let policy = RetryPolicy::backoff(
            max_attempts?,
            interval_seconds?,
            backoff_rate?,
            max_delay_seconds?,
        );
        let name = policy.as_ref().err().map_or(SCHEDULE, backoff_variable);
        self.parsed(name, policy)
    }

    /// The value, or a note of what is wrong with the variable.
    fn parsed<T>(&mut self, name: &'static str, value: Result<T, impl Display>) -> Option<T> {
        let malformed = |problem: &dyn Display| VariableError::Malformed {
            name,
            problem: problem.to_string(),
        };
        value
            .map_err(|problem| self.problems.push(malformed(&problem)))
            .ok()
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

#[cfg(test)]
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method of `Variables` is for one lifetime, and its caller is for every"
)]
mod tests {
    use super::*;

    /// A value of an environment, or its problems as text.
    fn read<T>(
        variables: &[(&str, &str)],
        read: impl Fn(&mut Variables<'_>) -> Option<T>,
    ) -> Result<T, Vec<String>> {
        let environment = variables.iter().copied().collect();
        let mut variables = Variables::of(&environment);
        let value = read(&mut variables);
        let (_, problems) = variables.finish();
        assert_eq!(value.is_some(), problems.is_empty());
        value.ok_or_else(|| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_missing_or_malformed_is_named() {
        let missing = read(&[], |variables| variables.required::<String>("TABLE_NAME"));
        assert_eq!(
            missing,
            Err(vec![
                "environment variable TABLE_NAME is not set".to_owned()
            ])
        );
        let malformed = read(&[("COUNT", "many")], |variables| {
            variables.required::<u32>("COUNT")
        });
        let problems = malformed.unwrap_err();
        assert!(
            problems[0].starts_with("environment variable COUNT: "),
            "{problems:?}"
        );
    }

    #[test]
    fn an_empty_variable_says_that_there_is_none_and_so_does_a_missing_one() {
        let set = [("OPERATOR", ""), ("COUNT", "3")];
        let number = |name| read(&set, |variables| variables.optional::<u32>(name));
        assert_eq!(number("OPERATOR"), Ok(None));
        assert_eq!(number("COUNT"), Ok(Some(3)));
        assert_eq!(number("NOTHING"), Ok(None));
    }

    fn schedule(delays: &str) -> Result<RetryPolicy, Vec<String>> {
        read(&[("RETRY_SCHEDULE", delays)], |variables| {
            variables.retry_policy()
        })
    }

    #[test]
    fn a_schedule_wins_over_the_backoff_numbers() {
        assert_eq!(
            schedule("0, 5,300"),
            Ok(RetryPolicy::schedule(vec![0, 5, 300]).unwrap())
        );
        for bad in ["0,x", "5,0", "0,,1", "0,-1"] {
            assert!(schedule(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn endpoints_are_disabled_after_some_days_or_never() {
        let days = |days| {
            let variables = [("DISABLE_AFTER_DAYS", days), (CIRCUIT, "0")];
            read(&variables, |variables| variables.health_policy())
        };
        assert_eq!(days("5").unwrap().disable_after, Some(5 * DAY));
        assert_eq!(days("0").unwrap().disable_after, None);
        assert!(days("-1").is_err() && days("").is_err());
    }

    #[test]
    fn a_circuit_opens_as_the_numbers_say_or_never() {
        let circuit = |percent, minimum| {
            let variables = [
                ("DISABLE_AFTER_DAYS", "5"),
                (CIRCUIT, percent),
                ("CIRCUIT_MINIMUM_ATTEMPTS", minimum),
                ("CIRCUIT_COOLDOWN_SECONDS", "30"),
            ];
            read(&variables, |variables| variables.health_policy()).map(|policy| policy.circuit)
        };
        let expected = CircuitPolicy::new(80, 10, 30).unwrap();
        assert_eq!(circuit("80", "10"), Ok(Some(expected)));
        assert_eq!(circuit("0", "10"), Ok(None));
        let problems = circuit("80", "21").unwrap_err();
        assert!(problems[0].contains("minimumAttempts"), "{problems:?}");
    }

    #[test]
    fn without_a_schedule_the_backoff_numbers_count() {
        let policy = |rate, others: &[(&'static str, &'static str)]| {
            let mut variables = vec![
                ("RETRY_MAX_ATTEMPTS", "4"),
                ("RETRY_INTERVAL_SECONDS", "10"),
                ("RETRY_BACKOFF_RATE", rate),
                ("RETRY_MAX_DELAY_SECONDS", "60"),
            ];
            variables.extend(others);
            read(&variables, |variables| variables.retry_policy())
        };
        assert!(policy("2.5", &[("RETRY_SCHEDULE", "")]).is_ok());
        assert!(policy("2.5", &[]).is_ok());
        let problems = policy("0.5", &[]).unwrap_err();
        assert!(problems[0].contains("RETRY_BACKOFF_RATE"), "{problems:?}");
    }
}
