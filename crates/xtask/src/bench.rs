//! `cargo xtask bench`: builds the measured programs, runs the parts of the benchmarks, and
//! reports.

mod check;
mod on_stack;
mod own_time;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::bench::on_stack::OnStack;
use crate::bench::own_time::OwnTime;
use crate::node::Node;
use crate::programs::{Programs, Variant};
use crate::progress::{heading, note, print_result, step};
use crate::tools::{ToolSet, Tools};
use crate::workspace::Workspace;
use crate::{files, process};

/// The program that runs the measurements.
const BENCH: &str = "webhooks-bench";

/// Options of `bench`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Judge the repeatable counts: fail if one is more than 2 % above the recorded one.
    #[arg(long, conflicts_with = "quick")]
    check: bool,
    /// Only this part; repeatable [default: all timed parts, or with `--check` all counted
    /// ones].
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Make few runs, to see that the parts work. Do not quote their figures.
    #[arg(long)]
    quick: bool,
    /// Write docs/benchmarks.md and the README's lines from the measurements; with `--check`,
    /// write the recorded counts and their section of docs/benchmarks.md.
    #[arg(long, conflicts_with = "quick")]
    record: bool,
    /// The file with the prices, for `bill` and `portal`.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "crates/costs/prices/us-east-1.json"
    )]
    prices: PathBuf,
}

/// A part of the benchmarks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// The time from exec to the first poll of the Runtime API, for each function.
    ColdStart,
    /// CPU, time and memory of a delivery, compared with a bare client and Node.js.
    Delivery,
    /// The CPU time of an event in the workflow's functions.
    Functions,
    /// The time and the price of the functions by their memory, under a CPU quota like that of
    /// Lambda. Needs root.
    Memory,
    /// CPU, bytes, read units and cost of the portal's pages. Fails if a page exceeds a bound.
    Portal,
    /// The time from the put of an event to the request, on the emulator.
    Path,
    /// The effect of hanging endpoints on the others, on the emulator.
    Isolation,
    /// The cost in dollars of a million deliveries, from the usage of a run on the emulator.
    Bill,
    /// The time of the first demo and of CI in new clones. Not by default: it takes half an hour.
    Patience,
    /// Instructions, system calls, allocations, calls and bytes, for `--check`.
    Counts,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::ColdStart => "cold-start",
            Self::Delivery => "delivery",
            Self::Functions => "functions",
            Self::Memory => "memory",
            Self::Portal => "portal",
            Self::Path => "path",
            Self::Isolation => "isolation",
            Self::Bill => "bill",
            Self::Patience => "patience",
            Self::Counts => "counts",
        }
    }

    /// Returns true if the part runs by default.
    fn is_default(self, options: &Options) -> bool {
        if options.check {
            self.is_judged()
        } else {
            !matches!(self, Self::Counts | Self::Patience)
        }
    }

    /// Returns true if its counts are repeatable.
    fn is_judged(self) -> bool {
        matches!(self, Self::Bill | Self::Counts)
    }

    /// Returns true if it compares functions with the programs of a [`Comparison`].
    fn has_peers(self) -> bool {
        matches!(
            self,
            Self::ColdStart | Self::Delivery | Self::Functions | Self::Memory
        )
    }

    /// Returns the stack for the part. `None` if it needs only stubs.
    fn stack(self, options: &Options) -> Result<Option<OnStack>> {
        match self {
            Self::ColdStart
            | Self::Delivery
            | Self::Functions
            | Self::Memory
            | Self::Portal
            | Self::Patience
            | Self::Counts => Ok(None),
            Self::Path => Ok(Some(OnStack::path())),
            Self::Isolation => Ok(Some(OnStack::isolation())),
            Self::Bill => OnStack::bill(&options.prices).map(Some),
        }
    }
}

/// The folder and the programs that every part needs.
struct Bench {
    folder: PathBuf,
    program: PathBuf,
    functions: Programs,
    peers: Programs,
}

