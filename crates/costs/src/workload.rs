//! The workload of an estimate.

use std::time::Duration;

use serde::Serialize;

/// The events of a stack, and the endpoints that receive them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Events a second, at an even rate.
    pub events_per_second: f64,
    /// The subscriptions that an event matches.
    pub fan_out: f64,
    /// The time in which endpoints answer, in seconds.
    pub answer_seconds: f64,
    /// The share of deliveries that fail twice and then succeed.
    pub failing: f64,
}

/// A number of a workload is outside of its bounds.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{field}: must be {least} to {most}")]
pub struct WorkloadError {
    field: &'static str,
    least: &'static str,
    most: &'static str,
}

impl Workload {
    /// The attempts of a delivery that fails twice and then succeeds.
    pub(crate) const ATTEMPTS_OF_FAILING: f64 = 3.0;
    /// The waits before its second and third attempt, by the default schedule.
    pub(crate) const WAITS_OF_FAILING: [f64; 2] = [5.0, 300.0];

    /// Creates a workload.
    ///
    /// # Errors
    /// If a number is outside of its bounds.
    pub fn new(
        events_per_second: f64,
        fan_out: f64,
        answer_time: Duration,
        failing: f64,
    ) -> Result<Self, WorkloadError> {
        let answer_seconds = answer_time.as_secs_f64();
        for (field, number, range, least, most) in [
            (
                "events per second",
                events_per_second,
                0.001..=100_000.0,
                "0.001",
                "100000",
            ),
            ("fan-out", fan_out, 1.0..=1_000.0, "1", "1000"),
            ("answer time", answer_seconds, 0.001..=30.0, "1ms", "30s"),
            ("failing", failing, 0.0..=1.0, "0%", "100%"),
        ] {
            if !range.contains(&number) {
                return Err(WorkloadError { field, least, most });
            }
        }
        Ok(Self {
            events_per_second,
            fan_out,
            answer_seconds,
            failing,
        })
    }

    /// Deliveries a second.
    pub fn deliveries_per_second(&self) -> f64 {
        self.events_per_second * self.fan_out
    }

    /// Attempts a second in the first minutes, before the last retries of those that fail.
    pub fn first_attempts_per_second(&self) -> f64 {
        self.deliveries_per_second() * (1.0 + self.failing)
    }

    /// Attempts a second.
    pub fn attempts_per_second(&self) -> f64 {
        let further = (Self::ATTEMPTS_OF_FAILING - 1.0) * self.failing;
        self.deliveries_per_second() * (1.0 + further)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_of_its_bounds_is_named_with_the_bounds() {
        let second = Duration::from_secs(1);
        for (events, fan_out, answer, failing, text) in [
            (
                0.0,
                1.0,
                second,
                0.0,
                "events per second: must be 0.001 to 100000",
            ),
            (
                f64::NAN,
                1.0,
                second,
                0.0,
                "events per second: must be 0.001 to 100000",
            ),
            (1.0, 0.5, second, 0.0, "fan-out: must be 1 to 1000"),
            (
                1.0,
                1.0,
                second * 31,
                0.0,
                "answer time: must be 1ms to 30s",
            ),
            (1.0, 1.0, second, 1.1, "failing: must be 0% to 100%"),
        ] {
            let error = Workload::new(events, fan_out, answer, failing).unwrap_err();
            assert_eq!(error.to_string(), text);
        }
        let workload = Workload::new(100.0, 2.0, second, 0.01).unwrap();
        assert!((workload.attempts_per_second() - 204.0).abs() < 1e-9);
    }
}
