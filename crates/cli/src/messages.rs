//! `webhooks messages`: the stored copies of events.

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use crate::terminal::{Cell, Style, Table};
use anyhow::Result;
use clap::{Args, Subcommand};
use webhooks_client::{
    Api, Call, CancelQuery, Cancellation, DeliveryStatus, Error, Message, MessageEntry,
    MessagesQuery,
};

use crate::Outcome;
use crate::advice::advise;
use crate::answer::{Listed, Paging, send, show};
use crate::broken;
use crate::clock::now;
use crate::deliveries::list::Filter;
use crate::print::{Facts, Printer, Report, progress, task};
use crate::when::short;
use crate::words;

/// The longest wait for a message.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// The longest wait for the first delivery of an existing message, which is written just before
/// its deliveries.
const FIRST_DELIVERY: Duration = Duration::from_secs(10);

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List a customer's messages, the newest first.
    #[command(after_help = "\
Examples:
  webhooks messages list cust_1001 --since 2h
  webhooks messages list cust_1001 --event-type order.created --limit 10")]
    List(List),
    /// Show a message and its deliveries.
    #[command(after_help = "\
Examples:
  webhooks messages show msg_9d621ecde980c9e89ef2b0fa0f4cc7e6
  webhooks messages show msg_9d621ecde980c9e89ef2b0fa0f4cc7e6 --wait
  webhooks messages show cust_1001 msg_9d621ecde980c9e89ef2b0fa0f4cc7e6

Receivers get the id in the header `webhook-id`; `webhooks events put` prints it.")]
    Show(Named),
    /// Cancel a message: nothing more of it is sent.
    ///
    /// Its deliveries that are pending or held become `cancelled`. A request to an endpoint that is
    /// under way is not stopped.
    #[command(after_help = "\
Example:
  webhooks messages cancel cust_1001 msg_9d621ecde980c9e89ef2b0fa0f4cc7e6

`webhooks deliveries resend` sends a cancelled delivery after all.")]
    Cancel(Cancel),
}

/// The message to cancel.
#[derive(Args, Debug)]
pub(crate) struct Cancel {
    /// The customer of the message.
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    /// The message's id, `msg_…`.
    #[arg(value_name = "MESSAGE")]
    message: String,
}

/// Options of `messages list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// The customer.
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    paging: Paging,
}

/// One message.
#[derive(Args, Debug)]
#[command(allow_missing_positional = true)]
pub(crate) struct Named {
    /// The customer to whom the message must belong. Without it, any customer.
    #[arg(value_name = "CUSTOMER")]
    customer: Option<String>,
    /// The message's id, `msg_…`.
    #[arg(value_name = "MESSAGE")]
    message: String,
    /// Wait up to a minute until the message exists and no further attempt follows. The exit
    /// code is 1 if this does not happen, or if no subscription matches the message.
    #[arg(long)]
    wait: bool,
}

impl Command {
    /// Runs the command and prints its result.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        match self {
            Self::List(List {
                customer,
                filter,
                paging,
            }) => {
                let page = |limit, cursor| {
                    let query = MessagesQuery {
                        event_type: filter.event_type.clone(),
                        since: filter.since.clone(),
                        until: filter.until.clone(),
                        limit,
                        cursor,
                    };
                    api.messages(customer, &query)
                };
                printer.print(&paging.collect(page).await?)?;
            }
            Self::Cancel(cancel) => printer.print(&cancel.run(api).await?)?,
            Self::Show(named) => {
                let has_settled = if named.wait {
                    named.settled(api).await?
                } else {
                    true
                };
                show(named.call(api), printer, text).await?;
                if !has_settled {
                    return Ok(Outcome::Incomplete);
                }
            }
        }
        Ok(Outcome::Complete)
    }
}

impl Cancel {
    /// Cancels all pages, and counts them together.
    async fn run(&self, api: &Api) -> Result<Cancellation> {
        let mut query = CancelQuery::default();
        let mut total: Option<Cancellation> = None;
        loop {
            let call = api.cancel_message(&self.customer, &self.message, &query);
            let page = send(call).await?.value;
            query.cursor.clone_from(&page.next_cursor);
            let is_last = page.next_cursor.is_none();
            let sum = match total {
                None => page,
                Some(before) => Cancellation {
                    cancelled: before.cancelled + page.cancelled,
                    due: before.due + page.due,
                    ended: before.ended + page.ended,
                    broken: before.broken + page.broken,
                    ..page
                },
            };
            if is_last {
                return Ok(sum);
            }
            total = Some(sum);
        }
    }
}

