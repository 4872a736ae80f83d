//! The run behind `cargo xtask chaos`.
//!
//! Each seed has a customer with misbehaving endpoints, and events. Some events are put twice.
//! Some are also put before the run, so that their expired items are still in the table. During
//! delivery, one subscription is deleted and created again, a proxy before the emulator makes
//! calls of the functions fail, and the delivery function crashes at its failpoints. Then the
//! failures stop, failed work is redriven, and the history of each customer is judged once the
//! stack has settled.
//!
//! A seed determines the plan: payloads, answers and the order of faults. It does not determine
//! the order of calls or the places of crashes, because each execution environment also mixes
//! its process id in. So a seed that fails once may pass the next time.

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
    /// The stack's description, as written by `cargo xtask chaos`.
    #[arg(long, value_name = "FILE")]
    stack: PathBuf,
    /// The port that the functions use as the emulator's.
    #[arg(long)]
    proxy_port: u16,
    /// The emulator's own address, without any gate.
    #[arg(long, value_name = "URL")]
    emulator: Url,
    /// The file that receives a line for each call that AWS would refuse.
    #[arg(long, value_name = "FILE")]
    refusals: PathBuf,
    /// The directory that the functions' failpoints share with this run.
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
    /// The number of seeds.
    #[arg(long)]
    seeds: u64,
    /// The number of events of each seed.
    #[arg(long)]
    events: usize,
    /// The number of subscriptions of each seed's customer.
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
