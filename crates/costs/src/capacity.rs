//! The execution environments that deliver, and the queue while they become more.
//!
//! Lambda polls a standard queue with at least [`STARTING_POLLERS`] pollers. While messages are left,
//! it adds [`POLLERS_A_MINUTE`] (Lambda Developer Guide, "Configuring scaling behavior for SQS event
//! source mappings"). Each poller invokes one execution environment at a time, with up to ten
//! messages.

use serde::Serialize;

use crate::recorded::FULL_BATCH;

/// The pollers of a queue with little traffic.
const STARTING_POLLERS: f64 = 5.0;
/// The pollers that Lambda adds in a minute.
const POLLERS_A_MINUTE: f64 = 300.0;
const POLLERS_A_SECOND: f64 = POLLERS_A_MINUTE / 60.0;
/// The largest `MaximumConcurrency` of an event source mapping.
pub(crate) const MAX_CONCURRENCY: f64 = 1_000.0;
/// The values that template.yaml allows for `MaximumDeliveryConcurrency` and
/// `MaximumSlowDeliveryConcurrency`.
const ALLOWED_CONCURRENCY: [f64; 9] = [
    2.0,
    5.0,
    10.0,
    20.0,
    50.0,
    100.0,
    200.0,
    500.0,
    MAX_CONCURRENCY,
];
/// An endpoint that answers in this time is slow, and its deliveries use the slow queue.
const SLOW_SECONDS: f64 = 1.0;
/// The share of the environments that should be busy: the others catch up after a peak.
const BUSY_SHARE: f64 = 0.8;
/// The time of a batch beside the answers of the endpoints. Assumed.
const OVERHEAD_SECONDS: f64 = 0.04;

/// The execution environments of `DeliverWebhook` for a rate of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// The time of a batch, in seconds.
    pub batch_seconds: f64,
    /// The mean number of deliveries in a batch, if there is no more environment than needed.
    pub batch: f64,
    /// The mean number of busy environments with such batches.
    pub environments: f64,
    /// The parameter that bounds the environments: that of the slow queue if the endpoints are slow.
    pub parameter: &'static str,
    /// The value to set: the smallest that the template allows. If even the largest is too small, the
    /// number of environments that is needed.
    pub maximum_concurrency: f64,
}

/// The queue after a rate of attempts begins suddenly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SuddenStart {
    /// The largest number of waiting messages.
    pub peak_depth: f64,
    /// The longest wait of a message, in seconds.
    pub oldest_seconds: f64,
    /// The time until no message waits for long, in seconds.
    pub drained_after_seconds: f64,
}

impl Capacity {
    /// Computes the capacity for attempts at this rate, to endpoints that answer in this time.
    pub fn of(attempts_per_second: f64, answer_seconds: f64) -> Self {
        let batch_seconds = answer_seconds + OVERHEAD_SECONDS;
        let at_once = attempts_per_second * batch_seconds;
        // Idle pollers take each message as it arrives. Busy ones find more.
        let batch = (at_once / STARTING_POLLERS).clamp(1.0, FULL_BATCH);
        let wanted = (at_once / FULL_BATCH / BUSY_SHARE)
            .ceil()
            .max(STARTING_POLLERS);
        let mut allowed = ALLOWED_CONCURRENCY.into_iter();
        let maximum_concurrency = allowed.find(|allowed| *allowed >= wanted);
        Self {
            batch_seconds,
            batch,
            environments: at_once / batch,
            parameter: if answer_seconds >= SLOW_SECONDS {
                "MaximumSlowDeliveryConcurrency"
            } else {
                "MaximumDeliveryConcurrency"
            },
            maximum_concurrency: maximum_concurrency.unwrap_or(wanted),
        }
    }

    /// The messages in flight.
    pub fn in_flight(&self) -> f64 {
        self.environments * self.batch
    }

    /// The mean time that a message waits for a poller, in seconds.
    pub fn waiting_seconds(&self) -> f64 {
        if self.environments < STARTING_POLLERS {
            0.0
        } else {
            self.batch_seconds / self.environments / 2.0
        }
    }

