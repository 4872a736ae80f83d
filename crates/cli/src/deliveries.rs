//! `webhooks deliveries`: what was owed to whom, and what became of it.

pub(crate) mod list;
pub(crate) mod show;

use anyhow::Result;
use clap::{Args, Subcommand};
use webhooks_client::Api;

use crate::Outcome;
use crate::answer::send;
use crate::print::Printer;

/// What to do with them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List a customer's deliveries, or a subscription's, the newest first.
    #[command(after_help = "\
Examples:
  webhooks deliveries list cust_1001
  webhooks deliveries list cust_1001 --subscription sub_… --status failed --since 2h
  webhooks --json deliveries list cust_1001 --since 2026-11-24 --all | jq -r '.data[].id'")]
    List(list::List),
    /// Show a delivery: each attempt and why it failed, what the endpoint answered, and the body.
    #[command(after_help = "\
Example:
  webhooks deliveries show dlv_9d621ecde980c9e89ef2b0fa0f4cc7e6_70e79b2df96dcca5a0a362236c8d86f4")]
    Show(Named),
    /// Send a delivery again, now, with the same webhook-id and body.
    #[command(after_help = "\
Example:
  webhooks deliveries resend dlv_9d621ecde980c9e89ef2b0fa0f4cc7e6_70e79b2df96dcca5a0a362236c8d86f4

Many at once: `webhooks recover`.")]
    Resend(Named),
}

/// One delivery.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The delivery, `dlv_…`.
    #[arg(value_name = "DELIVERY")]
    delivery: String,
}

impl Command {
    /// Runs the command and prints its result.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        match self {
            Self::List(list) => list.run(api, printer).await,
            Self::Show(named) => {
                let delivery = send(api.delivery(&named.delivery)).await?;
                printer.answer(&delivery, show::text)?;
                Ok(Outcome::Complete)
            }
            Self::Resend(named) => {
                let delivery = send(api.resend_delivery(&named.delivery)).await?;
                printer.answer(&delivery, show::text)?;
                printer.note(
                    "\n  It is being sent. `webhooks deliveries show` has the attempt in a moment.",
                )?;
                Ok(Outcome::Complete)
            }
        }
    }
}
