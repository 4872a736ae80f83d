//! The measurements behind `cargo xtask bench`.
//!
//! - `cold-start`, `delivery`, `functions` and `portal` time the released programs on this
//!   machine, under stubs of the Lambda Runtime API, DynamoDB, SQS and KMS.
//! - `counts` counts the work of programs under the same stubs, which run in lockstep with
//!   them.
//! - `path`, `bill` and `isolation` put events into a stack on the emulator: the template, with
//!   the released functions.
//! - `patience` times the commands of a new clone, and `own-time` is the time of a run of all
//!   timed parts.
//!
//! Each part stores its results as JSON in a folder. `report` generates the documentation from
//! them, and `check` judges the counts.

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
mod exchanges;
mod fill;
mod floor;
mod function;
mod functions;
mod isolation;
mod limits;
mod load;
mod lockstep;
mod machine;
mod memory;
mod names;
mod own_time;
mod path;
mod patience;
mod portal;
mod process;
mod read_units;
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

/// Measures one part, or reports on all parts.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The folder of results.
    #[arg(long, value_name = "FOLDER")]
    results: PathBuf,
    /// Make few runs, to try a part.
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the time from exec to the first poll.
    ColdStart(Programs),
    /// Measure CPU, time and memory of a delivery.
    Delivery(Programs),
    /// Measure the CPU time of the workflow's functions.
    Functions(Programs),
    /// Measure the time and the price of the functions by their memory.
    Memory(Programs),
    /// Measure CPU, bytes, read units and cost of the portal's pages.
    Portal(portal::Options),
    /// Measure the time from the put of an event to the request.
    Path(Deployed),
    /// Compute the cost of a million deliveries.
    Bill {
        #[command(flatten)]
        deployed: Deployed,
        #[command(flatten)]
        options: bill::Options,
    },
    /// Measure the effect of hanging endpoints on the others.
    Isolation {
        #[command(flatten)]
        deployed: Deployed,
        #[command(flatten)]
        options: isolation::Options,
    },
    /// Measure the time of the commands of a new clone.
    Patience(patience::Options),
    /// Note the time of a run of all timed parts.
    OwnTime(own_time::Options),
    /// Count the work of a start, a delivery and an event.
    Counts(counts::Options),
    /// Show the targets, or write the documentation.
    Report(summary::Options),
    /// Compare the counts with the recorded ones.
    Check(check::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut runtime = match arguments.command {
        // With one thread, the servers have read everything before they check again that the
        // program sleeps.
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
        Command::Memory(programs) => memory::run(programs, quick).await?,
        Command::Portal(options) => {
            let (part, judged) = Box::pin(portal::run(options, quick)).await?;
            show(&part);
            part.save(&arguments.results)?;
            return judged;
        }
        Command::Path(deployed) => path::run(deployed, quick).await?,
        Command::Bill { deployed, options } => bill::run(deployed, options, quick).await?,
        Command::Isolation { deployed, options } => {
            isolation::run(deployed, options, quick).await?
        }
        Command::Patience(options) => patience::run(options, quick)?,
        Command::OwnTime(options) => own_time::run(&arguments.results, options)?,
        Command::Counts(options) => Box::pin(counts::run(options, quick)).await?,
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
