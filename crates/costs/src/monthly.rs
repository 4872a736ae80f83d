//! The fixed cost of a month, by the parameter `Monitoring`.

use webhooks_lambda::{Metric, Monitoring};

use crate::{Meter, PriceList};

/// AWS's average month, in hours.
pub const HOURS: f64 = 730.0;
/// The delivery queues. Lambda polls each with five pollers, which wait 20 s for a message.
const QUEUES: f64 = 2.0;
const POLLERS: f64 = 5.0;
const POLLS_AN_HOUR: f64 = 3_600.0 / 20.0;

/// The sweep runs every minute, and reads the nine partitions of the index: eight of deliveries, and
/// that of subscriptions.
const SWEEPS: f64 = HOURS * 60.0;
const READ_UNITS_A_SWEEP: f64 = 9.0 * 0.5;
/// A sweep or a run that finds nothing: 50 ms with 128 MB are assumed. A sweep writes one line of
/// metrics.
const GIGABYTE_SECONDS_A_SWEEP: f64 = 0.05 * 128.0 / 1_024.0;
const LOGGED_GIGABYTES_A_SWEEP: f64 = 400.0 / 1e9;
/// The deletion of customers runs every 15 minutes, and reads one partition of the index.
const DELETIONS: f64 = HOURS * 4.0;
const READ_UNITS_A_DELETION: f64 = 0.5;
/// The metrics that are written when nothing happens.
const IDLE: [Metric; 1] = [Metric::Sweeps];
/// The metrics that are written only when something goes wrong.
const OF_FAULTS: [Metric; 13] = [
    Metric::ConflictingDuplicates,
    Metric::FiltersGivenUp,
    Metric::SchemaViolations,
    Metric::EventsNotChecked,
    Metric::EventTypesNotRead,
    Metric::HandedBack,
    Metric::Unpublished,
    Metric::ContactsNotReached,
    Metric::AttemptsNotCounted,
    Metric::KmsErrors,
    Metric::SweepOverdue,
    Metric::ApiClientErrors,
    Metric::ApiServerErrors,
];

const TEMPLATE: &str = include_str!("../../../template.yaml");

/// Returns the number of occurrences of a text in the template.
fn occurrences(text: &str) -> u32 {
    TEMPLATE.matches(text).fold(0, |count, _| count + 1)
}

/// Returns the number of resources of a type that the template creates.
fn resources(monitoring: Monitoring, kind: &str) -> u32 {
    let conditions: &[&str] = match monitoring {
        Monitoring::Essential => &["MonitorsEssentials"],
        Monitoring::Full => &["MonitorsEssentials", "MonitorsAll"],
        Monitoring::Off => &[],
    };
    let of_condition =
        |condition| occurrences(&format!("Type: {kind}\n    Condition: {condition}\n"));
    conditions.iter().map(of_condition).sum()
}

/// Returns the number of these metrics that CloudWatch bills.
fn published(monitoring: Monitoring, metrics: &[Metric]) -> u32 {
    let published = metrics
        .iter()
        .filter(|metric| metric.is_published(monitoring));
    published.fold(0, |count, _| count + 1)
}

/// A line of the bill: what is billed, and how much of it.
#[derive(Clone, Debug)]
pub struct Line {
    /// The billed item.
    pub name: &'static str,
    used: Vec<(Meter, f64)>,
}

impl Line {
    /// Returns the cost in dollars.
    pub fn dollars(&self, prices: &PriceList) -> f64 {
        let used = self.used.iter();
        used.map(|(meter, amount)| prices.dollars(*meter, *amount))
            .sum()
    }
}

/// Returns the lines of a month without events.
pub fn without_events(monitoring: Monitoring) -> Vec<Line> {
    let polls = QUEUES * POLLERS * POLLS_AN_HOUR * HOURS;
    let resources = |kind| f64::from(resources(monitoring, kind));
    let line = |name, used: &[(Meter, f64)]| Line {
        name,
        used: used.to_vec(),
    };
    vec![
        line("KMS key", &[(Meter::KeyMonth, 1.0)]),
        line(
            "alarms",
            &[(Meter::AlarmMonth, resources("AWS::CloudWatch::Alarm"))],
        ),
        line(
            "dashboard",
            &[(
                Meter::DashboardMonth,
                resources("AWS::CloudWatch::Dashboard"),
            )],
        ),
        line(
            "own metrics",
            &[(Meter::MetricMonth, f64::from(published(monitoring, &IDLE)))],
        ),
        line(
            "polling of the two delivery queues",
            &[(Meter::QueueRequest, polls)],
        ),
        line(
            "the sweep and its schedule",
            &[
                (Meter::EventIn, SWEEPS),
                (Meter::LambdaRequest, SWEEPS),
                (
                    Meter::LambdaGigabyteSecond,
                    SWEEPS * GIGABYTE_SECONDS_A_SWEEP,
                ),
                (Meter::ReadUnit, SWEEPS * READ_UNITS_A_SWEEP),
                (Meter::LoggedGigabyte, SWEEPS * LOGGED_GIGABYTES_A_SWEEP),
            ],
        ),
        line(
            "the deletion of customers and its schedule",
            &[
                (Meter::EventIn, DELETIONS),
                (Meter::LambdaRequest, DELETIONS),
                (
                    Meter::LambdaGigabyteSecond,
                    DELETIONS * GIGABYTE_SECONDS_A_SWEEP,
                ),
                (Meter::ReadUnit, DELETIONS * READ_UNITS_A_DELETION),
            ],
        ),
    ]
}

/// Returns the line that traffic adds, if there is some in every hour.
pub fn with_traffic(monitoring: Monitoring) -> Line {
    let usual: Vec<Metric> = Metric::ALL
        .iter()
        .filter(|metric| !IDLE.contains(metric) && !OF_FAULTS.contains(metric))
        .copied()
        .collect();
    let metrics = f64::from(published(monitoring, &usual));
    Line {
        name: "further metrics, with traffic in every hour",
        used: vec![(Meter::MetricMonth, metrics)],
    }
}

/// Returns the dollars of a month without events.
pub fn idle(monitoring: Monitoring, prices: &PriceList) -> f64 {
    let lines = without_events(monitoring);
    lines.iter().map(|line| line.dollars(prices)).sum()
}

/// Returns the fixed dollars of a month with a little traffic in every hour.
pub fn slight(monitoring: Monitoring, prices: &PriceList) -> f64 {
    idle(monitoring, prices) + with_traffic(monitoring).dollars(prices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alarm_is_counted() {
        let all = resources(Monitoring::Full, "AWS::CloudWatch::Alarm");
        // By default the stack has no portal, and sends no notifications.
        let optional = [
            "MonitorsPortal",
            "MonitorsNotifications",
            "MonitorsNotifyContacts",
        ];
        let optional = optional.map(|condition| {
            occurrences(&format!(
                "Type: AWS::CloudWatch::Alarm\n    Condition: {condition}\n"
            ))
        });
        let declared = occurrences("Type: AWS::CloudWatch::Alarm\n");
        assert_eq!(all + optional.iter().sum::<u32>(), declared);
    }
}
