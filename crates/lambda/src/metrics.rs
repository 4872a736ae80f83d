//! Metrics in CloudWatch's embedded metric format: one log line for each invocation, from which
//! CloudWatch extracts metrics.
//!
//! The only dimension is the function's name, which distinguishes stacks and has few values. A
//! customer, subscription or URL is never a dimension, because each value of a dimension is
//! billed as a separate metric.
//!
//! CloudWatch bills each metric for the hours in which it is written. So [`Monitoring`] decides
//! which values become metrics. The others are only in the log line, where Logs Insights finds
//! them.

use std::collections::BTreeMap;
use std::io::Write;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use webhooks_domain::ports::Clock;
use webhooks_domain::timestamp::Timestamp;

use crate::SystemClock;

/// The namespace of every metric.
pub const NAMESPACE: &str = "Webhooks";
/// The name of the only dimension, as in CloudWatch's own Lambda metrics.
pub const DIMENSION: &str = "FunctionName";

/// The most values of one metric in a line (a limit of the format).
const MAX_VALUES: usize = 100;

/// The way in which the values of a metric are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of occurrences, added up over an invocation.
    Count,
    /// A duration. Every value is kept.
    Milliseconds,
    /// 0 or 100 for each occurrence. Every value is kept, so that the average is a rate.
    Percent,
}

impl Unit {
    /// Returns its name in CloudWatch.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Percent => "Percent",
        }
    }
}

/// The stack's parameter `Monitoring`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Monitoring {
    /// Only the values that matter most become metrics.
    Essential,
    /// Every value becomes a metric.
    Full,
    /// No value becomes a metric.
    Off,
}

/// A text that is none of `Essential`, `Full` and `Off`.
#[derive(Debug, thiserror::Error)]
#[error("must be Essential, Full or Off")]
pub struct MonitoringError;

impl FromStr for Monitoring {
    type Err = MonitoringError;

    fn from_str(text: &str) -> Result<Self, MonitoringError> {
        match text {
            "Essential" => Ok(Self::Essential),
            "Full" => Ok(Self::Full),
            "Off" => Ok(Self::Off),
            _ => Err(MonitoringError),
        }
    }
}

