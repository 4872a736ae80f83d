//! Runs before a local stack's emulator and refuses calls that AWS would refuse.
//!
//! It ends when its standard input is closed, and so with the process that started it.

use std::{
    io::{self, Read},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::Parser;
use url::Url;
use webhooks_proxy::{Gate, Planted, Proxy};

/// Refuses calls that AWS would refuse, before they reach an emulator.
#[derive(Parser)]
struct Arguments {
    /// The port that clients use as AWS's.
    #[arg(long)]
    port: u16,
    /// The emulator's own address.
    #[arg(long)]
    emulator: Url,
    /// The file that receives a line for each refusal.
    #[arg(long, value_name = "FILE")]
    refusals: PathBuf,
    /// Forwards operations that the gate does not know.
    #[arg(long)]
    pass_unknown_operations: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let mut gate = Gate::strict(&arguments.refusals)?;
    if arguments.pass_unknown_operations {
        gate = gate.open_to_unknown();
    }
    let interceptors = (gate, Planted::default());
    let _proxy = Proxy::start(arguments.port, &arguments.emulator, interceptors).await?;
    let end_of_input = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
    end_of_input.await?.context("reading the standard input")?;
    Ok(())
}
