//! The measurements behind `cargo xtask bench`.
//!
//! - `cold-start`, `delivery` and `functions` run the released programs on this machine, each
//!   under a stub of the Lambda Runtime API and stubs of DynamoDB, SQS and KMS.
//! - `path`, `bill` and `isolation` put events into a stack on the emulator: the template, and
//!   the released functions.
//!
//! A part keeps what it measured as JSON in a folder of results.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![expect(
    clippy::disallowed_methods,
    reason = "runs beside the functions, not in one: it waits, and has no clock port"
)]

mod authority;
mod bill;
mod cold_start;
mod delivery;
mod fill;
mod function;
mod functions;
mod isolation;
mod limits;
mod load;
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

use anyhow::Result;
use clap::{Parser, Subcommand};

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
    /// The targets, the comparison with the baseline, and the docs.
    Report(summary::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
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
