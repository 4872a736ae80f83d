//! `cargo xtask chaos`: runs a stack with failing calls and crashing functions.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::parameters::Parameter;
use crate::programs::Variant;
use crate::progress::step;
use crate::stack::Stack;
use crate::workspace::Workspace;
use crate::{emulator, failpoints, prepare, process};

/// The folder of the run's stack.
const STACK: &str = "chaos";

/// Seconds before each attempt. They are short, so that many attempts fit into a run.
const RETRY_SCHEDULE: &str = "0,2,3,3,4";

/// The shortest permitted timeout: a crashed invocation's tasks become visible again after six
/// times this, plus five seconds.
const REQUEST_TIMEOUT_SECONDS: &str = "1";

/// Options of `chaos`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The number of seeds, each with its own customer.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The number of events of each seed.
    #[arg(long, default_value_t = 100)]
    events: usize,
    /// The number of subscriptions of each seed's customer.
    #[arg(long, default_value_t = 5)]
    subscriptions: usize,
}

impl Options {
    /// Returns the options for `cargo xtask test`.
    pub(crate) fn of_the_test() -> Self {
        Self {
            seed: 1,
            seeds: 10,
            events: 100,
            subscriptions: 5,
        }
    }
}

/// Starts a stack with failpoints behind a proxy, runs all seeds on it, and takes the stack
/// down.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let (tools, programs) = prepare::tools_and_programs(workspace, Variant::WithFailpoints)?;
    ensure!(
        failpoints::are_in(programs.path("deliver-webhook")?)?,
        "deliver-webhook was built with failpoints, and has none"
    );
    let proxy_port = emulator::free_port()?;
    let stack = Stack::new(workspace, STACK);
    let folder = stack.folder().join("failpoints");
    if folder.exists() {
        fs::remove_dir_all(&folder).context("removing the files of an earlier run")?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("making `{}`", folder.display()))?;
    let stack = stack
        .with_function_variable("AWS_ENDPOINT_URL", emulator::endpoint(proxy_port))
        .with_function_variable(failpoints::FOLDER_VARIABLE, &folder);
    // Removes the stack of an interrupted run.
    stack.down()?;
    let parameters = [
        Parameter::new("RequestTimeoutSeconds", REQUEST_TIMEOUT_SECONDS),
        Parameter::new("RetrySchedule", RETRY_SCHEDULE),
        // An open circuit breaker would delay deliveries to a dead endpoint too long for this
        // run. The domain's own tests check its effect on the protocol with random inputs.
        Parameter::new("CircuitFailurePercent", "0"),
        // An endpoint that does not answer blocks a whole batch for a second.
        Parameter::new("MaximumDeliveryConcurrency", "10"),
        Parameter::new("MaximumSlowDeliveryConcurrency", "5"),
    ];
    let port = emulator::free_port()?;
    stack.up(&tools, &programs, Some(port), &parameters)?;

    let Some(emulator) = stack.emulator() else {
        bail!(
            "the emulator ended by itself; its log is {}",
            stack.emulator_log().display()
        );
    };
    let mut command = workspace.command(programs.path("webhooks-chaos")?);
    command
        .arg("--stack")
        .arg(stack.description_file())
        .args(["--emulator", &emulator.own_endpoint()])
        .arg("--refusals")
        .arg(stack.refusals_file())
        .arg("--failpoints")
        .arg(&folder)
        .args(["--proxy-port", &proxy_port.to_string()])
        .args(["--schedule", RETRY_SCHEDULE])
        .args(["--request-timeout", REQUEST_TIMEOUT_SECONDS])
        .args(["--seed", &options.seed.to_string()])
        .args(["--seeds", &options.seeds.to_string()])
        .args(["--events", &options.events.to_string()])
        .args(["--subscriptions", &options.subscriptions.to_string()]);
    let judged = stack.judge(process::run(&mut command));
    step("take the stack down", || stack.down())?;
    judged
}
