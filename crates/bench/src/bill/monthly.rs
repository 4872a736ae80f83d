//! The fixed cost of a month, by the parameter `Monitoring`.

use anyhow::{Result, ensure};
use webhooks_lambda::{Metric, Monitoring};

use super::{meter::Meter, prices::PriceList};
use crate::report::Table;

/// AWS's average month, in hours.
const HOURS: f64 = 730.0;
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
const OF_FAULTS: [Metric; 9] = [
    Metric::ConflictingDuplicates,
    Metric::FiltersGivenUp,
    Metric::HandedBack,
    Metric::Unpublished,
    Metric::AttemptsNotCounted,
    Metric::KmsErrors,
    Metric::SweepOverdue,
    Metric::ApiClientErrors,
    Metric::ApiServerErrors,
];

const TEMPLATE: &str = include_str!("../../../../template.yaml");

/// Returns the number of occurrences of a text in the template.
fn occurrences(text: &str) -> u32 {
    TEMPLATE.matches(text).fold(0, |count, _| count + 1)
}

/// The values of the parameter, the default first.
const ALL: [Monitoring; 3] = [Monitoring::Essential, Monitoring::Full, Monitoring::Off];

fn name(monitoring: Monitoring) -> &'static str {
    match monitoring {
        Monitoring::Essential => "Essential (default)",
        Monitoring::Full => "Full",
        Monitoring::Off => "Off",
    }
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
type Line = (&'static str, Vec<(Meter, f64)>);

/// The lines of a month without events.
fn without_events(monitoring: Monitoring) -> Vec<Line> {
    let polls = QUEUES * POLLERS * POLLS_AN_HOUR * HOURS;
    let number = |count: u32| f64::from(count);
    vec![
        ("KMS key", vec![(Meter::KeyMonth, 1.0)]),
        (
            "alarms",
            vec![(
                Meter::AlarmMonth,
                number(resources(monitoring, "AWS::CloudWatch::Alarm")),
            )],
        ),
        (
            "dashboard",
            vec![(
                Meter::DashboardMonth,
                number(resources(monitoring, "AWS::CloudWatch::Dashboard")),
            )],
        ),
        (
            "own metrics",
            vec![(Meter::MetricMonth, number(published(monitoring, &IDLE)))],
        ),
        (
            "polling of the two delivery queues",
            vec![(Meter::QueueRequest, polls)],
        ),
        (
            "the sweep and its schedule",
            vec![
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
        (
            "the deletion of customers and its schedule",
            vec![
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

/// The line that traffic adds, if there is some in every hour.
fn with_traffic(monitoring: Monitoring) -> Line {
    let usual: Vec<Metric> = Metric::ALL
        .iter()
        .filter(|metric| !IDLE.contains(metric) && !OF_FAULTS.contains(metric))
        .copied()
        .collect();
    let metrics = f64::from(published(monitoring, &usual));
    (
        "further metrics, with traffic in every hour",
        vec![(Meter::MetricMonth, metrics)],
    )
}

fn dollars((name, used): Line, prices: &PriceList) -> (&'static str, f64) {
    let cost = used
        .into_iter()
        .map(|(meter, amount)| prices.dollars(meter, amount));
    (name, cost.sum())
}

/// The dollars of the lines without events, and of all lines.
fn sums(monitoring: Monitoring, prices: &PriceList) -> (f64, f64) {
    let lines = without_events(monitoring).into_iter();
    let idle: f64 = lines.map(|line| dollars(line, prices).1).sum();
    (idle, idle + dollars(with_traffic(monitoring), prices).1)
}

/// Returns the dollars of a month without events, with the default of `Monitoring`.
pub(super) fn idle(prices: &PriceList) -> f64 {
    sums(ALL[0], prices).0
}

/// Returns the fixed dollars of a month with a little traffic in every hour, with the default of
/// `Monitoring`.
pub(super) fn slight(prices: &PriceList) -> f64 {
    sums(ALL[0], prices).1
}

/// The title of the table, by which the README's section is found.
pub(crate) const TITLE: &str = "Fixed dollars of a month, by `Monitoring`";

/// Returns the lines of a month.
pub(super) fn table(prices: &PriceList) -> Result<Table> {
    let all = resources(Monitoring::Full, "AWS::CloudWatch::Alarm");
    // By default the stack has no portal.
    let of_portal = occurrences("Type: AWS::CloudWatch::Alarm\n    Condition: MonitorsPortal\n");
    let declared = occurrences("Type: AWS::CloudWatch::Alarm\n");
    ensure!(
        all + of_portal == declared,
        "template.yaml: each alarm needs a condition on `Monitoring`"
    );
    let columns = std::iter::once("").chain(ALL.map(name));
    let mut table = Table::new(TITLE, &columns.collect::<Vec<_>>());
    let mut row = |name: &str, cell: &dyn Fn(Monitoring) -> String| {
        table.row(std::iter::once(name.to_owned()).chain(ALL.map(cell)));
    };
    for (index, (name, _)) in without_events(ALL[0]).into_iter().enumerate() {
        row(name, &|monitoring| {
            let line = without_events(monitoring).swap_remove(index);
            format!("{:.2}", dollars(line, prices).1)
        });
    }
    row("**sum without events**", &|monitoring| {
        format!("**{:.2}**", sums(monitoring, prices).0)
    });
    row(with_traffic(ALL[0]).0, &|monitoring| {
        format!("{:.2}", dollars(with_traffic(monitoring), prices).1)
    });
    row("**sum with slight traffic**", &|monitoring| {
        format!("**{:.2}**", sums(monitoring, prices).1)
    });
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alarm_is_counted_and_a_month_with_little_traffic_costs_little() {
        let prices = PriceList::committed();
        table(&prices).unwrap();
        let (idle, slight) = sums(ALL[0], &prices);
        assert!(idle < super::super::IDLE_TARGET, "{idle}");
        assert!(slight < super::super::SLIGHT_TARGET, "{slight}");
        let full = sums(Monitoring::Full, &prices);
        assert!(full.0 > idle + 3.0 && full.1 > slight + 6.0, "{full:?}");
    }
}
