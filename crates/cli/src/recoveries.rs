//! `webhooks recoveries`: recoveries and replays, which send many deliveries.

use std::time::Duration;

use crate::terminal::{Cell, Style, Table, Tone};
use anyhow::Result;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::sleep;
use webhooks_client::{Api, RecoveriesQuery, Recovery, RecoveryCount, RecoveryStatus};

use crate::Outcome;
use crate::answer::{Listed, Paging, send, show};
use crate::print::{Facts, Printer, Report, tell};
use crate::subscriptions::Named;
use crate::when::short;

/// The time between two checks of a running recovery.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List a subscription's recoveries and replays, newest first.
    #[command(after_help = "\
Example:
  webhooks recoveries list cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4")]
    List(List),
    /// Show the progress of a recovery or replay.
    #[command(after_help = "\
Example:
  webhooks recoveries show cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4 rec_…")]
    Show(One),
    /// Stop a recovery or replay. Deliveries that are already queued are still sent.
    #[command(after_help = "\
Example:
  webhooks recoveries stop cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4 rec_…

No page begins after half a minute. What is already queued is sent in the half minute after that.
`webhooks recover` starts another one, which does not send successful deliveries again.")]
    Stop(One),
}

/// Options of `recoveries list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    paging: Paging,
}

/// One recovery.
#[derive(Args, Debug)]
pub(crate) struct One {
    #[command(flatten)]
    named: Named,
    /// The recovery's id, `rec_…`.
    #[arg(value_name = "RECOVERY")]
    recovery: String,
}

impl Command {
    /// Runs the command and prints its result.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        match self {
            Self::List(List { named, paging }) => {
                let page = |limit, cursor| {
                    let query = RecoveriesQuery { limit, cursor };
                    api.recoveries(&named.customer, &named.subscription, &query)
                };
                printer.print(&paging.collect(page).await?)?;
            }
            Self::Show(One { named, recovery }) => {
                let call = api.recovery(&named.customer, &named.subscription, recovery);
                show(call, printer, text).await?;
            }
            Self::Stop(One { named, recovery }) => {
                let call = api.stop_recovery(&named.customer, &named.subscription, recovery);
                printer.answer(&send(call).await?, text)?;
            }
        }
        Ok(Outcome::Complete)
    }
}

/// Follows a recovery until it ends or the user presses Ctrl-C, and prints its result.
pub(crate) async fn follow(
    named: &Named,
    id: &str,
    counted: RecoveryCount,
    api: &Api,
    printer: &mut Printer<'_>,
) -> Result<Outcome> {
    let Named {
        customer,
        subscription,
    } = named;
    let progress = bar(counted);
    loop {
        let call = api.recovery(customer, subscription, id);
        let answer = tokio::select! {
            answer = send(call) => answer?,
            _ = tokio::signal::ctrl_c() => return Ok(left(named, id, &progress)),
        };
        let recovery = &answer.value;
        // The count may be incomplete.
        progress.set_length(counted.count.max(recovery.queued));
        progress.set_position(recovery.queued);
        progress.set_message(format!(
            "{}, {} left out",
            recovery.status, recovery.skipped
        ));
        if recovery.status.is_terminal() {
            progress.finish_and_clear();
            let succeeded = recovery.status == RecoveryStatus::Succeeded;
            printer.answer(&answer, text)?;
            printer.note(&format!(
                "\n  `webhooks undelivered {customer} {subscription}` shows the undelivered webhooks."
            ))?;
            return Ok(if succeeded {
                Outcome::Complete
            } else {
                Outcome::Incomplete
            });
        }
        tokio::select! {
            () = sleep(POLL_INTERVAL) => {}
            _ = tokio::signal::ctrl_c() => return Ok(left(named, id, &progress)),
        }
    }
}

/// Prints how to show or stop a recovery that continues.
fn left(named: &Named, id: &str, progress: &ProgressBar) -> Outcome {
    progress.finish_and_clear();
    let Named {
        customer,
        subscription,
    } = named;
    tell(format_args!(
        "it continues in the background.\n\
         show: webhooks recoveries show {customer} {subscription} {id}\n\
         stop: webhooks recoveries stop {customer} {subscription} {id}"
    ));
    Outcome::Incomplete
}

fn bar(counted: RecoveryCount) -> ProgressBar {
    let template = "  {bar:30} {pos} of {len} queued, {msg}  {elapsed}";
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    ProgressBar::new(counted.count).with_style(style)
}

fn tone(status: RecoveryStatus) -> Tone {
    match status {
        RecoveryStatus::Succeeded => Tone::Good,
        RecoveryStatus::Running | RecoveryStatus::Stopping => Tone::Waiting,
        RecoveryStatus::Stopped | RecoveryStatus::Failed => Tone::Bad,
    }
}

/// Shows a recovery in full.
pub(crate) fn text(recovery: &Recovery, style: Style) -> String {
    let mut facts = Facts::default();
    facts.add("recovery", recovery.id.as_str());
    facts.add("kind", recovery.kind.to_string());
    let status = Cell::new(recovery.status.to_string(), tone(recovery.status));
    facts.add("status", status);
    facts.add("since", recovery.since.as_str());
    facts.add("until", recovery.until.as_str());
    let statuses = recovery.statuses.iter().flatten().map(ToString::to_string);
    let statuses: Vec<_> = statuses.collect();
    if !statuses.is_empty() {
        facts.add("statuses", statuses.join(", "));
    }
    facts.add("rate", format!("{} a second", recovery.per_second));
    facts.add("looked at", recovery.examined.to_string());
    facts.add("queued", recovery.queued.to_string());
    facts.add("left out", recovery.skipped.to_string());
    facts.add("started", recovery.started_at.as_str());
    facts.add("updated", recovery.updated_at.as_str());
    facts.text(style)
}

impl Report for Listed<Recovery> {
    fn text(&self, style: Style) -> String {
        let table = || {
            let headings = [
                "STARTED", "KIND", "STATUS", "QUEUED", "LEFT OUT", "RECOVERY",
            ];
            let mut table = Table::new(headings);
            for row in &self.rows {
                table.push([
                    short(&row.started_at).into(),
                    row.kind.to_string().into(),
                    Cell::new(row.status.to_string(), tone(row.status)),
                    row.queued.to_string().into(),
                    row.skipped.to_string().into(),
                    row.id.as_str().into(),
                ]);
            }
            table
        };
        self.text("no recovery", table, style)
    }
}
