//! The fixed cost of a month, as a table.

use webhooks_costs::{PriceList, monthly};
use webhooks_lambda::Monitoring;

use crate::report::Table;

/// The values of the parameter, the default first.
const ALL: [Monitoring; 3] = [Monitoring::Essential, Monitoring::Full, Monitoring::Off];

/// The title of the table, by which the README's section is found.
pub(crate) const TITLE: &str = "Fixed dollars of a month, by `Monitoring`";

fn name(monitoring: Monitoring) -> &'static str {
    match monitoring {
        Monitoring::Essential => "Essential (default)",
        Monitoring::Full => "Full",
        Monitoring::Off => "Off",
    }
}

/// Returns what a month may cost at most with the default of `Monitoring`: the name of the case, its
/// dollars, and the most.
pub(super) fn targets(prices: &PriceList) -> [(&'static str, f64, f64); 2] {
    [
        ("idle", monthly::idle(ALL[0], prices), 3.0),
        ("slight traffic", monthly::slight(ALL[0], prices), 5.0),
    ]
}

/// Returns the lines of a month.
pub(super) fn table(prices: &PriceList) -> Table {
    let columns = std::iter::once("").chain(ALL.map(name));
    let mut table = Table::new(TITLE, &columns.collect::<Vec<_>>());
    let mut row = |name: &str, dollars: [f64; 3], mark: &str| {
        let cells = dollars.map(|dollars| format!("{mark}{dollars:.2}{mark}"));
        table.row(std::iter::once(format!("{mark}{name}{mark}")).chain(cells));
    };
    for (index, line) in monthly::without_events(ALL[0]).iter().enumerate() {
        let of = |monitoring| monthly::without_events(monitoring)[index].dollars(prices);
        row(line.name, ALL.map(of), "");
    }
    let idle = ALL.map(|monitoring| monthly::idle(monitoring, prices));
    row("sum without events", idle, "**");
    let further = ALL.map(|monitoring| monthly::with_traffic(monitoring).dollars(prices));
    row(monthly::with_traffic(ALL[0]).name, further, "");
    let slight = ALL.map(|monitoring| monthly::slight(monitoring, prices));
    row("sum with slight traffic", slight, "**");
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_with_little_traffic_costs_little() {
        let prices = PriceList::us_east_1();
        for (name, dollars, at_most) in targets(&prices) {
            assert!(dollars < at_most, "{name}: {dollars}");
        }
        let [idle, slight] = targets(&prices).map(|(_, dollars, _)| dollars);
        assert!(monthly::idle(Monitoring::Full, &prices) > idle + 3.0);
        assert!(monthly::slight(Monitoring::Full, &prices) > slight + 6.0);
    }

    #[test]
    fn the_readme_has_the_table() {
        let readme = include_str!("../../../../README.md");
        assert!(readme.contains(&table(&PriceList::us_east_1()).markdown()));
    }
}
