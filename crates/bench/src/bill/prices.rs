//! A price list: a region's prices on a day, with their sources.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::meter::Meter;

/// A price list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceList {
    pub(crate) region: String,
    pub(crate) date: String,
    pub(crate) source: String,
    prices: BTreeMap<Meter, Price>,
}

/// A price in dollars for a quantity.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    dollars: f64,
    per: f64,
    /// The AWS page with the price.
    #[expect(dead_code, reason = "for those who read the file")]
    page: String,
}

impl PriceList {
    /// Reads a price list from a file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
        Self::parse(&text).with_context(|| format!("reading `{}`", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let list: Self = serde_json::from_str(text)?;
        for meter in Meter::ALL.into_iter().chain(Meter::MONTHLY) {
            let price = list.prices.get(&meter);
            let price = price.with_context(|| format!("no price of {meter:?}"))?;
            ensure!(price.per > 0.0, "{meter:?}: `per` must be more than 0");
        }
        Ok(list)
    }

    /// Returns the cost of an amount in dollars.
    pub(crate) fn dollars(&self, meter: Meter, amount: f64) -> f64 {
        // Reading the list fails if a meter has no price.
        let price = self.prices.get(&meter);
        price.map_or(f64::NAN, |price| amount * price.dollars / price.per)
    }

    /// Returns the committed price list.
    #[cfg(test)]
    pub(crate) fn committed() -> Self {
        Self::parse(include_str!("../../prices/us-east-1.json")).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_for_a_quantity() {
        let list = PriceList::committed();
        let dollars = |meter, amount| list.dollars(meter, amount);
        assert!((dollars(Meter::KeyRequest, 10_000.0) - 0.03).abs() < 1e-12);
        assert!((dollars(Meter::EventIn, 1e6) - 1.0).abs() < 1e-12);
        assert!((dollars(Meter::LoggedGigabyte, 2.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_list_that_lacks_a_price_is_refused_by_its_name() {
        let text =
            include_str!("../../prices/us-east-1.json").replace("\"metricMonth\"", "\"eventIn\"");
        let error = PriceList::parse(&text).unwrap_err();
        assert!(error.to_string().contains("MetricMonth"), "{error}");
    }
}
