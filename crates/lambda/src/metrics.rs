//! Metrics, in CloudWatch's embedded metric format: a line of the log that CloudWatch
//! turns into metrics, one for each invocation.
//!
//! There is one dimension, the function's name. It tells stacks apart, and it is bounded:
//! no customer, subscription or URL is ever a dimension, because each value of one is a
//! metric of its own, and billed as one.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use webhooks_domain::ports::Clock;
use webhooks_domain::timestamp::Timestamp;

use crate::{Environment, EnvironmentError, SystemClock};

/// The namespace of every metric.
pub const NAMESPACE: &str = "Webhooks";
/// The name of the one dimension, as CloudWatch's own Lambda metrics have it.
pub const DIMENSION: &str = "FunctionName";

/// The most values of one metric in a line (a bound of the format).
const MAX_VALUES: usize = 100;

/// How the values of a metric are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things: added up over an invocation.
    Count,
    /// A time: every value is kept.
    Milliseconds,
    /// 0 or 100 for each thing: every value is kept, so that the average is a rate.
    Percent,
}

impl Unit {
    /// Its name in CloudWatch.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Percent => "Percent",
        }
    }
}

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $name:ident: $unit:ident,)+) => {
        /// The name of a metric. What is new is entered here, and nowhere else.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Metric {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Metric {
            /// Every metric.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name in CloudWatch.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// Its unit.
            pub const fn unit(self) -> Unit {
                match self {
                    $(Self::$name => Unit::$unit,)+
                }
            }
        }
    };
}

metrics! {
    /// Events that could be read, by `look-up-subscriptions`.
    Accepted: Count,
    /// Subscriptions that wanted an event, by `look-up-subscriptions`.
    Matched: Count,
    /// Duplicates whose payload is not that of the message that is there, by
    /// `look-up-subscriptions`.
    ConflictingDuplicates: Count,
    /// Subscriptions that are sent an event because their filter costs too much with it, by
    /// `look-up-subscriptions`.
    FiltersGivenUp: Count,
    /// Deliveries that wait for their subscription to be active again.
    Held: Count,
    /// Tasks that were deferred because a circuit breaker is open.
    DeferredByCircuitBreaker: Count,
    /// Tasks that were deferred because the limits of a subscription are reached.
    DeferredByLimit: Count,
    /// Tasks that were moved to the slow queue.
    MovedToSlowQueue: Count,
    /// Deliveries that an endpoint took.
    Delivered: Count,
    /// Deliveries that were given up.
    Failed: Count,
    /// Deliveries that are not owed any more.
    Cancelled: Count,
    /// Attempts after which there will be another.
    Retried: Count,
    /// Attempts that ended with 200 to 299.
    AttemptsSucceeded: Count,
    /// Attempts that ended with another status.
    AttemptsHttpError: Count,
    /// Attempts without an answer in time.
    AttemptsTimedOut: Count,
    /// Attempts without an answer at all.
    AttemptsUnreachable: Count,
    /// Attempts that the address policy refused.
    AttemptsBlocked: Count,
    /// 100 for an attempt that failed, 0 for one that succeeded.
    AttemptFailure: Percent,
    /// How long receivers took.
    ReceiverLatency: Milliseconds,
    /// From the event to the first request.
    FirstAttemptLatency: Milliseconds,
    /// From the event to the answer that ended it well.
    DeliveryLatency: Milliseconds,
    /// How long after it was due an attempt began.
    QueueLag: Milliseconds,
    /// Queue messages that went back to the queue, because we failed.
    HandedBack: Count,
    /// Operational events that the bus did not take.
    Unpublished: Count,
    /// Calls of KMS.
    KmsCalls: Count,
    /// Calls of KMS that failed.
    KmsErrors: Count,
    /// Sweeps that were finished without a failure, by `requeue-due-deliveries`.
    Sweeps: Count,
    /// Tasks that a sweep sent.
    SweepQueued: Count,
    /// Those of them whose attempt was overdue.
    SweepOverdue: Count,
    /// How late the latest of them was.
    SweepLag: Milliseconds,
    /// Requests to the API.
    ApiRequests: Count,
    /// Those of them that were answered with 400 to 499.
    ApiClientErrors: Count,
    /// Those of them that were answered with 500 to 599.
    ApiServerErrors: Count,
}

/// What is counted of an invocation.
///
/// Shared by everything in the process: Lambda gives an execution environment one
/// invocation at a time.
#[derive(Debug)]
pub struct Metrics {
    function: String,
    values: Mutex<BTreeMap<Metric, Vec<u64>>>,
}

impl Metrics {
    /// Metrics of the function with this name.
    pub fn new(function: impl Into<String>) -> Self {
        Self {
            function: function.into(),
            values: Mutex::default(),
        }
    }

    /// Metrics of the function that this process is.
    ///
    /// # Errors
    /// When the environment does not name it.
    pub fn of_this_function(environment: &Environment) -> Result<Self, EnvironmentError> {
        Ok(Self::new(environment.text("AWS_LAMBDA_FUNCTION_NAME")?))
    }

