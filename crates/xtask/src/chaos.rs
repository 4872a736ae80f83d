//! `cargo xtask chaos`: a stack whose calls fail and whose functions crash.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::artifacts::Variant;
use crate::parameters::Parameter;
use crate::progress::step;
use crate::stack::Stack;
use crate::workspace::Workspace;
use crate::{emulator, failpoints, prepare, process};

/// The folder of a stack that goes with the run.
const STACK: &str = "chaos";

/// Seconds before each attempt: short, so that many attempts fit into a run.
const RETRY_SCHEDULE: &str = "0,2,3,3,4";

/// The shortest there is: a crashed run's tasks are back after six times this and
/// five seconds.
const REQUEST_TIMEOUT_SECONDS: &str = "1";

/// Options of `chaos`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, each with a customer of its own.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Events of each seed.
    #[arg(long, default_value_t = 100)]
    events: usize,
    /// Subscriptions of each seed's customer.
    #[arg(long, default_value_t = 5)]
    subscriptions: usize,
}

impl Options {
    /// What `cargo xtask test` runs.
    pub(crate) fn of_the_test() -> Self {
        Self {
            seed: 1,
            seeds: 10,
            events: 100,
            subscriptions: 5,
        }
    }
}

/// Brings up a stack with failpoints behind a proxy, plays all seeds on it, and takes
/// it down.
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
        fs::remove_dir_all(&folder).context("removing what an earlier run left")?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("making `{}`", folder.display()))?;
    let stack = stack
        .with_function_variable("AWS_ENDPOINT_URL", emulator::endpoint(proxy_port))
        .with_function_variable(failpoints::FOLDER_VARIABLE, &folder);
    // What an interrupted run may have left.
    stack.down()?;
    let parameters = [
        Parameter::new("RequestTimeoutSeconds", REQUEST_TIMEOUT_SECONDS),
        Parameter::new("RetrySchedule", RETRY_SCHEDULE),
        // A dead endpoint's deliveries would wait longer than anybody watches. What an open
        // circuit does to the protocol is drawn at random in the domain's own tests.
        Parameter::new("CircuitFailurePercent", "0"),
        // Endpoints that do not answer hold a whole batch for a second.
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
