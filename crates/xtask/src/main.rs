//! The developer's commands, run as `cargo xtask COMMAND`.
//!
//! - `demo` shows the system at work; `local` keeps a stack running.
//! - `test` and `check` are the commands of CI; `build` makes the artifacts for AWS, and
//!   `package` an archive of them.
//! - `chaos` is a longer form of one test; `fuzz` and `mutants` search longer for gaps in the
//!   tests.
//! - `bench` measures the system's cost in time and money.
//!
//! A local stack is the same template as on AWS, deployed by SAM CLI to `MiniStack`. Everything
//! that is installed or started stays below `target/`, and these commands end only processes
//! that they started.
//!
//! # Size
//!
//! These commands and the programs behind them (`proxy`, `bench`, `chaos`, `receiver`) are larger
//! than the functions, because everything is tried without AWS. The emulator accepts calls that
//! AWS refuses, so the gate of `proxy` checks each call as AWS does. Times on a shared machine do
//! not repeat, so `bench` counts instructions, calls and bytes with stubs of AWS. We know no tool
//! that does either.

#![expect(
    clippy::disallowed_methods,
    reason = "a command line reads its environment and waits for the processes it starts"
)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod architecture;
mod artifacts;
mod bench;
mod beside;
mod browser;
mod chaos;
mod check;
mod choice;
mod contract;
mod demo;
mod emulator;
mod failpoints;
mod files;
mod fuzz;
mod lambda_stub;
mod local;
mod mutants;
mod node;
mod package;
mod pages;
mod parameters;
mod pin;
mod prepare;
mod process;
mod programs;
mod progress;
mod refusals;
mod sam_build;
mod stack;
mod template;
mod test;
mod tools;
mod variant;
mod verify;
mod words;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::workspace::Workspace;

/// The developer's commands of the webhook provider.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Show the system at work: events in, signed webhooks out.
    Demo(demo::Options),
    /// Keep a stack running on this machine.
    #[command(subcommand)]
    Local(local::Command),
    /// Run the tests: unit, property, contract and end to end.
    Test(test::Options),
    /// Deliver events while calls fail and functions crash, and judge the history.
    Chaos(chaos::Options),
    /// Run all checks: format, lints, docs, dependencies, template, state machine.
    Check(check::Options),
    /// Run the fuzz targets longer than `test` does, guided by coverage. Needs a C++ compiler.
    Fuzz(fuzz::Options),
    /// Insert faults into the modules that decide, and check that tests fail.
    Mutants(mutants::Options),
    /// Measure starts, deliveries and the bill, and compare them with other programs and
    /// earlier figures.
    Bench(bench::Options),
    /// Write the screenshots of the docs again, in a real browser.
    Screenshots,
    /// Pin the Python tools and their dependencies, with hashes.
    Pin(pin::Options),
    /// Build all functions for AWS, and the template with `sam build`.
    Build(sam_build::Options),
    /// Create an archive with everything that a team without Rust needs.
    Package(package::Options),
    /// Deploy another stack to the emulator of a running one; for the end-to-end tests.
    #[command(hide = true)]
    DeployBeside(beside::Options),
    /// Write a variant of the built template, for Regions without Function URLs.
    WithoutFunctionUrls(variant::Options),
}

fn main() -> ExitCode {
    match run(&Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    let workspace = Workspace::find()?;
    match command {
        Command::Demo(options) => demo::run(&workspace, options),
        Command::Local(command) => local::run(&workspace, command),
        Command::Test(options) => test::run(&workspace, options),
        Command::Chaos(options) => chaos::run(&workspace, options),
        Command::Check(options) => check::run(&workspace, options),
        Command::Fuzz(options) => fuzz::run(&workspace, options),
        Command::Mutants(options) => mutants::run(&workspace, options),
        Command::Bench(options) => bench::run(&workspace, options),
        Command::Screenshots => browser::screenshots(&workspace),
        Command::Pin(options) => pin::run(&workspace, options),
        Command::Build(options) => sam_build::run(&workspace, *options),
        Command::Package(options) => package::run(&workspace, *options),
        Command::DeployBeside(options) => beside::run(&workspace, options),
        Command::WithoutFunctionUrls(options) => variant::run(&workspace, options),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Command::command().debug_assert();
    }

    #[test]
    fn parameters_can_be_repeated() {
        let line = [
            "xtask",
            "local",
            "up",
            "--port",
            "1",
            "--parameter",
            "A=1",
            "--parameter",
            "B=2,3",
        ];
        let Command::Local(local::Command::Up(options)) = Command::parse_from(line) else {
            panic!("`local up` is another command");
        };
        assert_eq!(
            format!("{options:?}"),
            "Up { port: Some(1), parameters: [Parameter { name: \"A\", value: \"1\" }, \
             Parameter { name: \"B\", value: \"2,3\" }] }"
        );
    }

    #[test]
    fn a_parameter_without_a_value_is_refused() {
        assert!(Command::try_parse_from(["xtask", "local", "up", "--parameter", "A"]).is_err());
    }
}
