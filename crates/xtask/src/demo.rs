//! `cargo xtask demo`: shows the system at work and prints a summary.

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;

use crate::parameters::Parameter;
use crate::programs::{Programs, Variant};
use crate::progress::{note, print_result, step};
use crate::stack::Stack;
use crate::workspace::Workspace;
use crate::{local, prepare, process};

/// The folder of the demo's stack.
const STACK: &str = "demo";

/// Seconds before each attempt: a receiver that fails twice recovers while the user watches.
const RETRY_SCHEDULE: &str = "0,1,2,4,8";

/// Options of `demo`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Keep the stack running, as `cargo xtask local up` does.
    #[arg(long)]
    keep: bool,
}

/// Starts a stack, runs the scenario on it, and takes the stack down. With `--keep`, it uses
/// the stack of `cargo xtask local`.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let started = Instant::now();
    let stack = if options.keep {
        Stack::new(workspace, local::STACK).for_people()
    } else {
        Stack::new(workspace, STACK)
    };
    ensure!(
        stack.emulator().is_none(),
        "the stack in {} still runs: take it down with `cargo xtask local down`, or omit `--keep`",
        stack.folder().display()
    );
    let (tools, programs) = prepare::tools_and_programs(workspace, Variant::Deployed)?;
    let schedule = Parameter::new("RetrySchedule", RETRY_SCHEDULE);
    stack.up(&tools, &programs, None, &[schedule])?;
    let played = stack.judge(play(workspace, &programs, &stack));
    if options.keep {
        stack.keep()?;
        note("the stack still runs; take it down with `cargo xtask local down`");
        local::show_console(workspace, &programs, &stack)?;
    } else {
        step("take the stack down", || stack.down())?;
        if played.is_err() {
            note("`cargo xtask demo --keep` keeps the stack running");
        }
    }
    print_result("demo", started.elapsed(), played.is_ok());
    played
}

fn play(workspace: &Workspace, programs: &Programs, stack: &Stack) -> Result<()> {
    let mut command = workspace.command(programs.path("webhooks-demo")?);
    command.arg("--stack").arg(stack.description_file());
    process::run(&mut command)
}
