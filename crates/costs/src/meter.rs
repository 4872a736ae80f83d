//! The quantities that AWS bills.

use serde::{Deserialize, Serialize};

/// A billed quantity.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Meter {
    /// An event on a bus, for each 64 KB.
    EventIn,
    /// Bytes that an archive takes.
    ArchivedGigabyte,
    /// The start of an Express execution.
    ExpressStart,
    /// The time of an Express execution, by its memory.
    ExpressGigabyteSecond,
    /// A transition of a Standard execution.
    StandardTransition,
    /// An invocation.
    LambdaRequest,
    /// The time of an invocation, by its memory.
    LambdaGigabyteSecond,
    /// A write unit of the table.
    TableWriteUnit,
    /// A write unit of an index.
    IndexWriteUnit,
    /// A write unit of statistics.
    StatisticsWriteUnit,
    /// A read unit.
    ReadUnit,
    /// A request to a queue.
    QueueRequest,
    /// The surcharge of a request to a fair queue.
    FairQueueRequest,
    /// A request to KMS.
    KeyRequest,
    /// Bytes of logs and metrics.
    LoggedGigabyte,
    /// A key, for a month.
    KeyMonth,
    /// An alarm, for a month.
    AlarmMonth,
    /// A dashboard, for a month.
    DashboardMonth,
    /// A metric, for a month.
    MetricMonth,
}

impl Meter {
    /// The meters of a delivery, in the order in which an event causes them.
    pub const ALL: [Self; 15] = [
        Self::EventIn,
        Self::ArchivedGigabyte,
        Self::ExpressStart,
        Self::ExpressGigabyteSecond,
        Self::StandardTransition,
        Self::LambdaRequest,
        Self::LambdaGigabyteSecond,
        Self::TableWriteUnit,
        Self::IndexWriteUnit,
        Self::StatisticsWriteUnit,
        Self::ReadUnit,
        Self::QueueRequest,
        Self::FairQueueRequest,
        Self::KeyRequest,
        Self::LoggedGigabyte,
    ];

    /// The meters that run by the month, whatever is delivered.
    pub const MONTHLY: [Self; 4] = [
        Self::KeyMonth,
        Self::AlarmMonth,
        Self::DashboardMonth,
        Self::MetricMonth,
    ];

    /// Returns the meters that are billed with an Express workflow, the default.
    pub fn billed() -> impl Iterator<Item = Self> {
        let all = Self::ALL.into_iter();
        all.filter(|meter| *meter != Self::StandardTransition)
    }

    /// Returns the label of its line.
    pub fn text(self) -> &'static str {
        match self {
            Self::EventIn => "EventBridge, events in",
            Self::ArchivedGigabyte => "EventBridge, archive",
            Self::ExpressStart => "Step Functions Express, starts",
            Self::ExpressGigabyteSecond => "Step Functions Express, time",
            Self::StandardTransition => "Step Functions Standard, transitions",
            Self::LambdaRequest => "Lambda, requests",
            Self::LambdaGigabyteSecond => "Lambda, time (arm64)",
            Self::TableWriteUnit => "DynamoDB, writes",
            Self::IndexWriteUnit => "DynamoDB, writes of index entries",
            Self::StatisticsWriteUnit => "DynamoDB, writes of statistics",
            Self::ReadUnit => "DynamoDB, reads",
            Self::QueueRequest => "SQS, requests",
            Self::FairQueueRequest => "SQS, fair queue surcharge",
            Self::KeyRequest => "KMS, requests",
            Self::LoggedGigabyte => "CloudWatch, logs and metrics",
            Self::KeyMonth => "KMS, the key",
            Self::AlarmMonth => "CloudWatch, alarms",
            Self::DashboardMonth => "CloudWatch, dashboard",
            Self::MetricMonth => "CloudWatch, own metrics",
        }
    }

    /// Formats an amount.
    pub fn quantity(self, amount: f64) -> String {
        match self {
            Self::ArchivedGigabyte | Self::LoggedGigabyte => format!("{:.0} bytes", amount * 1e9),
            Self::ExpressGigabyteSecond | Self::LambdaGigabyteSecond => {
                format!("{:.2} GB-ms", amount * 1e3)
            }
            _ => format!("{amount:.3}"),
        }
    }
}
