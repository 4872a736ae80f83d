//! `webhooks events`: puts events on the bus, or starts the workflow with one.

pub(crate) mod file;
mod put;
mod start;

use anyhow::Result;
use clap::Subcommand;
use webhooks_client::Stack;

use crate::Outcome;
use crate::print::Printer;

/// What to do with an event.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Put events on the bus, as a producer does.
    #[command(after_help = "\
Examples:
  webhooks events put events/order-created.json
  webhooks events put events/put-order-created.json
  echo '{\"source\": \"com.example.shop\", \"detail-type\": \"order.created\",
        \"detail\": {\"customerId\": \"cust_1001\"}}' | webhooks events put -

FILE has a whole event, an entry of PutEvents, or an array of either. Of these, source,
type and detail are used: the bus gives each event a new id and time, and it is the
stack's own bus, whatever an entry says.")]
    Put(put::Put),
    /// Start the workflow with a whole event, as EventBridge would, and wait for its end.
    #[command(after_help = "\
Examples:
  webhooks events start events/order-created.json
  webhooks events start events/order-created.json --no-wait

Starting twice with one event makes one message: its id follows from the event's id. The
exit code is 1 when the workflow fails. On AWS an Express workflow does not tell its end:
then its message is looked for.")]
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
