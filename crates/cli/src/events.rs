//! `webhooks events`: puts events on the bus, or starts the workflow with one.

pub(crate) mod file;
mod put;
mod start;

use anyhow::Result;
use clap::Subcommand;
use webhooks_client::Stack;

use crate::Outcome;
use crate::print::Printer;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Put events on the bus, as a producer does.
    #[command(after_help = "\
Examples:
  webhooks events put events/order-created.json
  webhooks events put events/put-order-created.json
  echo '{\"source\": \"com.example.shop\", \"detail-type\": \"order.created\",
        \"detail\": {\"customerId\": \"cust_1001\"}}' | webhooks events put -

FILE contains a whole event, an entry of PutEvents, or an array of either. Only source, type
and detail are used. The bus gives each event a new id and time. Events always go to the
stack's own bus, even if an entry names another one.")]
    Put(put::Put),
    /// Start the workflow with a whole event, as EventBridge would, and wait until it ends.
    #[command(after_help = "\
Examples:
  webhooks events start events/order-created.json
  webhooks events start events/order-created.json --no-wait

Starting twice with one event creates one message, because its id follows from the event's
id. The exit code is 1 if the workflow fails. On AWS, an Express workflow does not report its
end, so the command looks for the message instead.")]
    Start(start::Start),
}

impl Command {
    /// Runs the command and prints its result.
    pub(crate) async fn run(&self, stack: &Stack, printer: &mut Printer<'_>) -> Result<Outcome> {
        match self {
            Self::Put(put) => put.run(stack, printer).await,
            Self::Start(start) => start.run(stack, printer).await,
        }
    }
}