/// Declares the metrics with their units. One of [`Monitoring::Essential`] has the word
/// `essential`.
macro_rules! metrics {
    (@is_essential) => { false };
    (@is_essential essential) => { true };
    ($($(#[doc = $doc:literal])+ $name:ident: $unit:ident $($essential:ident)?,)+) => {
        /// The name of a metric. New metrics are added only here.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Metric {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Metric {
            /// All metrics.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Returns its name in CloudWatch.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// Returns its unit.
            pub const fn unit(self) -> Unit {
                match self {
                    $(Self::$name => Unit::$unit,)+
                }
            }

            /// Returns true if its values become a metric.
            pub const fn is_published(self, monitoring: Monitoring) -> bool {
                match monitoring {
                    Monitoring::Essential => match self {
                        $(Self::$name => metrics!(@is_essential $($essential)?),)+
                    },
                    Monitoring::Full => true,
                    Monitoring::Off => false,
                }
            }
        }
    };
}

metrics! {
    /// Valid events, counted by `look-up-subscriptions`.
    Accepted: Count essential,
    /// Subscriptions that match an event, counted by `look-up-subscriptions`.
    Matched: Count,
    /// Duplicates whose payload differs from that of the stored message, counted by
    /// `look-up-subscriptions`.
    ConflictingDuplicates: Count,
    /// Events that are sent to a subscription without filtering because its filter costs too
    /// much, counted by `look-up-subscriptions`.
    FiltersGivenUp: Count,
    /// Events that do not match the schema of their type, counted by `look-up-subscriptions`.
    SchemaViolations: Count,
    /// Events that could not be checked by the schema of their type, counted by
    /// `look-up-subscriptions`.
    EventsNotChecked: Count,
    /// Failed reads of the list of types that validate, after which events were checked by the list in
    /// memory, counted by `look-up-subscriptions`.
    EventTypesNotRead: Count,
    /// Deliveries that are held until their subscription is active again.
    Held: Count,
    /// Tasks that were deferred because a circuit breaker is open.
    DeferredByCircuitBreaker: Count,
    /// Tasks that were deferred because the limits of a subscription are reached, or because another
    /// run requests the access token that they need.
    DeferredByLimit: Count,
    /// Tasks that were moved to the slow queue.
    MovedToSlowQueue: Count,
    /// Deliveries that an endpoint accepted.
    Delivered: Count essential,
    /// Deliveries that failed after their last attempt or for another final reason.
    Failed: Count essential,
    /// Deliveries that were cancelled.
    Cancelled: Count,
    /// Failed attempts that are followed by another one.
    Retried: Count,
    /// Attempts that ended with 200 to 299.
    AttemptsSucceeded: Count,
    /// Attempts that ended with any other status.
    AttemptsHttpError: Count,
    /// Attempts that got no answer in time.
    AttemptsTimedOut: Count,
    /// Attempts that could not reach the endpoint.
    AttemptsUnreachable: Count,
    /// Attempts that the address policy refused.
    AttemptsBlocked: Count,
    /// Attempts for which no access token was granted.
    AttemptsNoToken: Count,
    /// 100 for an attempt that failed, 0 for one that succeeded.
    AttemptFailure: Percent,
    /// The response time of receivers.
    ReceiverLatency: Milliseconds,
    /// The time from the event to the first request.
    FirstAttemptLatency: Milliseconds,
    /// The time from the event to the successful answer.
    DeliveryLatency: Milliseconds essential,
    /// The time from an attempt's due time to its start.
    QueueLag: Milliseconds,
    /// Queue messages that were returned to the queue because of our own failures.
    HandedBack: Count,
    /// Operational events that could not be published.
    Unpublished: Count,
    /// Contacts of customers who were not told because SES could not take their messages, while
    /// others of their customers were, counted by `notify-contacts`.
    ContactsNotReached: Count,
    /// Attempts that the statistics lack, because they could not be written.
    AttemptsNotCounted: Count,
    /// Calls to KMS.
    KmsCalls: Count,
    /// Failed calls to KMS.
    KmsErrors: Count essential,
    /// Sweeps that finished without a failure, counted by `requeue-due-deliveries`.
    Sweeps: Count essential,
    /// Tasks that a sweep sent.
    SweepQueued: Count,
    /// The tasks among these whose attempt was overdue.
    SweepOverdue: Count,
    /// The largest delay of an attempt that a sweep found.
    SweepLag: Milliseconds,
    /// Requests to the API.
    ApiRequests: Count,
    /// Requests that were answered with 400 to 499.
    ApiClientErrors: Count,
    /// Requests that were answered with 500 to 599.
    ApiServerErrors: Count essential,
}

/// The metrics of an invocation.
///
/// The whole process shares them, because Lambda gives an execution environment one invocation
/// at a time.
#[derive(Debug)]
pub struct Metrics {
    function: String,
    monitoring: Monitoring,
    values: Mutex<BTreeMap<Metric, Vec<u64>>>,
}

impl Metrics {
    /// Creates the metrics of the function with this name.
    pub fn new(function: impl Into<String>, monitoring: Monitoring) -> Self {
        Self {
            function: function.into(),
            monitoring,
            values: Mutex::default(),
        }
    }

    /// Adds to a count. Zero is not counted, because it would cause a line.
    pub fn count(&self, metric: Metric, number: u64) {
        debug_assert_eq!(metric.unit(), Unit::Count, "{metric:?}");
        if number > 0 {
            let mut values = self.values();
            let sum = values.entry(metric).or_default();
            *sum = vec![sum.first().unwrap_or(&0).saturating_add(number)];
        }
    }

    /// Records a duration.
    pub fn time(&self, metric: Metric, duration: Duration) {
        debug_assert_eq!(metric.unit(), Unit::Milliseconds, "{metric:?}");
        self.push(
            metric,
            u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        );
    }

    /// Records one occurrence for a rate.
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
        // The values are consistent even if a thread panicked.
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the line of all values since the last one; `None` if there are none.
    pub fn take(&self, now: Timestamp) -> Option<String> {
        let values = std::mem::take(&mut *self.values());
        if values.is_empty() {
            return None;
        }
        let published = values
            .keys()
            .filter(|metric| metric.is_published(self.monitoring));
        let metrics: Vec<_> = published
            .map(|metric| Definition {
                name: metric.as_str(),
                unit: metric.unit().as_str(),
            })
            .collect();
        let aws = (!metrics.is_empty()).then_some(Metadata {
            timestamp: now,
            cloud_watch_metrics: [Directive {
                namespace: NAMESPACE,
                dimensions: [[DIMENSION]],
                metrics,
            }],
        });
        let line = Line {
            aws,
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
            // If the log is unavailable, the failure cannot be reported anywhere.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    /// `None` if no value becomes a metric.
    #[serde(rename = "_aws", skip_serializing_if = "Option::is_none")]
    aws: Option<Metadata>,
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
        let metrics = Metrics::new("deliver", Monitoring::Full);
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
    fn only_published_values_become_metrics_and_all_values_are_logged() {
        for (monitoring, published) in [
            (
                Monitoring::Full,
                &["Delivered", "Retried", "ReceiverLatency"][..],
            ),
            (Monitoring::Essential, &["Delivered"]),
            (Monitoring::Off, &[]),
        ] {
            let metrics = Metrics::new("deliver", monitoring);
            metrics.count(Metric::Delivered, 1);
            metrics.count(Metric::Retried, 2);
            metrics.time(Metric::ReceiverLatency, Duration::from_millis(12));
            let line = taken(&metrics);
            let directive = &line["_aws"]["CloudWatchMetrics"][0]["Metrics"];
            let names = directive.as_array().into_iter().flatten();
            let names: Vec<_> = names
                .map(|metric| metric["Name"].as_str().unwrap())
                .collect();
            assert_eq!(names, published, "{monitoring:?}");
            let logged = (
                &line["Delivered"],
                &line["Retried"],
                &line["ReceiverLatency"],
            );
            assert_eq!(logged, (&json!(1), &json!(2), &json!(12)), "{monitoring:?}");
            // A line without metrics is not in the embedded metric format.
            assert_eq!(line.get("_aws").is_none(), published.is_empty());
        }
    }

    #[test]
    fn nothing_counted_is_no_line_and_values_are_counted_once() {
        let metrics = Metrics::new("deliver", Monitoring::Full);
        metrics.count(Metric::Delivered, 0);
        assert_eq!(metrics.take(NOW), None);
        metrics.share(Metric::AttemptFailure, false);
        assert_eq!(taken(&metrics)["AttemptFailure"], 0);
        assert_eq!(metrics.take(NOW), None);
    }

    #[test]
    fn a_line_never_has_more_values_than_the_format_permits() {
        let metrics = Metrics::new("deliver", Monitoring::Full);
        for _ in 0..=MAX_VALUES {
            metrics.time(Metric::QueueLag, Duration::MAX);
        }
        let line = taken(&metrics);
        assert_eq!(line["QueueLag"].as_array().unwrap().len(), MAX_VALUES);
        // The format permits 100 metrics in a directive.
        assert!(Metric::ALL.len() <= 100);
    }
}
