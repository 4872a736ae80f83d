//! `webhooks deliveries list` and `webhooks undelivered`.

use crate::terminal::{Cell, Style, Table};
use anyhow::Result;
use clap::{Args, ValueEnum};
use webhooks_client::{
    Api, DeliveriesQuery, Delivery, DeliveryStatus, UndeliveredFilter, UndeliveredQuery,
};

use crate::Outcome;
use crate::answer::{Listed, Paging};
use crate::clock::now;
use crate::print::{Printer, Report};
use crate::subscriptions::Named;
use crate::when::{moment, short};
use crate::words;

/// Options of `deliveries list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// The customer.
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    /// Only deliveries of this subscription, `sub_…`.
    #[arg(long, value_name = "SUBSCRIPTION")]
    subscription: Option<String>,
    /// Only deliveries with this status.
    #[arg(long, value_enum)]
    status: Option<Status>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    paging: Paging,
}

/// Options of `undelivered`.
#[derive(Args, Debug)]
pub(crate) struct Undelivered {
    #[command(flatten)]
    named: Named,
    /// Only deliveries with this status.
    #[arg(long, value_enum)]
    status: Option<UndeliveredStatus>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    paging: Paging,
}

/// Options that select entries of a list.
#[derive(Args, Debug, Clone)]
pub(crate) struct Filter {
    /// Only entries with this event type, such as `order.created`.
    #[arg(long, value_name = "TYPE")]
    pub(crate) event_type: Option<String>,
    /// Only entries at or after this time: an age such as `2h`, a date (UTC) or an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<String>,
    /// Only entries before this time: an age, a day or an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<String>,
}

/// A status, as an option. docs/delivery.md explains each.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    Pending,
    Held,
    Succeeded,
    Failed,
    Cancelled,
}

impl From<Status> for DeliveryStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Held => Self::Held,
            Status::Succeeded => Self::Succeeded,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

/// The status of an undelivered delivery, as an option.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum UndeliveredStatus {
    Pending,
    Held,
    Failed,
}

impl From<UndeliveredStatus> for UndeliveredFilter {
    fn from(status: UndeliveredStatus) -> Self {
        match status {
            UndeliveredStatus::Pending => Self::Pending,
            UndeliveredStatus::Held => Self::Held,
            UndeliveredStatus::Failed => Self::Failed,
        }
    }
}

impl List {
    pub(super) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let Filter {
            event_type,
            since,
            until,
        } = &self.filter;
        let page = |limit, cursor| {
            let query = DeliveriesQuery {
                status: self.status.map(DeliveryStatus::from),
                event_type: event_type.clone(),
                since: since.clone(),
                until: until.clone(),
                limit,
                cursor,
            };
            match &self.subscription {
                Some(subscription) => api.deliveries(&self.customer, subscription, &query),
                None => api.deliveries_of_customer(&self.customer, &query),
            }
        };
        printer.print(&self.paging.collect(page).await?)?;
        Ok(Outcome::Complete)
    }
}

impl Undelivered {
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let Named {
            customer,
            subscription,
        } = &self.named;
        let Filter {
            event_type,
            since,
            until,
        } = &self.filter;
        let page = |limit, cursor| {
            let query = UndeliveredQuery {
                status: self.status.map(UndeliveredFilter::from),
                event_type: event_type.clone(),
                since: since.clone(),
                until: until.clone(),
                limit,
                cursor,
            };
            api.undelivered(customer, subscription, &query)
        };
        let listed = self.paging.collect(page).await?;
        if listed.is_empty() && !printer.is_json() {
            printer.note("  no undelivered webhooks")?;
            return Ok(Outcome::Complete);
        }
        printer.print(&listed)?;
        if !listed.rows.is_empty() {
            printer.note(&format!(
                "\n  `webhooks recover {customer} {subscription} --since TIME` sends the failed and held deliveries again."
            ))?;
        }
        Ok(Outcome::Complete)
    }
}

impl Report for Listed<Delivery> {
    fn text(&self, style: Style) -> String {
        let table = || {
            let now = now();
            let headings = [
                "CREATED",
                "EVENT TYPE",
                "STATUS",
                "ATTEMPTS",
                "LAST",
                "DELIVERY",
            ];
            let mut table = Table::new(headings);
            for row in &self.rows {
                table.push([
                    short(&row.created_at).into(),
                    row.event_type.as_str().into(),
                    Cell::new(row.status.to_string(), words::tone(row.status)),
                    row.attempts.len().to_string().into(),
                    words::short_state(row, now).into(),
                    row.id.as_str().into(),
                ]);
            }
            table
        };
        self.text(
            "no delivery here: `webhooks messages list CUSTOMER` also shows what matched no subscription",
            table,
            style,
        )
    }
}
