//! What one delivery uses, and what a million of them cost.

use std::collections::BTreeMap;

use super::{meter::Meter, prices::PriceList};

/// What one delivery uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Usage(BTreeMap<Meter, f64>);

impl Usage {
    /// What a whole run used, shared among its deliveries.
    pub(super) fn of_run(deliveries: f64, used: impl IntoIterator<Item = (Meter, f64)>) -> Self {
        let each = used.into_iter();
        Self(
            each.map(|(meter, amount)| (meter, amount / deliveries))
                .collect(),
        )
    }

    /// So much of this.
    pub(super) fn of(&self, meter: Meter) -> f64 {
        self.0.get(&meter).copied().unwrap_or_default()
    }

    /// What a million deliveries cost on one meter.
    pub(super) fn dollars(&self, meter: Meter, prices: &PriceList) -> f64 {
        prices.dollars(meter, self.of(meter) * 1e6)
    }

    /// What a million deliveries cost.
    pub(super) fn total(&self, prices: &PriceList) -> f64 {
        Meter::billed()
            .map(|meter| self.dollars(meter, prices))
            .sum()
    }

    /// What they would cost with a Standard workflow, which is billed by its transitions, and
    /// neither by its starts nor by its time.
    pub(super) fn total_as_standard(&self, prices: &PriceList) -> f64 {
        let express = [Meter::ExpressStart, Meter::ExpressGigabyteSecond];
        let lines = express.iter().map(|meter| self.dollars(*meter, prices));
        self.total(prices) - lines.sum::<f64>() + self.dollars(Meter::StandardTransition, prices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A delivery at fan-out 1, as docs/how-it-works.md counts it, in a run of ten.
    fn run_of_ten() -> Usage {
        Usage::of_run(
            10.0,
            [
                (Meter::EventIn, 10.0),
                (Meter::ExpressStart, 10.0),
                (Meter::ExpressGigabyteSecond, 10.0 * 0.3 / 16.0),
                (Meter::StandardTransition, 100.0),
                (Meter::TableWriteUnit, 30.0),
                (Meter::IndexWriteUnit, 20.0),
                (Meter::ReadUnit, 40.0),
            ],
        )
    }

    #[test]
    fn a_million_deliveries_cost_a_million_times_what_one_uses() {
        let (usage, prices) = (run_of_ten(), PriceList::committed());
        let line = |meter| usage.dollars(meter, &prices);
        assert!((line(Meter::TableWriteUnit) - 1.875).abs() < 1e-9);
        assert!((line(Meter::IndexWriteUnit) - 1.25).abs() < 1e-9);
        assert!((line(Meter::ReadUnit) - 0.50).abs() < 1e-9);
        assert!((line(Meter::KeyRequest) - 0.0).abs() < 1e-9);
        let sum = 1.0 + 1.0 + 0.312_562_5 + 1.875 + 1.25 + 0.50;
        assert!((usage.total(&prices) - sum).abs() < 1e-9);
    }

    #[test]
    fn a_standard_workflow_pays_for_transitions_in_place_of_starts_and_time() {
        let (usage, prices) = (run_of_ten(), PriceList::committed());
        let standard = 1.0 + 250.0 + 1.875 + 1.25 + 0.50;
        assert!((usage.total_as_standard(&prices) - standard).abs() < 1e-9);
    }
}
