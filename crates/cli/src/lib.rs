//! The `webhooks` command line, for support staff and operators of a deployed stack.
//!
//! It uses the caller's own credentials and the stack's outputs. Results go to standard output
//! as tables or JSON. Progress, questions and errors go to standard error.
//!
//! Each group of commands has a module. Most commands call the API with `answer` and describe
//! the result with `words`; with `--json` they print the API's JSON unchanged. `dlq` and
//! `requeue` use the queues and the table directly, and `doctor` reads all deployed resources.
//! All commands find the stack with `place` and print with `print`; `advice` adds the next step
//! to errors.
//!
//! An interrupted command may be repeated: nothing that it moves, queues or resends is lost,
//! and a webhook that is sent twice has the same id. Only `dlq drop` and the commands named
//! `delete` delete data, on purpose.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![expect(
    clippy::disallowed_methods,
    reason = "a command line reads its environment, its clock, and waits"
)]

/// Compares a text with its snapshot. The brackets keep the line ends around it, which `insta` does
/// not compare.
#[cfg(test)]
macro_rules! assert_text {
    ($text:expr) => {
        insta::assert_snapshot!(format!("[{}]", $text))
    };
}

mod advice;
mod answer;
mod ask;
mod body;
mod broken;
mod clock;
mod console;
mod customers;
mod deliveries;
mod dlq;
mod doctor;
mod estimate;
mod event_types;
mod events;
mod input;
mod listen;
mod messages;
mod place;
mod portal;
mod pretty;
mod print;
mod queue;
mod recover;
mod recoveries;
mod requeue;
mod signature;
mod statistics;
mod subscriptions;
mod tail;
pub mod terminal;
mod transfer;
mod transforms;
mod unhealthy;
mod verify;
mod when;
mod words;

use std::io::Write;

use crate::terminal::Style;
use anyhow::Result;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use webhooks_client::Stack;

use crate::advice::advise;
pub use crate::advice::error_json;
use crate::body::Body;
use crate::place::Place;
use crate::print::Printer;

const EXAMPLES: &str = "\
Examples:
  webhooks --stack webhooks subscriptions create cust_1001 --url https://example.com/webhooks --event-type 'order.*'
  webhooks --stack webhooks --profile prod --region eu-west-1 deliveries list cust_1001 --since 2h
  webhooks --stack-file target/local/stack.json tail cust_1001

If no option names the stack, WEBHOOKS_STACK is used: its name or its file.

Exit codes: 0 all done, 1 something was not done (the output says what), 2 wrong usage.";

/// Manages subscriptions, shows the result of each webhook, and sends it again.
#[derive(Debug, Parser)]
#[command(name = "webhooks", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    place: Place,
    /// Print JSON instead of tables, on standard error too. Results of the API are printed unchanged.
    #[arg(long, global = true, help_heading = "Output")]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Customers: list, show, put, update, delete.
    #[command(subcommand)]
    Customers(customers::Command),
    /// Customers' endpoints: create, list, show, update, delete, enable, rotate, secret, test.
    #[command(subcommand)]
    Subscriptions(Box<subscriptions::Command>),
    /// The transforms of payloads: test.
    #[command(subcommand)]
    Transforms(transforms::Command),
    /// The event catalogue: list, show, delete, import, export.
    #[command(subcommand)]
    EventTypes(event_types::Command),
    /// Write customers and their subscriptions to a file.
    #[command(after_help = transfer::export::HELP)]
    Export(transfer::export::Export),
    /// Show the difference between a file and the stack's customers and subscriptions, and write it
    /// to the stack. Everything that is not in the file stays.
    #[command(after_help = transfer::import::HELP)]
    Import(transfer::import::Import),
    /// Events: put them on the bus, or start the workflow with one.
    #[command(subcommand)]
    Events(events::Command),
    /// Deliveries and their results: list, show, resend.
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// Messages, the stored copies of events: list, show, cancel.
    #[command(subcommand)]
    Messages(messages::Command),
    /// Show a subscription's undelivered webhooks: held, failed, or pending after a failure.
    #[command(after_help = "\
