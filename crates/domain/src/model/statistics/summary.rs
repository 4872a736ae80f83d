//! The statistics of the last hour, day and 7 days.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Hour, Statistics};
use crate::timestamp::Timestamp;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);

/// The statistics of a period that ends now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// Its start, a full hour. So the period is up to one hour longer than its name says.
    pub since: Timestamp,
    /// Its statistics.
    pub statistics: Statistics,
}

/// The statistics of the last hour, day and 7 days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The last hour.
    pub last_hour: Period,
    /// The last 24 hours.
    pub last_day: Period,
    /// The last 7 days.
    pub last_7_days: Period,
    /// Each hour of the last day, the earliest first, also those without attempts.
    pub hours: Vec<(Hour, Statistics)>,
}

impl Summary {
    /// The largest number of hours in a summary.
    pub const MAX_HOURS: usize = 7 * 24 + 1;

    /// The first hour that a summary needs. The last one is that of `now`.
    pub fn first_hour(now: Timestamp) -> Hour {
        Hour::of(now - WEEK)
    }

    /// Sums up the hours from the [first](Self::first_hour) one on. Absent hours have no attempts.
    pub fn new(hourly: &BTreeMap<Hour, Statistics>, now: Timestamp) -> Self {
        let last = Hour::of(now);
        let period = |length: Duration| {
            let first = Hour::of(now - length);
            let mut statistics = Statistics::default();
            for (_, of_hour) in hourly.range(first..=last) {
                statistics += of_hour;
            }
            Period {
                since: first.start(),
                statistics,
            }
        };
        let hour = |hour: Hour| (hour, hourly.get(&hour).cloned().unwrap_or_default());
        Self {
            last_hour: period(HOUR),
            last_day: period(DAY),
            last_7_days: period(WEEK),
            hours: Hour::of(now - DAY).to(last).map(hour).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::OutcomeClass;
    use super::*;

    #[test]
    fn a_period_begins_with_the_full_hour_that_contains_its_start() {
        let now = Timestamp::parse_rfc3339("2026-01-31T09:20:00Z").unwrap();
        let one = Statistics::from_counts([(OutcomeClass::Status5xx, 1)], []);
        let every_hour = Summary::first_hour(now - HOUR).to(Hour::of(now + HOUR));
        let hourly: BTreeMap<_, _> = every_hour.map(|hour| (hour, one.clone())).collect();
        let summary = Summary::new(&hourly, now);
        let shown = |period: &Period| (period.since.to_string(), period.statistics.attempts());
        for (period, since, attempts) in [
            (&summary.last_hour, "2026-01-31T08:00:00.000Z", 2),
            (&summary.last_day, "2026-01-30T09:00:00.000Z", 25),
            (&summary.last_7_days, "2026-01-24T09:00:00.000Z", 169),
        ] {
            assert_eq!(shown(period), (since.to_owned(), attempts));
        }
        let needed = Summary::first_hour(now).to(Hour::of(now));
        assert_eq!(needed.count(), Summary::MAX_HOURS);
    }

    #[test]
    fn an_hour_without_attempts_is_shown() {
        let now = Timestamp::parse_rfc3339("2026-01-31T09:00:00Z").unwrap();
        let summary = Summary::new(&BTreeMap::new(), now);
        assert_eq!(summary.hours.len(), 25);
        assert_eq!(summary.hours[24], (Hour::of(now), Statistics::default()));
        assert_eq!(summary.last_7_days.statistics.success_share(), None);
    }
}
