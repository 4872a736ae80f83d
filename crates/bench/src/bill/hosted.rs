//! List prices of hosted webhook services.

use anyhow::Result;
use serde::Deserialize;

use crate::report::{Table, Unit};
use webhooks_costs::{PriceList, Usage};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Hosted {
    service: String,
    dollars_per_million: f64,
    price: String,
    source: String,
    date: String,
}

/// Compares the cost here with hosted services. A service is included if its price list has a
/// price per message and a dated copy of the list was found.
pub(super) fn table(ours: &Usage, prices: &PriceList) -> Result<Table> {
    let hosted: Vec<Hosted> = serde_json::from_str(include_str!("../../prices/hosted.json"))?;
    let ours = ours.total(prices);
    let mut table = Table::new(
        "Beside list prices of hosted services, a million messages to one endpoint each",
        &[
            "service",
            "÷ ours",
            "per million",
            "price",
            "source",
            "read",
        ],
    );
    for service in hosted {
        table.row([
            service.service,
            Unit::Ratio.text(service.dollars_per_million / ours),
            Unit::Dollars.text(service.dollars_per_million),
            service.price,
            service.source,
            service.date,
        ]);
    }
    Ok(table)
}