/// Builds, measures the chosen parts, and reports on all parts measured so far.
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
    let mut own_time = OwnTime::start(workspace);
    let bench = Bench::prepare(workspace, functions_of(&parts))?;
    let parts = parts.into_iter();
    let parts = parts.map(|part| Ok((part, part.stack(options)?)));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let has_peers = parts.iter().any(|(part, _)| part.has_peers());
    let comparison = has_peers.then(|| Comparison::prepare(workspace, &bench.folder));
    let comparison = comparison.transpose()?;
    let on_stack = parts.iter().any(|(_, stack)| stack.is_some());
    let tools = on_stack.then(|| Tools::install_shown(workspace, ToolSet::Local));
    let tools = tools.transpose()?;
    own_time.built();
    let started = Instant::now();
    for (part, stack) in &parts {
        heading(&format!("benchmark: {}", part.name()));
        let part_started = Instant::now();
        let mut command = bench.command(workspace, options);
        command.arg(part.name());
        let measured = match (stack, &tools, &comparison) {
            (Some(stack), Some(tools), _) => {
                stack.run(workspace, tools, &bench.functions, &mut command)
            }
            (_, _, Some(comparison)) if part.has_peers() => comparison.run(&bench, &mut command),
            _ if *part == Part::Patience => bench.run_patience(workspace, &mut command),
            _ => bench.run_portal(&mut command, &options.prices),
        };
        print_result(part.name(), part_started.elapsed(), measured.is_ok());
        measured?;
    }
    if options.only.is_empty() && !options.quick {
        own_time.note(started.elapsed(), &mut bench.command(workspace, options))?;
    }
    bench.report(workspace, options)?;
    print_result("bench", started.elapsed(), true);
    Ok(())
}

/// Returns the functions that some parts measure.
fn functions_of(parts: &[Part]) -> Variant {
    let only_portal = |part: &Part| matches!(part, Part::Portal | Part::Patience);
    if parts.iter().all(only_portal) {
        Variant::ReleasedPortal
    } else {
        Variant::Released
    }
}

/// What only the parts that compare need.
struct Comparison {
    measured: Programs,
    node: PathBuf,
}

impl Bench {
    /// Builds the functions and the benchmark program. The build output is kept, so that only
    /// changes are built again.
    fn prepare(workspace: &Workspace, functions: Variant) -> Result<Self> {
        let folder = workspace.root().join("target/bench");
        for name in ["work", "results"] {
            let folder = folder.join(name);
            fs::create_dir_all(&folder)
                .with_context(|| format!("making `{}`", folder.display()))?;
        }
        heading("building the measured programs; the first optimised build takes many minutes");
        let functions = Programs::build(workspace, functions)?;
        let peers = Programs::build(workspace, Variant::Peers)?;
        Ok(Self {
            program: peers.path(BENCH)?.to_owned(),
            folder,
            functions,
            peers,
        })
    }

    /// Runs the part `portal`, which needs the functions only.
    fn run_portal(&self, command: &mut Command, prices: &Path) -> Result<()> {
        command.arg("--functions").arg(self.functions.folder());
        command.arg("--work").arg(self.folder.join("work"));
        process::run(command.arg("--prices").arg(prices))
    }

    /// Runs the part `patience`, which builds what it needs in its clones.
    fn run_patience(&self, workspace: &Workspace, command: &mut Command) -> Result<()> {
        command.arg("--repository").arg(workspace.root());
        command.arg("--clones").arg(self.folder.join("clones"));
        process::run(command)
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
                .arg(workspace.root().join("README.md"))
                .arg("--usage")
                .arg(workspace.root().join("crates/costs/usage.json"));
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

impl Comparison {
    fn prepare(workspace: &Workspace, folder: &Path) -> Result<Self> {
        Ok(Self {
            measured: Programs::build(workspace, Variant::Measured)?,
            node: node(workspace, &folder.join("node"))?,
        })
    }

    /// Runs a part that compares.
    fn run(&self, bench: &Bench, command: &mut Command) -> Result<()> {
        command.arg("--functions").arg(bench.functions.folder());
        command.arg("--measured").arg(self.measured.folder());
        command.arg("--peers").arg(bench.peers.folder());
        command.arg("--work").arg(bench.folder.join("work"));
        command.arg("--node").arg(&self.node);
        command
            .arg("--scripts")
            .arg(bench.folder.join("node/bundle"));
        process::run(command)
    }
}

/// Returns the file of the recorded counts.
fn baseline(workspace: &Workspace) -> PathBuf {
    workspace.root().join("crates/bench/baseline.json")
}

/// Returns the page that is written from the measurements.
fn docs(workspace: &Workspace) -> PathBuf {
    workspace.root().join("docs/benchmarks.md")
}

/// Installs Node.js, and bundles the scripts for comparison.
fn node(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let node = Node::install(workspace)?;
    let source = workspace.root().join("crates/bench/node");
    if is_newer(&source, &folder.join("bundle"))? {
        note("Node.js: the AWS SDK and esbuild from npm, into target/bench/node");
        step("bundle the peers for Node.js", || {
            files::copy_all(&source, folder)?;
            node.npm(folder, &["ci", "--no-audit", "--no-fund"])?;
            node.npm(folder, &["run", "bundle"])
        })?;
    }
    Ok(node.program().to_owned())
}

/// Returns true if a file in a folder is newer than the output made from it.
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
