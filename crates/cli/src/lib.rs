//! The `webhooks` command line: what an operator does to a deployed stack.
//!
//! It works with the operator's own credentials, on the stack's outputs. Results go to
//! standard output as tables or JSON, progress and errors to standard error.
//!
//! A module for each group of commands: `dlq`, which works on a `queue`, and `requeue`.
//! All of them find the stack in `place` and print through `print`.
//!
//! Every command may be repeated: what it moves or queues is not lost by a crash in between,
//! and what is moved twice is delivered once. Only `dlq drop` loses, and is meant to.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![expect(
    clippy::disallowed_methods,
    reason = "a command line reads its environment, its clock, and waits"
)]

mod clock;
mod dlq;
mod place;
mod print;
mod queue;
mod requeue;

use std::io::Write;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use webhooks_terminal::Style;

use crate::place::Place;
use crate::print::Printer;

const EXAMPLES: &str = "\
Examples:
  webhooks --stack webhooks dlq list
  webhooks --stack webhooks --profile prod --region eu-west-1 dlq redrive all
  webhooks --stack-file target/local/stack.json requeue --older-than 15m --dry-run

Exit codes: 0 all done, 1 something was not (run it again), 2 wrong usage.";

/// Looks after a deployed stack of the webhook provider.
#[derive(Debug, Parser)]
#[command(name = "webhooks", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    place: Place,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The queues of what could not be processed: list, redrive, drop.
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// Queue again what is pending beyond its time, after a queue lost its messages.
    Requeue(requeue::Options),
    /// Print the completions of a shell.
    #[command(after_help = "Example:\n  webhooks completions bash > \
                            ~/.local/share/bash-completion/completions/webhooks")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was done.
    Complete,
    /// Something was not done, and the result says what. It may be tried again.
    Incomplete,
}

impl Cli {
    /// Runs the command and prints its result.
    ///
    /// # Errors
    /// A [`clap::Error`] for wrong usage that only shows now, such as no stack at all.
    pub async fn run(&self, out: &mut dyn Write, style: Style) -> Result<Outcome> {
        let find = || self.place.find();
        match &self.command {
            Command::Dlq(command) => {
                let mut printer = Printer::new(out, style, self.json);
                command.run(&find().await?, &mut printer).await
            }
            Command::Requeue(options) => {
                let mut printer = Printer::new(out, style, self.json);
                options.run(&find().await?, &mut printer).await
            }
            Command::Completions { shell } => {
                clap_complete::generate(*shell, &mut Self::command(), "webhooks", &mut { out });
                Ok(Outcome::Complete)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[tokio::test]
    async fn completions_need_no_stack() {
        let cli = Cli::parse_from(["webhooks", "completions", "bash"]);
        let mut out = Vec::new();
        let outcome = cli.run(&mut out, Style::Plain).await.unwrap();
        assert_eq!(outcome, Outcome::Complete);
        assert!(String::from_utf8(out).unwrap().contains("redrive"));
    }
}