    /// Adds to a count. Nothing is not counted: it would cost a line.
    pub fn count(&self, metric: Metric, number: u64) {
        debug_assert_eq!(metric.unit(), Unit::Count, "{metric:?}");
        if number > 0 {
            let mut values = self.values();
            let sum = values.entry(metric).or_default();
            *sum = vec![sum.first().unwrap_or(&0).saturating_add(number)];
        }
    }

    /// Notes how long something took.
    pub fn time(&self, metric: Metric, duration: Duration) {
        debug_assert_eq!(metric.unit(), Unit::Milliseconds, "{metric:?}");
        self.push(
            metric,
            u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        );
    }

    /// Notes whether something is among those whose share is measured.
    pub fn share(&self, metric: Metric, is_among: bool) {
        debug_assert_eq!(metric.unit(), Unit::Percent, "{metric:?}");
        self.push(metric, if is_among { 100 } else { 0 });
    }

    fn push(&self, metric: Metric, value: u64) {
        let mut values = self.values();
        let values = values.entry(metric).or_default();
        if values.len() < MAX_VALUES {
            values.push(value);
        }
    }

    fn values(&self) -> std::sync::MutexGuard<'_, BTreeMap<Metric, Vec<u64>>> {
        // What a panic leaves behind are whole numbers, and still true.
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line of what was counted since the last one; none when nothing was.
    pub fn take(&self, now: Timestamp) -> Option<String> {
        let values = std::mem::take(&mut *self.values());
        if values.is_empty() {
            return None;
        }
        let metrics = values.keys().map(|metric| Definition {
            name: metric.as_str(),
            unit: metric.unit().as_str(),
        });
        let line = Line {
            aws: Metadata {
                timestamp: now,
                cloud_watch_metrics: [Directive {
                    namespace: NAMESPACE,
                    dimensions: [[DIMENSION]],
                    metrics: metrics.collect(),
                }],
            },
            function_name: &self.function,
            values: values
                .iter()
                .map(|(metric, values)| (metric.as_str(), Values::of(values)))
                .collect(),
        };
        Some(serde_json::to_string(&line).expect("strings and numbers are always JSON"))
    }

    /// Writes the line to the log.
    pub fn write(&self) {
        if let Some(line) = self.take(SystemClock.now()) {
            // There is nowhere to say that the log is gone.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "_aws")]
    aws: Metadata,
    #[serde(rename = "FunctionName")]
    function_name: &'a str,
    #[serde(flatten)]
    values: BTreeMap<&'static str, Values<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    timestamp: Timestamp,
    cloud_watch_metrics: [Directive; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: [[&'static str; 1]; 1],
    metrics: Vec<Definition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Values<'a> {
    One(u64),
    Many(&'a [u64]),
}

impl<'a> Values<'a> {
    fn of(values: &'a [u64]) -> Self {
        match values {
            [one] => Self::One(*one),
            many => Self::Many(many),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn taken(metrics: &Metrics) -> Value {
        serde_json::from_str(&metrics.take(NOW).unwrap()).unwrap()
    }

    #[test]
    fn a_line_has_the_embedded_metric_format() {
        let metrics = Metrics::new("deliver");
        metrics.count(Metric::Delivered, 2);
        metrics.count(Metric::Delivered, 1);
        metrics.time(Metric::ReceiverLatency, Duration::from_millis(12));
        metrics.time(Metric::ReceiverLatency, Duration::from_millis(7));
        assert_eq!(
            taken(&metrics),
            json!({
                "_aws": {
                    "Timestamp": 1_700_000_000_000_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "Webhooks",
                        "Dimensions": [["FunctionName"]],
                        "Metrics": [
                            {"Name": "Delivered", "Unit": "Count"},
                            {"Name": "ReceiverLatency", "Unit": "Milliseconds"},
                        ],
                    }],
                },
                "FunctionName": "deliver",
                "Delivered": 3,
                "ReceiverLatency": [12, 7],
            })
        );
    }

    #[test]
    fn nothing_counted_is_no_line_and_what_was_taken_is_not_counted_again() {
        let metrics = Metrics::new("deliver");
        metrics.count(Metric::Delivered, 0);
        assert_eq!(metrics.take(NOW), None);
        metrics.share(Metric::AttemptFailure, false);
        assert_eq!(taken(&metrics)["AttemptFailure"], 0);
        assert_eq!(metrics.take(NOW), None);
    }

    #[test]
    fn a_line_never_has_more_values_than_the_format_takes() {
        let metrics = Metrics::new("deliver");
        for _ in 0..=MAX_VALUES {
            metrics.time(Metric::QueueLag, Duration::MAX);
        }
        let line = taken(&metrics);
        assert_eq!(line["QueueLag"].as_array().unwrap().len(), MAX_VALUES);
        // The format takes 100 metrics in a directive.
        assert!(Metric::ALL.len() <= 100);
    }
}
