//! A price list: a region's prices on a day, with their sources.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Meter;

/// A price list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    /// The Region.
    pub region: String,
    /// The day, or the days, of the prices.
    pub date: String,
    /// The origin of the prices.
    pub source: String,
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

/// The text is not a price list.
#[derive(Debug, thiserror::Error)]
pub enum PriceListError {
    /// It has another form.
    #[error(transparent)]
    Malformed(#[from] serde_json::Error),
    /// A price is missing.
    #[error("`prices`: no price of `{0:?}`")]
    Missing(Meter),
    /// A price is for no quantity.
    #[error("`prices`: `per` of `{0:?}` must be more than 0")]
    PerNothing(Meter),
}

impl PriceList {
    /// Reads a price list, which must have a price of every meter.
    pub fn parse(text: &str) -> Result<Self, PriceListError> {
        let list: Self = serde_json::from_str(text)?;
        for meter in Meter::ALL.into_iter().chain(Meter::MONTHLY) {
            let price = list.prices.get(&meter);
            let price = price.ok_or(PriceListError::Missing(meter))?;
            if price.per <= 0.0 {
                return Err(PriceListError::PerNothing(meter));
            }
        }
        Ok(list)
    }

    /// Returns the list of us-east-1.
    pub fn us_east_1() -> Self {
        Self::parse(include_str!("../prices/us-east-1.json")).expect("a test reads this file")
    }

    /// Returns the cost of an amount in dollars.
    pub fn dollars(&self, meter: Meter, amount: f64) -> f64 {
        // Reading the list fails if a meter has no price.
        let price = self.prices.get(&meter);
        price.map_or(f64::NAN, |price| amount * price.dollars / price.per)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_for_a_quantity() {
        let list = PriceList::us_east_1();
        let dollars = |meter, amount| list.dollars(meter, amount);
        assert!((dollars(Meter::KeyRequest, 10_000.0) - 0.03).abs() < 1e-12);
        assert!((dollars(Meter::EventIn, 1e6) - 1.0).abs() < 1e-12);
        assert!((dollars(Meter::LoggedGigabyte, 2.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_list_that_lacks_a_price_is_refused_by_its_name() {
        let text =
            include_str!("../prices/us-east-1.json").replace("\"metricMonth\"", "\"eventIn\"");
        let error = PriceList::parse(&text).unwrap_err();
        assert!(
            matches!(error, PriceListError::Missing(Meter::MetricMonth)),
            "{error}"
        );
    }
}
