//! The scenario behind `cargo xtask demo`.
//!
//! Three customers, three events from `events/`: one is delivered at once, one
//! goes to an endpoint that fails twice and then recovers, and one has no
//! subscription. Progress goes to standard error, the result to standard
//! output: tables, or JSON.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![expect(
    clippy::disallowed_methods,
    reason = "runs beside the system, not in a function: it waits"
)]

mod paint;
mod report;
mod scenario;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use webhooks_client::Stack;

use crate::report::Report;

/// Puts three events into a stack and shows what came out.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The stack's description, as `cargo xtask local up` writes it.
    #[arg(long, value_name = "FILE")]
    stack: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the scenario and prints its result. Returns whether everything went as expected.
async fn run(arguments: &Arguments) -> Result<bool> {
    let stack = Stack::load(&arguments.stack).await?;
    let outcome = scenario::play(&stack).await?;
    let report = Report::new(&outcome)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        anstream::print!("\n{}", report.text()?);
    }
    Ok(report.is_as_expected())
}
