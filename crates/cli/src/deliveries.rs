//! `webhooks deliveries`: a customer's deliveries and their results.

mod exchange;
pub(crate) mod list;
pub(crate) mod show;

use anyhow::Result;
use clap::{Args, Subcommand};
use webhooks_client::Api;

use crate::Outcome;
use crate::answer::{self, send};
use crate::print::Printer;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the deliveries of a customer or a subscription, newest first.
    #[command(after_help = "\
Examples:
  webhooks deliveries list cust_1001
  webhooks deliveries list cust_1001 --subscription sub_… --status failed --since 2h
  webhooks --json deliveries list cust_1001 --since 2026-11-24 --all | jq -r '.data[].id'")]
    List(list::List),
    /// Show a delivery: its attempts with the reasons of failures, the request and the endpoint's
    /// answer of one attempt, and the body.
    #[command(after_help = "\
Example:
  webhooks deliveries show dlv_9d621ecde980c9e89ef2b0fa0f4cc7e6_70e79b2df96dcca5a0a362236c8d86f4
  webhooks deliveries show cust_1001 dlv_9d621ecde980c9e89ef2b0fa0f4cc7e6_70e79b2df96dcca5a0a362236c8d86f4
  webhooks deliveries show dlv_9d621ecde980c9e89ef2b0fa0f4cc7e6_70e79b2df96dcca5a0a362236c8d86f4 --attempt 1")]
    Show(Show),
    /// Send a delivery again now, with the same webhook-id and body.
    #[command(after_help = "\
Example:
  webhooks deliveries resend dlv_9d621ecde980c9e89ef2b0fa0f4cc7e6_70e79b2df96dcca5a0a362236c8d86f4

`webhooks recover` sends many deliveries at once.")]
    Resend(Named),
}

/// One delivery.
#[derive(Args, Debug)]
#[command(allow_missing_positional = true)]
pub(crate) struct Named {
    /// The customer to whom the delivery must belong. Without it, any customer.
    #[arg(value_name = "CUSTOMER")]
    customer: Option<String>,
    /// The delivery's id, `dlv_…`.
    #[arg(value_name = "DELIVERY")]
    delivery: String,
}

/// Options of `deliveries show`.
#[derive(Args, Debug)]
#[command(allow_missing_positional = true)]
pub(crate) struct Show {
    #[command(flatten)]
    named: Named,
    /// The number of the attempt whose request and answer are shown [default: the last one].
    #[arg(long, value_name = "NUMBER")]
    attempt: Option<u32>,
}

impl Command {
    /// Runs the command and prints its result.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        match self {
            Self::List(list) => list.run(api, printer).await,
            Self::Show(Show { named, attempt }) => {
                let call = match &named.customer {
                    Some(customer) => api.delivery_of_customer(customer, &named.delivery),
                    None => api.delivery(&named.delivery),
                };
                let text = |shown: &_, style| show::with_body(shown, *attempt, style);
                answer::show(call, printer, text).await?;
                Ok(Outcome::Complete)
            }
            Self::Resend(named) => {
                let call = match &named.customer {
                    Some(customer) => api.resend_delivery_of_customer(customer, &named.delivery),
                    None => api.resend_delivery(&named.delivery),
                };
                printer.answer(&send(call).await?, show::text)?;
                printer.note(
                    "\n  It is being sent. `webhooks deliveries show` shows the attempt in a moment.",
                )?;
                Ok(Outcome::Complete)
            }
        }
    }
}
