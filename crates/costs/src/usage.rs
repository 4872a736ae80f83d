//! The usage of one delivery, and the cost of a million.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Meter, PriceList};

/// The usage of one delivery.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Usage(BTreeMap<Meter, f64>);

impl Usage {
    /// Divides the usage of a whole run by its deliveries.
    pub fn of_run(deliveries: f64, used: impl IntoIterator<Item = (Meter, f64)>) -> Self {
        let each = used.into_iter();
        Self(
            each.map(|(meter, amount)| (meter, amount / deliveries))
                .collect(),
        )
    }

    /// Returns the usage on the line through two usages, at a distance: 0 is this one, 1 is the other.
    pub(crate) fn towards(&self, other: &Self, distance: f64) -> Self {
        let meters = self.0.keys().chain(other.0.keys());
        let at = |meter| self.of(meter) + (other.of(meter) - self.of(meter)) * distance;
        Self(meters.map(|meter| (*meter, at(*meter))).collect())
    }

    /// Returns this usage, and on some meters the difference of two others times a factor.
    pub(crate) fn plus_difference(
        &self,
        less: &Self,
        more: &Self,
        factor: f64,
        meters: &[Meter],
    ) -> Self {
        let added = meters.iter().map(|meter| {
            let difference = more.of(*meter) - less.of(*meter);
            (*meter, (self.of(*meter) + difference * factor).max(0.0))
        });
        let mut usage = self.0.clone();
        usage.extend(added);
        Self(usage)
    }

    /// Returns the same usage with another amount of one meter.
    pub(crate) fn with(mut self, meter: Meter, amount: f64) -> Self {
        self.0.insert(meter, amount);
        self
    }

    /// Returns the usage of one meter.
    pub fn of(&self, meter: Meter) -> f64 {
        self.0.get(&meter).copied().unwrap_or_default()
    }

    /// Returns the cost of a million deliveries on one meter.
    pub fn dollars(&self, meter: Meter, prices: &PriceList) -> f64 {
        prices.dollars(meter, self.of(meter) * 1e6)
    }

    /// Returns the cost of a million deliveries.
    pub fn total(&self, prices: &PriceList) -> f64 {
        Meter::billed()
            .map(|meter| self.dollars(meter, prices))
            .sum()
    }

    /// Returns the cost with a Standard workflow, which is billed by its transitions, not by
    /// its starts and its time.
    pub fn total_as_standard(&self, prices: &PriceList) -> f64 {
        let express = [Meter::ExpressStart, Meter::ExpressGigabyteSecond];
        let lines = express.iter().map(|meter| self.dollars(*meter, prices));
        self.total(prices) - lines.sum::<f64>() + self.dollars(Meter::StandardTransition, prices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten deliveries at fan-out 1, with the counts of docs/how-it-works.md.
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
        let (usage, prices) = (run_of_ten(), PriceList::us_east_1());
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
        let (usage, prices) = (run_of_ten(), PriceList::us_east_1());
        let standard = 1.0 + 250.0 + 1.875 + 1.25 + 0.50;
        assert!((usage.total_as_standard(&prices) - standard).abs() < 1e-9);
    }
}