Examples:
  webhooks undelivered cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4
  webhooks undelivered cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4 --status failed --since 7days")]
    Undelivered(deliveries::list::Undelivered),
    /// List the subscriptions that fail, are slow, or were disabled by the system.
    #[command(after_help = unhealthy::HELP)]
    Unhealthy(unhealthy::Unhealthy),
    /// Show the numbers of attempts, their success and answer times over the last hour, day and 7
    /// days.
    #[command(after_help = statistics::HELP)]
    Statistics(statistics::Options),
    /// Create, list and revoke links with which a customer opens the portal in a browser.
    #[command(after_help = portal::HELP)]
    Portal(portal::Options),
    /// Create, list and revoke links with which support staff open the console in a browser.
    #[command(after_help = console::HELP)]
    Console(console::Options),
    /// Send failed and held deliveries again.
    #[command(after_help = recover::RECOVER_HELP)]
    Recover(recover::Recover),
    /// Send messages that a subscription never had, because it is new or its filter has
    /// changed.
    #[command(after_help = recover::REPLAY_HELP)]
    Replay(recover::Replay),
    /// Recoveries and replays: list, show, stop.
    #[command(subcommand)]
    Recoveries(recoveries::Command),
    /// Show attempts as they are made.
    #[command(after_help = tail::HELP)]
    Tail(tail::Tail),
    /// Receive webhooks on this machine: verify, show, forward, or fail on purpose.
    #[command(after_help = listen::HELP)]
    Listen(listen::Listen),
    /// Check a request's signature, and explain why it is invalid.
    #[command(after_help = verify::HELP)]
    Verify(verify::Verify),
    /// The queues of tasks and events that could not be processed: list, redrive, drop.
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// Queue overdue pending deliveries again, after a queue lost its messages.
    Requeue(requeue::Options),
    /// Check that a deployed stack works, and explain what does not.
    #[command(after_help = doctor::HELP)]
    Doctor(doctor::Options),
    /// Estimate what a workload takes: execution environments, the queue, quotas, and the bill.
    #[command(after_help = estimate::HELP)]
    Estimate(estimate::Options),
    /// Print the completions of a shell.
    #[command(after_help = "Example:\n  webhooks completions bash > \
                            ~/.local/share/bash-completion/completions/webhooks")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// The result of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All work was done.
    Complete,
    /// Some work was not done, and the output names it. The command may be repeated.
    Incomplete,
}

impl Cli {
    /// Returns true if results and errors are wanted as JSON.
    pub fn wants_json(&self) -> bool {
        self.json
    }

    /// Runs the command and prints its result.
    ///
    /// # Errors
    /// A [`clap::Error`] for wrong usage that is detected only here, such as a missing stack.
    pub async fn run(&self, out: &mut dyn Write, style: Style) -> Result<Outcome> {
        if let Command::Completions { shell } = &self.command {
            // The generator panics if it cannot write, so it writes to memory.
            let mut completions = Vec::new();
            clap_complete::generate(*shell, &mut Self::command(), "webhooks", &mut completions);
            out.write_all(&completions)?;
            return Ok(Outcome::Complete);
        }
        let mut printer = Printer::new(out, style, self.json);
        match &self.command {
            Command::Listen(listen) => return listen.run(&mut printer).await,
            Command::Verify(verify) => return verify.run(&mut printer),
            Command::Estimate(options) => return options.run(self.place.region(), &mut printer),
            // A missing stack is the first failed check of `doctor`.
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
            Command::Customers(command) => command.run(&api()?, printer).await,
            Command::Subscriptions(command) => command.run(&api()?, printer).await,
            Command::Transforms(command) => command.run(&api()?, printer).await,
            Command::EventTypes(command) => command.run(&api()?, printer).await,
            Command::Export(export) => export.run(&api()?, printer).await,
            Command::Import(import) => import.run(&api()?, printer).await,
            Command::Events(command) => command.run(stack, printer).await,
            Command::Deliveries(command) => command.run(&api()?, printer).await,
            Command::Messages(command) => command.run(&api()?, printer).await,
            Command::Undelivered(list) => list.run(&api()?, printer).await,
            Command::Unhealthy(list) => list.run(&api()?, printer).await,
            Command::Statistics(options) => options.run(&api()?, printer).await,
            Command::Portal(options) => options.run(stack, printer).await,
            Command::Console(options) => options.run(stack, printer).await,
            Command::Recover(recover) => recover.run(&api()?, printer).await,
            Command::Replay(replay) => replay.run(&api()?, printer).await,
            Command::Recoveries(command) => command.run(&api()?, printer).await,
            Command::Tail(tail) => tail.run(&api()?, printer).await,
            Command::Dlq(command) => command.run(stack, printer).await,
            Command::Requeue(options) => options.run(stack, printer).await,
            Command::Listen(_)
            | Command::Verify(_)
            | Command::Doctor(_)
            | Command::Estimate(_)
            | Command::Completions { .. } => {
                unreachable!("these need no stack, or find it themselves")
            }
        }
    }
}

/// Refuses a merge patch without a field. `example` is an option that would give one.
fn require_a_field(patch: &Body, example: &str) -> Result<(), clap::Error> {
    if patch.is_empty() {
        let text = format!("nothing to change: give at least one field, such as `{example}`");
        return Err(usage(ErrorKind::MissingRequiredArgument, &text));
    }
    Ok(())
}

/// Returns an error for wrong usage that clap cannot detect.
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

    /// A change of an option, a default or a text of the help is seen as a change of a file. The
    /// options of all commands are in the help of `webhooks` only.
    #[test]
    fn the_help_of_every_command_is_the_one_in_the_snapshot() {
        fn show(command: &clap::Command, all: &mut Vec<String>) {
            let name = command.get_bin_name().unwrap_or("webhooks");
            let help = command.clone().render_long_help();
            all.push(format!("$ {name} --help\n{help}\n"));
            for command in command.get_subcommands() {
                let command = command.clone().mut_args(|argument| {
                    let is_global = argument.is_global_set();
                    argument.hide(is_global)
                });
                if command.get_name() != "help" {
                    show(&command, all);
                }
            }
        }
        let mut command = Cli::command();
        command.build();
        let mut all = Vec::new();
        show(&command, &mut all);
        assert_text!(all.concat());
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
