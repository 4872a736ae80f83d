//! The run behind `cargo xtask chaos`.
//!
//! For each seed a customer with endpoints that misbehave, and events, some of them put
//! twice, and some of them put before, so that expired items of them are still in the table.
//! While they are delivered, one subscription is deleted and created again, calls of the
//! functions go wrong in a proxy before the emulator, and the delivery function crashes at
//! its failpoints. Then everything heals, what failed is brought back, and when nothing
//! moves any more the history of each customer is judged.
//!
//! A seed decides what is planned: payloads, answers, the order of faults. It does not
//! decide which call comes first, nor where crashes fall: each copy of the function
//! draws them by its process id too. So a seed that fails once may pass again.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![expect(
    clippy::disallowed_methods,
    reason = "runs beside the system, not in a function: it waits"
)]

mod failpoints;
mod faults;
mod history;
mod proxy;
mod report;
mod run;
mod scenario;
mod settle;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use url::Url;

/// Delivers events while calls fail and functions crash, and judges the history.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The stack's description, as `cargo xtask chaos` writes it.
    #[arg(long, value_name = "FILE")]
    stack: PathBuf,
    /// The port that the functions take for the emulator's.
    #[arg(long)]
    proxy_port: u16,
    /// The emulator's own address, behind any gate.
    #[arg(long, value_name = "URL")]
    emulator: Url,
    /// The file that gets a line for each call that AWS would refuse.
    #[arg(long, value_name = "FILE")]
    refusals: PathBuf,
    /// The folder that the functions' failpoints share with this run.
    #[arg(long, value_name = "FOLDER")]
    failpoints: PathBuf,
    /// The delays of the stack's retry schedule, in seconds.
    #[arg(long, value_delimiter = ',')]
    schedule: Vec<u64>,
    /// The stack's request timeout, in seconds.
    #[arg(long)]
    request_timeout: u64,
    /// The first seed.
    #[arg(long)]
    seed: u64,
    /// How many seeds.
    #[arg(long)]
    seeds: u64,
    /// Events of each seed.
    #[arg(long)]
    events: usize,
    /// Subscriptions of each seed's customer.
    #[arg(long)]
    subscriptions: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = match run::run(&arguments).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let Arguments {
        events,
        subscriptions,
        ..
    } = arguments;
    let again = |seed| {
        format!("cargo xtask chaos --seed {seed} --events {events} --subscriptions {subscriptions}")
    };
    println!("{}", report.text(again));
    if report.broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
