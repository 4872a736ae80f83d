//! `webhooks dlq`: the three queues of events and tasks that could not be processed.

mod drop;
mod list;
mod redrive;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use webhooks_client::Stack;

use crate::Outcome;
use crate::print::Printer;
use crate::queue::Queue;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the number of messages in each queue, the age of the oldest, and the errors.
    #[command(after_help = "Example:\n  webhooks --stack webhooks dlq list")]
    List,
    /// Move messages to their original destination. A message that cannot be moved stays.
    #[command(after_help = "\
Examples:
  webhooks dlq redrive all --dry-run
  webhooks dlq redrive events --max 1

A message is deleted only after it was moved, and a message that is moved twice is delivered
once. So you may stop the command at any time and run it again.")]
    Redrive(redrive::Options),
    /// Delete messages permanently.
    #[command(after_help = "\
Example:
  webhooks dlq drop rule --yes

If you drop a task from `deliveries`, its delivery stays pending in the table, and `webhooks
requeue` finds it. An event that you drop from `events` or `rule` remains only in the
archive.")]
    Drop(Drop),
}

/// Options of `dlq drop`.
#[derive(Args, Debug)]
pub(crate) struct Drop {
    /// The queue.
    #[arg(value_enum)]
    queues: Choice,
    /// Confirm the deletion.
    #[arg(long, required = true)]
    yes: bool,
}

/// One of the queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    /// Tasks that `deliver-webhook` returned to the queue too often.
    Deliveries,
    /// Events whose workflow failed.
    Events,
    /// Events for which the rule could not start the workflow.
    Rule,
}

/// One of the queues, or all of them.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Choice {
    /// Attempts that the delivery function could not make.
    Deliveries,
    /// Events that the workflow could not process.
    Events,
    /// Events for which the rule could not start the workflow.
    Rule,
    /// All three.
    All,
}

impl Command {
    /// Runs the command and prints its result.
    pub(crate) async fn run(&self, stack: &Stack, printer: &mut Printer<'_>) -> Result<Outcome> {
        match self {
            Self::List => list::run(stack, printer).await,
            Self::Redrive(options) => options.run(stack, printer).await,
            Self::Drop(options) => drop::run(stack, options.queues.kinds(), printer).await,
        }
    }
}

impl Choice {
    fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Deliveries => &[Kind::Deliveries],
            Self::Events => &[Kind::Events],
            Self::Rule => &[Kind::Rule],
            Self::All => &Kind::ALL,
        }
    }
}

impl Kind {
    const ALL: [Self; 3] = [Self::Deliveries, Self::Events, Self::Rule];

    /// Its name on the command line.
    fn name(self) -> &'static str {
        match self {
            Self::Deliveries => "deliveries",
            Self::Events => "events",
            Self::Rule => "rule",
        }
    }

    fn queue(self, stack: &Stack) -> Result<Queue> {
        let output = match self {
            Self::Deliveries => "DeliveryDeadLetterQueueUrl",
            Self::Events => "FailedEventsQueueUrl",
            Self::Rule => "RuleDeadLetterQueueUrl",
        };
        Queue::new(stack, output)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clap::error::ErrorKind;

    use crate::Cli;

    #[test]
    fn nothing_is_dropped_without_a_yes() {
        let line = ["webhooks", "dlq", "drop", "all"];
        let error = Cli::try_parse_from(line).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument);
        assert!(error.to_string().contains("--yes"), "{error}");
        assert!(Cli::try_parse_from(line.into_iter().chain(["--yes"])).is_ok());
    }
}
