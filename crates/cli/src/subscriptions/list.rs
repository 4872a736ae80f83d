//! `webhooks subscriptions list` and `show`.

use crate::terminal::{Cell, Style, Table};
use anyhow::Result;
use clap::Args;
use webhooks_client::{Api, Subscription, SubscriptionsQuery};

use super::{Named, text};
use crate::Outcome;
use crate::answer::{self, Listed, Paging};
use crate::print::{Printer, Report};
use crate::words;

/// Options of `subscriptions list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// The customer.
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    #[command(flatten)]
    paging: Paging,
}

impl List {
    pub(super) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let page = |limit, cursor| {
            let query = SubscriptionsQuery { limit, cursor };
            api.subscriptions(&self.customer, &query)
        };
        printer.print(&self.paging.collect(page).await?)?;
        Ok(Outcome::Complete)
    }
}

/// Shows one subscription.
pub(super) async fn show(named: &Named, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
    let call = api.subscription(&named.customer, &named.subscription);
    answer::show(call, printer, text).await?;
    Ok(Outcome::Complete)
}

impl Report for Listed<Subscription> {
    fn text(&self, style: Style) -> String {
        let table = || {
            let mut table = Table::new(["SUBSCRIPTION", "STATUS", "EVENT TYPES", "URL"]);
            for row in &self.rows {
                let tone = words::subscription_tone(row.status);
                table.push([
                    row.id.as_str().into(),
                    Cell::new(row.status.to_string(), tone),
                    row.event_types.join(", ").into(),
                    row.url.as_str().into(),
                ]);
            }
            table
        };
        self.text("no subscription", table, style)
    }
}
