//! Statistics of attempts.

use serde::{Deserialize, Serialize};

/// Numbers of attempts, of a subscription or of all subscriptions of a customer. Tests are not
/// counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Statistics {
    /// The last hour.
    pub last_hour: PeriodStatistics,
    /// The last 24 hours.
    pub last_day: PeriodStatistics,
    /// The last 7 days.
    pub last_7_days: PeriodStatistics,
    /// The hours of the last day, the earliest first. The last one is not over.
    pub hours: Vec<HourStatistics>,
    /// The exactness of the numbers.
    pub sampling: Sampling,
}

/// The attempts of a period that ends now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeriodStatistics {
    /// The start of the period: a full hour, up to an hour before the time that its name says.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub since: String,
    /// The number of attempts.
    pub attempts: u64,
    /// The attempts that were answered with 200 to 299.
    pub succeeded: u64,
    /// The standard error of `succeeded`, which is sampled.
    pub succeeded_standard_error: u64,
    /// The other attempts. Each is counted.
    pub failed: u64,
    /// `succeeded` divided by `attempts`. Absent without attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub success_share: Option<f64>,
    /// The failed attempts by outcome.
    pub failures: OutcomeCounts,
    /// The times of the answers. Absent without an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_time_ms: Option<AnswerTimes>,
}

/// Failed attempts by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutcomeCounts {
    /// Answered with 300 to 399.
    pub status_3xx: u64,
    /// Answered with 400 to 499.
    pub status_4xx: u64,
    /// Answered with 500 to 599.
    pub status_5xx: u64,
    /// Answered with another status.
    pub other_status: u64,
    /// No answer in time.
    pub timed_out: u64,
    /// Not reached.
    pub unreachable: u64,
    /// Refused by the address policy.
    pub blocked: u64,
    /// Not sent, because no access token was granted.
    #[serde(default)]
    pub no_token: u64,
}

/// The times from the start of an attempt to its answer, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnswerTimes {
    /// Half of the answers took no longer.
    pub p50: u32,
    /// 95 % of the answers took no longer.
    pub p95: u32,
}

/// The attempts of one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HourStatistics {
    /// Its start.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub start: String,
    /// The number of attempts.
    pub attempts: u64,
    /// The attempts that were answered with 200 to 299.
    pub succeeded: u64,
}

/// The exactness of statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sampling {
    /// Of this many successful attempts one is counted, as this many.
    #[cfg_attr(feature = "openapi", schema(example = 10))]
    pub successes: u64,
    /// Of this many failed attempts one is counted: each of them.
    #[cfg_attr(feature = "openapi", schema(example = 1))]
    pub failures: u64,
    /// The largest error of an answer time by its rounding, in percent. It is 1 ms for shorter
    /// times.
    #[cfg_attr(feature = "openapi", schema(example = 19))]
    pub answer_time_error_percent: u8,
}
