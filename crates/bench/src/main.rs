//! The measurements behind `cargo xtask bench`.
//!
//! - `cold-start`, `delivery` and `functions` time the released programs on this machine, each
//!   under a stub of the Lambda Runtime API and stubs of DynamoDB, SQS and KMS.
//! - `counts` counts what programs do under the same stubs, which keep in step with them.
//! - `path`, `bill` and `isolation` put events into a stack on the emulator: the template, and
//!   the released functions.
//!
//! A part keeps what it measured as JSON in a folder of results. `report` makes the docs of the
//! parts, and `check` judges what they have counted.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![expect(
    clippy::disallowed_methods,
    reason = "runs beside the functions, not in one: it waits, and has no clock port"
)]

mod authority;
mod baseline;
mod bill;
mod check;
mod cold_start;
mod counts;
mod delivery;
mod fill;
mod function;
mod functions;
mod isolation;
mod limits;
mod load;
mod lockstep;
mod machine;
mod names;
mod path;
mod process;
mod readme;
mod receiver;
mod report;
mod runtime_api;
mod setup;
mod stack;
mod stats;
mod stub_aws;
mod summary;
mod workload;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use crate::{report::Part, setup::Programs, stack::Deployed};

/// Measures one part, or reports on all of them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The folder of results.
    #[arg(long, value_name = "FOLDER")]
    results: PathBuf,
    /// Few runs, to try a part out.
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// From exec to the first poll.
    ColdStart(Programs),
    /// CPU, time and memory of a delivery.
    Delivery(Programs),
    /// CPU of the functions of the workflow.
    Functions(Programs),
    /// From the put of an event to the request.
    Path(Deployed),
    /// What a million deliveries cost.
    Bill {
        #[command(flatten)]
        deployed: Deployed,
        #[command(flatten)]
        options: bill::Options,
    },
    /// What endpoints that hang cost the others.
    Isolation {
        #[command(flatten)]
        deployed: Deployed,
        #[command(flatten)]
        options: isolation::Options,
    },
    /// What a start, a delivery and an event take, counted.
    Counts(counts::Options),
    /// The targets, and the docs.
    Report(summary::Options),
    /// The counts beside the recorded ones.
    Check(check::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut runtime = match arguments.command {
        // On one thread the servers have read all that there is before they look again whether
        // the program sleeps.
        Command::Counts(_) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build().context("no runtime");
    match runtime.and_then(|runtime| runtime.block_on(run(&arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    let quick = arguments.quick;
    let part = match &arguments.command {
        Command::ColdStart(programs) => cold_start::run(programs, quick).await?,
        Command::Delivery(programs) => delivery::run(programs, quick).await?,
        Command::Functions(programs) => functions::run(programs, quick).await?,
        Command::Path(deployed) => path::run(deployed, quick).await?,
        Command::Bill { deployed, options } => bill::run(deployed, options, quick).await?,
        Command::Isolation { deployed, options } => {
            isolation::run(deployed, options, quick).await?
        }
        Command::Counts(options) => counts::run(options, quick).await?,
        Command::Check(options) => return check::run(&arguments.results, options),
        Command::Report(options) => return summary::run(&arguments.results, options),
    };
    show(&part);
    part.save(&arguments.results)
}

fn show(part: &Part) {
    println!("\n{} ({}, {})", part.title, part.date, part.machine);
    for table in &part.tables {
        println!("\n{}", table.plain());
    }
}