impl Report for Cancellation {
    fn text(&self, style: Style) -> String {
        let mut facts = Facts::default();
        facts.add("message", self.message_id.as_str());
        facts.add("cancelled at", self.cancelled_at.as_str());
        facts.add("cancelled", self.cancelled.to_string());
        facts.add("ended before", self.ended.to_string());
        if self.broken > 0 {
            facts.add("unreadable", self.broken.to_string());
        }
        let mut text = facts.text(style);
        if self.due > 0 {
            text.push_str(&task(format_args!(
                "The attempts of {} were due: a request to an endpoint may be under way.",
                self.due
            )));
        }
        text
    }
}

impl Named {
    fn call<'a>(&self, api: &'a Api) -> Call<'a, Message> {
        match &self.customer {
            Some(customer) => api.message_of_customer(customer, &self.message),
            None => api.message(&self.message),
        }
    }

    /// Waits until no attempt follows. Returns true if that happened and there is a delivery.
    async fn settled(&self, api: &Api) -> Result<bool> {
        let first_seen = OnceCell::new();
        let has_settled = |message: &Message| {
            let seen_for = first_seen.get_or_init(Instant::now).elapsed();
            let mut deliveries = message.deliveries.iter();
            if message.deliveries.is_empty() && message.broken.is_empty() {
                return seen_for >= FIRST_DELIVERY;
            }
            deliveries.all(|delivery| delivery.status != DeliveryStatus::Pending)
        };
        let progress = progress();
        progress.set_message("waiting for its deliveries");
        let settled = api.message_by_when(|| self.call(api), TIME_LIMIT, has_settled);
        let settled = settled.await;
        progress.finish_and_clear();
        match settled {
            Ok(message) => Ok(!message.deliveries.is_empty()),
            Err(Error::StillWaiting { .. } | Error::Broken(_)) => Ok(false),
            Err(error) => Err(advise(error)),
        }
    }
}

impl Report for Listed<MessageEntry> {
    fn text(&self, style: Style) -> String {
        let table = || {
            let mut table = Table::new(["RECEIVED", "EVENT TYPE", "MESSAGE"]);
            for row in &self.rows {
                table.push([
                    short(&row.received_at).into(),
                    row.event_type.as_str().into(),
                    row.id.as_str().into(),
                ]);
            }
            table
        };
        self.text(
            "no message of this customer: `webhooks customers show CUSTOMER` checks its id",
            table,
            style,
        )
    }
}

/// Shows a message and its deliveries.
pub(crate) fn text(message: &Message, style: Style) -> String {
    let mut facts = Facts::default();
    facts.add("message", message.id.as_str());
    facts.add("customer", message.customer_id.as_str());
    facts.add("event type", message.event_type.as_str());
    facts.add("time", message.time.as_str());
    facts.add("received", message.received_at.as_str());
    facts.maybe("deliver at", message.deliver_at.as_deref());
    facts.maybe("cancelled", message.cancelled_at.as_deref());
    let facts = facts.text(style);
    if message.deliveries.is_empty() && message.broken.is_empty() {
        let replay = task(format_args!(
            "`webhooks replay {} SUBSCRIPTION --since 1h` sends it to a subscription that matches by now.",
            message.customer_id
        ));
        return format!("{facts}\n  no subscription matches it\n{replay}");
    }
    let now = now();
    let mut table = Table::new(["STATUS", "ATTEMPTS", "LAST", "DELIVERY"]);
    for row in &message.deliveries {
        table.push([
            Cell::new(row.status.to_string(), words::tone(row.status)),
            row.attempts.len().to_string().into(),
            words::short_state(row, now).into(),
            row.id.as_str().into(),
        ]);
    }
    let more = match message.next_cursor {
        Some(_) => "\n  and more: `webhooks deliveries list` shows them all\n",
        None => "",
    };
    let broken = broken::table(&message.broken, style);
    format!("{facts}\n{}{broken}{more}", table.text(style))
}
