//! The cost of a month without events, by the parameter `Monitoring`.

use anyhow::{Result, ensure};

use super::{meter::Meter, prices::PriceList};
use crate::report::Table;

/// AWS's average month, in hours.
const HOURS: f64 = 730.0;
/// The delivery queues. Lambda polls each with five pollers, which wait 20 s for a message.
const QUEUES: f64 = 2.0;
const POLLERS: f64 = 5.0;
const POLLS_AN_HOUR: f64 = 3_600.0 / 20.0;

/// The sweep runs every minute, and reads the eight shards of the index.
const SWEEPS: f64 = HOURS * 60.0;
const READ_UNITS_A_SWEEP: f64 = 8.0 * 0.5;
/// A sweep that finds nothing: 50 ms with 128 MB are assumed, and one line of metrics.
const GIGABYTE_SECONDS_A_SWEEP: f64 = 0.05 * 128.0 / 1_024.0;
const LOGGED_GIGABYTES_A_SWEEP: f64 = 400.0 / 1e9;
/// The metrics that are written when nothing happens: `Sweeps`.
const IDLE_METRICS: f64 = 1.0;

const TEMPLATE: &str = include_str!("../../../../template.yaml");

/// Returns the number of occurrences of a text in the template.
fn occurrences(text: &str) -> u32 {
    TEMPLATE.matches(text).fold(0, |count, _| count + 1)
}

/// A value of the parameter `Monitoring`.
#[derive(Clone, Copy)]
enum Monitoring {
    Essential,
    Full,
    Off,
}

impl Monitoring {
    const ALL: [Self; 3] = [Self::Essential, Self::Full, Self::Off];

    fn name(self) -> &'static str {
        match self {
            Self::Essential => "Essential (default)",
            Self::Full => "Full",
            Self::Off => "Off",
        }
    }

    /// Returns the number of resources of a type that the template creates.
    fn resources(self, kind: &str) -> u32 {
        let conditions: &[&str] = match self {
            Self::Essential => &["MonitorsEssentials"],
            Self::Full => &["MonitorsEssentials", "MonitorsAll"],
            Self::Off => &[],
        };
        let of_condition =
            |condition| occurrences(&format!("Type: {kind}\n    Condition: {condition}\n"));
        conditions.iter().map(of_condition).sum()
    }

    fn lines(self) -> [(&'static str, Vec<(Meter, f64)>); 6] {
        let polls = QUEUES * POLLERS * POLLS_AN_HOUR * HOURS;
        [
            ("KMS key", vec![(Meter::KeyMonth, 1.0)]),
            (
                "alarms",
                vec![(
                    Meter::AlarmMonth,
                    f64::from(self.resources("AWS::CloudWatch::Alarm")),
                )],
            ),
            (
                "dashboard",
                vec![(
                    Meter::DashboardMonth,
                    f64::from(self.resources("AWS::CloudWatch::Dashboard")),
                )],
            ),
            ("own metrics", vec![(Meter::MetricMonth, IDLE_METRICS)]),
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
        ]
    }

    fn dollars(self, prices: &PriceList) -> Vec<(&'static str, f64)> {
        let cost = |used: Vec<(Meter, f64)>| {
            used.into_iter()
                .map(|(meter, amount)| prices.dollars(meter, amount))
                .sum()
        };
        self.lines()
            .into_iter()
            .map(|(name, used)| (name, cost(used)))
            .collect()
    }
}

/// Returns the dollars of a month without events, with the default of `Monitoring`.
pub(super) fn idle(prices: &PriceList) -> f64 {
    let lines = Monitoring::Essential.dollars(prices);
    lines.into_iter().map(|(_, dollars)| dollars).sum()
}

/// The title of the table, by which the README's section is found.
pub(crate) const TITLE: &str = "Dollars of a month without events, by `Monitoring`";

/// Returns the lines of a month without events.
pub(super) fn table(prices: &PriceList) -> Result<Table> {
    let columns = Monitoring::ALL.map(|monitoring| monitoring.dollars(prices));
    let all = Monitoring::Full.resources("AWS::CloudWatch::Alarm");
    let declared = occurrences("Type: AWS::CloudWatch::Alarm\n");
    ensure!(
        all == declared,
        "template.yaml: each alarm needs a condition on `Monitoring`"
    );
    let mut table = Table::new(
        TITLE,
        &[
            "",
            Monitoring::ALL[0].name(),
            Monitoring::ALL[1].name(),
            Monitoring::ALL[2].name(),
        ],
    );
    for (row, (name, _)) in columns[0].iter().enumerate() {
        let cells = columns.iter().map(|lines| format!("{:.2}", lines[row].1));
        table.row(std::iter::once((*name).to_owned()).chain(cells));
    }
    let sums = columns.iter().map(|lines| {
        let sum: f64 = lines.iter().map(|(_, dollars)| dollars).sum();
        format!("**{sum:.2}**")
    });
    table.row(std::iter::once("**sum**".to_owned()).chain(sums));
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alarm_is_counted_and_a_month_without_events_costs_little() {
        let prices = PriceList::committed();
        table(&prices).unwrap();
        assert!(
            idle(&prices) < super::super::IDLE_TARGET,
            "{}",
            idle(&prices)
        );
        let full: f64 = Monitoring::Full
            .dollars(&prices)
            .iter()
            .map(|line| line.1)
            .sum();
        assert!(full > idle(&prices) + 3.0);
    }
}