    /// Returns true if one event source mapping can have the environments.
    pub fn is_possible(&self) -> bool {
        self.maximum_concurrency <= MAX_CONCURRENCY
    }

    /// Computes the queue if attempts at this rate begin suddenly, with the concurrency to set. `None`
    /// if that is not possible: then the queue grows for ever.
    pub fn sudden_start(&self, attempts_per_second: f64) -> Option<SuddenStart> {
        if !self.is_possible() {
            return None;
        }
        let needed = attempts_per_second * self.batch_seconds / FULL_BATCH;
        if needed <= STARTING_POLLERS {
            return Some(SuddenStart {
                peak_depth: 0.0,
                oldest_seconds: 0.0,
                drained_after_seconds: 0.0,
            });
        }
        // The pollers grow evenly, so the depth is a parabola: `depth(growing)` is its height.
        let depth = |seconds: f64| {
            FULL_BATCH * POLLERS_A_SECOND * seconds.powi(2) / 2.0 / self.batch_seconds
        };
        let until_enough = (needed - STARTING_POLLERS) / POLLERS_A_SECOND;
        let until_most = (self.maximum_concurrency - needed) / POLLERS_A_SECOND;
        let peak_depth = depth(until_enough);
        let draining = if until_most >= until_enough {
            until_enough
        } else {
            let surplus = FULL_BATCH * (self.maximum_concurrency - needed) / self.batch_seconds;
            until_most + (peak_depth - depth(until_most)) / surplus
        };
        Some(SuddenStart {
            peak_depth,
            oldest_seconds: peak_depth / attempts_per_second,
            drained_after_seconds: until_enough + draining,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of docs/limits.md.
    #[test]
    fn the_concurrency_is_that_of_the_documented_throughput() {
        for (attempts, answer, environments) in
            [(4_100.0, 0.2, 98.4), (205.0, 0.2, 5.0), (96.0, 1.0, 9.98)]
        {
            let capacity = Capacity::of(attempts, answer);
            let difference = (capacity.environments - environments).abs();
            assert!(difference / environments < 0.02, "{capacity:?}");
        }
    }

    #[test]
    fn the_concurrency_to_set_is_one_that_the_template_allows() {
        let template = include_str!("../../../template.yaml");
        for (answer, parameter) in [
            (0.999, "MaximumDeliveryConcurrency"),
            (1.0, "MaximumSlowDeliveryConcurrency"),
        ] {
            let (_, declared) = template.split_once(&format!("\n  {parameter}:\n")).unwrap();
            let (_, allowed) = declared.split_once("    AllowedValues: [").unwrap();
            let (allowed, _) = allowed.split_once(']').unwrap();
            let allowed = allowed
                .split(", ")
                .map(|value| value.parse::<f64>().unwrap());
            assert_eq!(allowed.collect::<Vec<_>>(), ALLOWED_CONCURRENCY);
            let capacity = Capacity::of(450.0, answer);
            assert_eq!(capacity.parameter, parameter);
            assert!((capacity.maximum_concurrency - 100.0).abs() < 1e-9);
        }
    }

    #[test]
    fn few_attempts_have_batches_of_one_and_no_wait() {
        let capacity = Capacity::of(10.0, 0.2);
        assert!((capacity.batch - 1.0).abs() < 1e-9);
        assert!((capacity.environments - 2.4).abs() < 1e-9);
        assert!((capacity.maximum_concurrency - 5.0).abs() < 1e-9);
        assert!(capacity.waiting_seconds().abs() < 1e-9);
        assert!(capacity.sudden_start(10.0).unwrap().peak_depth.abs() < 1e-9);
    }

    #[test]
    fn more_than_a_mapping_can_have_is_not_possible() {
        assert!(Capacity::of(33_000.0, 0.2).is_possible());
        assert!(!Capacity::of(34_000.0, 0.2).is_possible());
        assert_eq!(Capacity::of(34_000.0, 0.2).sudden_start(34_000.0), None);
    }
}
