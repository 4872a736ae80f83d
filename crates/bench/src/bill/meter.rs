//! The quantities that AWS bills.

use serde::Deserialize;

use super::case::Ending;

/// A billed quantity.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Meter {
    EventIn,
    ArchivedGigabyte,
    ExpressStart,
    ExpressGigabyteSecond,
    StandardTransition,
    LambdaRequest,
    LambdaGigabyteSecond,
    TableWriteUnit,
    IndexWriteUnit,
    StatisticsWriteUnit,
    ReadUnit,
    QueueRequest,
    FairQueueRequest,
    KeyRequest,
    LoggedGigabyte,
    KeyMonth,
    AlarmMonth,
    DashboardMonth,
    MetricMonth,
}

impl Meter {
    /// The meters of a delivery, in the order in which an event causes them.
    pub(super) const ALL: [Self; 15] = [
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
    pub(super) const MONTHLY: [Self; 4] = [
        Self::KeyMonth,
        Self::AlarmMonth,
        Self::DashboardMonth,
        Self::MetricMonth,
    ];

    /// Returns the meters that are billed with an Express workflow, the default.
    pub(super) fn billed() -> impl Iterator<Item = Self> {
        let all = Self::ALL.into_iter();
        all.filter(|meter| *meter != Self::StandardTransition)
    }

    /// Returns the label of its line.
    pub(super) fn text(self) -> &'static str {
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

    /// Returns true if another run of the same code uses the same amount. Times differ, logs
    /// contain times, quantities computed by rule do not depend on the code, and the sample of
    /// statistics depends on random ids. Reads also
    /// differ where attempts fail: two runs were up to 3 % apart.
    pub(super) fn repeats(self, ending: Ending) -> bool {
        match self {
            Self::EventIn
            | Self::StandardTransition
            | Self::LambdaRequest
            | Self::TableWriteUnit
            | Self::IndexWriteUnit
            | Self::QueueRequest => true,
            Self::ReadUnit => ending == Ending::AtOnce,
            _ => false,
        }
    }

    /// Formats an amount.
    pub(super) fn quantity(self, amount: f64) -> String {
        match self {
            Self::ArchivedGigabyte | Self::LoggedGigabyte => format!("{:.0} bytes", amount * 1e9),
            Self::ExpressGigabyteSecond | Self::LambdaGigabyteSecond => {
                format!("{:.2} GB-ms", amount * 1e3)
            }
            _ => format!("{amount:.3}"),
        }
    }
}
