//! Stands in front of a local stack's emulator and refuses what AWS would refuse.
//!
//! It ends when its standard input does: whoever started it holds the other end.

use std::{
    io::{self, Read},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::Parser;
use url::Url;
use webhooks_proxy::{Gate, Planted, Proxy};

/// Refuses what AWS would refuse, in front of an emulator.
#[derive(Parser)]
struct Arguments {
    /// The port that clients take for AWS.
    #[arg(long)]
    port: u16,
    /// The emulator's own address.
    #[arg(long)]
    emulator: Url,
    /// The file that gets a line for each refusal.
    #[arg(long, value_name = "FILE")]
    refusals: PathBuf,
    /// Lets operations pass that it does not know.
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
