//! `cargo xtask local`: a stack that keeps running.

use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use crate::parameters::Parameter;
use crate::programs::{Programs, Variant};
use crate::progress::{note, step};
use crate::stack::{self, Stack};
use crate::tools::{ToolSet, Tools};
use crate::workspace::Workspace;
use crate::{prepare, process};

/// The folder of this stack below `target`.
pub(crate) const STACK: &str = "local";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the stack, or deploy changes to the running one.
    Up(Up),
    /// Show if the stack runs, and its address.
    Status,
    /// Show the functions' logs.
    Logs(Logs),
    /// Take the stack down. Its data is lost; its logs stay in target/local.
    Down,
}

/// Options of `local up`.
#[derive(Args, Debug)]
pub(crate) struct Up {
    /// The emulator's port [default: 4566, or a free one].
    #[arg(long)]
    port: Option<u16>,
    /// A parameter of template.yaml; overrides samconfig.toml. Repeatable.
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<Parameter>,
}

/// Options of `local logs`.
#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// Keep showing new lines until interrupted.
    #[arg(long)]
    follow: bool,
    /// Show the emulator's own log instead.
    #[arg(long, conflicts_with = "follow")]
    emulator: bool,
}

/// Runs a subcommand.
pub(crate) fn run(workspace: &Workspace, command: &Command) -> Result<()> {
    let stack = Stack::new(workspace, STACK).for_people();
    match command {
        Command::Up(options) => up(workspace, &stack, options),
        Command::Status => status(&stack),
        Command::Logs(options) => logs(workspace, &stack, options),
        Command::Down => down(&stack),
    }
}

fn up(workspace: &Workspace, stack: &Stack, options: &Up) -> Result<()> {
    let (tools, programs) = prepare::tools_and_programs(workspace, Variant::Deployed)?;
    stack.up(&tools, &programs, options.port, &options.parameters)?;
    stack.keep()?;
    stack::print_description(&stack.description()?);
    note(&format!(
        "described in {}",
        stack.description_file().display()
    ));
    note(&format!(
        "use it: export WEBHOOKS_STACK={}",
        stack.description_file().display()
    ));
    note("take it down with `cargo xtask local down`");
    show_console(workspace, &programs, stack)
}

/// Prints a link to the console, unless the stack was started without one.
pub(crate) fn show_console(
    workspace: &Workspace,
    programs: &Programs,
    stack: &Stack,
) -> Result<()> {
    let outputs = stack.description()?.outputs;
    if !outputs.contains_key("ConsoleSessionsFunctionName") {
        return Ok(());
    }
    let mut command = workspace.command(programs.path("webhooks-console-link")?);
    command.arg("--stack").arg(stack.description_file());
    let link = process::output(&mut command)?;
    note("the console, once and within 5 minutes (`webhooks console` makes another link):");
    println!("{}", link.trim());
    Ok(())
}

fn status(stack: &Stack) -> Result<()> {
    let Some(emulator) = stack.emulator() else {
        bail!("no local stack runs; start one with `cargo xtask local up`");
    };
    if !emulator.is_ready() {
        bail!(
            "the emulator runs on port {} but does not answer; see {}, or run `cargo xtask local down`",
            emulator.port(),
            stack.emulator_log().display()
        );
    }
    stack::print_description(&stack.description()?);
    if let Some(refused) = stack.refusals()?.text() {
        note(&refused);
    }
    Ok(())
}

fn logs(workspace: &Workspace, stack: &Stack, options: &Logs) -> Result<()> {
    if options.emulator {
        let path = stack.emulator_log();
        let text = std::fs::read(&path).with_context(|| format!("reading `{}`", path.display()))?;
        return io::stdout().write_all(&text).context("printing the log");
    }
    let tools = Tools::install(workspace, ToolSet::Local)?;
    stack.show_function_logs(&tools, options.follow)
}

fn down(stack: &Stack) -> Result<()> {
    if !step("take the stack down", || stack.down())? {
        note("it was not running");
    }
    Ok(())
}
