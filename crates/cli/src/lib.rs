//! The `webhooks` command line: what support staff and operators do to a deployed stack.
//!
//! It works with the caller's own credentials, on the stack's outputs. Results go to
//! standard output as tables or JSON, progress, questions and errors to standard error.
//!
//! A module for each group of commands. Most ask the API, by `answer`, and print what it
//! says in the words of `words`; with `--json`, its JSON as it came. `dlq` and `requeue` look
//! behind the API, at queues and the table, and `doctor` at everything that is deployed. All find the stack in `place` and print through
//! `print`; errors say what to do next by `advice`.
//!
//! A command that is interrupted may be repeated: what it moves, queues or sends again is not
//! lost in between, and what is sent twice has the same id. Only `dlq drop` and
//! `subscriptions delete` lose, and are meant to.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![expect(
    clippy::disallowed_methods,
    reason = "a command line reads its environment, its clock, and waits"
)]

mod advice;
mod answer;
mod ask;
mod broken;
mod clock;
mod deliveries;
mod dlq;
mod doctor;
mod events;
mod input;
mod listen;
mod messages;
mod place;
mod pretty;
mod print;
mod queue;
mod recover;
mod recoveries;
mod requeue;
mod signature;
mod subscriptions;
mod tail;
mod verify;
mod when;
mod words;

use std::io::Write;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use webhooks_client::Stack;
use webhooks_terminal::Style;

use crate::advice::advise;
use crate::place::Place;
use crate::print::Printer;

const EXAMPLES: &str = "\
Examples:
  webhooks --stack webhooks subscriptions create cust_1001 --url https://example.com/webhooks --event-type 'order.*'
  webhooks --stack webhooks --profile prod --region eu-west-1 deliveries list cust_1001 --since 2h
  webhooks --stack-file target/local/stack.json tail cust_1001

WEBHOOKS_STACK names the stack, or its file, when no option does.

Exit codes: 0 all done, 1 something was not (the output says what), 2 wrong usage.";

/// Manages subscriptions, answers what became of a webhook, and sends it again.
#[derive(Debug, Parser)]
#[command(name = "webhooks", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    place: Place,
    /// Print JSON instead of tables: the API's own, where it is asked.
    #[arg(long, global = true, help_heading = "Output")]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Customers' endpoints: create, list, show, update, delete, enable, rotate, secret, test.
    #[command(subcommand)]
    Subscriptions(Box<subscriptions::Command>),
    /// Events: put them on the bus, or start the workflow with one.
    #[command(subcommand)]
    Events(events::Command),
    /// What was owed to whom, and what became of it: list, show, resend.
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// The stack's copies of events: list, show.
    #[command(subcommand)]
    Messages(messages::Command),
    /// What a subscription is owed still: held, failed, or pending after a failure.
    #[command(after_help = "\
Examples:
  webhooks undelivered cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4
  webhooks undelivered cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4 --status failed --since 7days")]
    Undelivered(deliveries::list::Undelivered),
    /// Send again what failed or was held.
    #[command(after_help = recover::RECOVER_HELP)]
    Recover(recover::Recover),
    /// Send messages that a subscription never had: it is new, or its filter has changed.
    #[command(after_help = recover::REPLAY_HELP)]
    Replay(recover::Replay),
    /// Recoveries and replays: list, show, stop.
    #[command(subcommand)]
    Recoveries(recoveries::Command),
    /// Show attempts as they are made.
    #[command(after_help = tail::HELP)]
    Tail(tail::Tail),
    /// Receive webhooks on this machine: verify, show, pass on, misbehave.
    #[command(after_help = listen::HELP)]
    Listen(listen::Listen),
    /// Say whether a request's signature is valid, and if not, why not.
    #[command(after_help = verify::HELP)]
    Verify(verify::Verify),
    /// The queues of what could not be processed: list, redrive, drop.
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// Queue again what is pending beyond its time, after a queue lost its messages.
    Requeue(requeue::Options),
    /// Check a deployed stack: does all of it work, and if not, why not?
    #[command(after_help = doctor::HELP)]
    Doctor(doctor::Options),
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
        if let Command::Completions { shell } = &self.command {
            // It panics where it cannot write.
            let mut completions = Vec::new();
            clap_complete::generate(*shell, &mut Self::command(), "webhooks", &mut completions);
            out.write_all(&completions)?;
            return Ok(Outcome::Complete);
        }
        let mut printer = Printer::new(out, style, self.json);
        match &self.command {
            Command::Listen(listen) => return listen.run(&mut printer).await,
            Command::Verify(verify) => return verify.run(&mut printer),
            // A stack that is not found is its first finding.
            Command::Doctor(doctor) => {
                return Box::pin(doctor.run(&self.place, &mut printer)).await;
            }
            _ => {}
        }
        self.run_on(&self.place.find().await?, &mut printer).await
    }

    /// Runs a command that needs a stack.
    async fn run_on(&self, stack: &Stack, printer: &mut Printer<'_>) -> Result<Outcome> {
        let api = || stack.api().map_err(advise);
        match &self.command {
            Command::Subscriptions(command) => command.run(&api()?, printer).await,
            Command::Events(command) => command.run(stack, printer).await,
            Command::Deliveries(command) => command.run(&api()?, printer).await,
            Command::Messages(command) => command.run(&api()?, printer).await,
            Command::Undelivered(list) => list.run(&api()?, printer).await,
            Command::Recover(recover) => recover.run(&api()?, printer).await,
            Command::Replay(replay) => replay.run(&api()?, printer).await,
            Command::Recoveries(command) => command.run(&api()?, printer).await,
            Command::Tail(tail) => tail.run(&api()?, printer).await,
            Command::Dlq(command) => command.run(stack, printer).await,
            Command::Requeue(options) => options.run(stack, printer).await,
            Command::Listen(_)
            | Command::Verify(_)
            | Command::Doctor(_)
            | Command::Completions { .. } => {
                unreachable!("these need no stack, or find it themselves")
            }
        }
    }
}

/// Wrong usage that clap cannot know of.
fn usage(kind: ErrorKind, text: &str) -> clap::Error {
    Cli::command().error(kind, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            if !command.has_subcommands() {
                let help = command.get_after_help().map(ToString::to_string);
                let help = help.unwrap_or_default();
                let example = path.trim().replacen("webhooks ", "", 1);
                assert!(help.contains(&example), "`{path}` has no example: {help}");
            }
            for command in command.get_subcommands() {
                check(command, &path);
            }
        }
        check(&Cli::command(), "");
    }

    #[test]
    fn every_command_takes_the_customer_first_and_without_an_option() {
        fn check(command: &clap::Command) {
            let is_customer = |argument: &clap::Arg| argument.get_id().as_str() == "customer";
            for argument in command
                .get_arguments()
                .filter(|argument| is_customer(argument))
            {
                assert_eq!(argument.get_index(), Some(1), "`{}`", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        let mut command = Cli::command();
        command.build();
        check(&command);
        for list in [
            "subscriptions list",
            "deliveries list",
            "messages list",
            "tail",
        ] {
            let words = ["webhooks"].into_iter().chain(list.split(' '));
            let parsed = Cli::try_parse_from(words.chain(["cust_1001"]));
            assert!(parsed.is_ok(), "`{list}`: {parsed:?}");
        }
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
