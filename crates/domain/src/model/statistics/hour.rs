//! Hours of the clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::timestamp::Timestamp;

const MILLIS: i64 = 3_600_000;

/// An hour of the clock, in UTC. Its text, such as `2026-01-31T09`, sorts by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hour(i64);

/// The text is not an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an hour such as `2026-01-31T09`")]
pub struct HourError;

impl Hour {
    /// The time for which the statistics of an hour are kept, from its start: longer than the
    /// longest period that is shown.
    const KEPT: Duration = Duration::from_hours(8 * 24);

    /// The hour of a time.
    pub const fn of(time: Timestamp) -> Self {
        Self(time.as_millis().div_euclid(MILLIS))
    }

    /// Its start.
    pub const fn start(self) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_mul(MILLIS))
    }

    /// The time at which its statistics expire.
    pub fn expires_at(self) -> Timestamp {
        self.start() + Self::KEPT
    }

    /// All hours from this one to the last one, both included.
    pub fn to(self, last: Self) -> impl Iterator<Item = Self> {
        (self.0..=last.0).map(Self)
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.start().to_string();
        formatter.write_str(start.split_once(':').map_or(&start, |(hour, _)| hour))
    }
}

impl FromStr for Hour {
    type Err = HourError;

    fn from_str(text: &str) -> Result<Self, HourError> {
        let start = Timestamp::parse_rfc3339(&format!("{text}:00:00Z"));
        start.map(Self::of).ok_or(HourError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn an_hour_is_written_without_its_minutes_and_read_back() {
        let hour = Hour::of(at("2026-01-31T09:59:59.999Z"));
        assert_eq!(hour.to_string(), "2026-01-31T09");
        assert_eq!("2026-01-31T09".parse(), Ok(hour));
        assert_eq!(hour.start(), at("2026-01-31T09:00:00Z"));
        assert_eq!("LIMITER".parse::<Hour>(), Err(HourError));
        assert!(Hour::of(at("1969-12-31T23:30:00Z")) < Hour::of(at("1970-01-01T00:30:00Z")));
    }

    #[test]
    fn hours_follow_each_other() {
        let first = Hour::of(at("2026-01-31T22:10:00Z"));
        let last = Hour::of(at("2026-02-01T00:00:00Z"));
        let all: Vec<_> = first.to(last).map(|hour| hour.to_string()).collect();
        assert_eq!(all, ["2026-01-31T22", "2026-01-31T23", "2026-02-01T00"]);
    }
}
