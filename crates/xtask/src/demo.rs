//! `cargo xtask demo`: from nothing to a picture of what happened.

use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::artifacts::Programs;
use crate::progress::{note, print_result, step};
use crate::stack::Stack;
use crate::workspace::Workspace;
use crate::{local, prepare, process};

/// Options of `demo`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Leave the stack running, as `cargo xtask local up` does.
    #[arg(long)]
    keep: bool,
}

/// Brings a stack up, plays the scenario on it, and takes it down unless it is to
/// be kept or was there before.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let started = Instant::now();
    let (tools, programs) = prepare::tools_and_programs(workspace)?;
    let stack = Stack::new(workspace, local::STACK);
    let was_running = stack.emulator().is_some();
    stack.up(&tools, &programs, None, &[])?;
    let played = play(workspace, &programs, &stack);
    if options.keep || was_running {
        stack.keep()?;
        note("the stack still runs; take it down with `cargo xtask local down`");
    } else {
        step("take the stack down", || stack.down())?;
    }
    print_result("demo", started.elapsed(), played.is_ok());
    played
}

fn play(workspace: &Workspace, programs: &Programs, stack: &Stack) -> Result<()> {
    let mut command = workspace.command(programs.path("webhooks-demo")?);
    command.arg("--stack").arg(stack.description_file());
    process::run(&mut command)
}
