//! `webhooks subscriptions list` and `show`.

use crate::terminal::{Cell, Style, Table};
use anyhow::Result;
use clap::Args;
use webhooks_client::{Api, Subscription, SubscriptionsQuery};
use webhooks_domain::timestamp::Timestamp;

use super::{Named, certificate, text};
use crate::Outcome;
use crate::answer::{self, Listed, Paging};
use crate::clock::now;
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
        let now = now();
        let table = || {
            let mut table = Table::new(["SUBSCRIPTION", "STATUS", "EVENT TYPES", "URL"]);
            for row in &self.rows {
                table.push([
                    row.id.as_str().into(),
                    status(row, now),
                    row.event_types.join(", ").into(),
                    row.url.as_str().into(),
                ]);
            }
            table
        };
        self.text("no subscription", table, style)
    }
}

/// The status, and a warning if the client certificate ends.
fn status(row: &Subscription, now: Timestamp) -> Cell {
    let (status, tone) = (row.status, words::subscription_tone(row.status));
    let authentication = row.authentication.as_ref();
    match authentication.and_then(|it| certificate::warning(it, now)) {
        Some((warning, tone)) => Cell::new(format!("{status}, certificate {warning}"), tone),
        None => Cell::new(status.to_string(), tone),
    }
}
