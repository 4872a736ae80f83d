//! `cargo xtask bench --check`: makes the repeatable counts, and compares them with the
//! recorded ones.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::{Options, Part, baseline, docs};
use crate::process;
use crate::programs::{COUNTED_PROFILE, Programs, Variant};
use crate::progress::{heading, print_result};
use crate::tools::{ToolSet, Tools};
use crate::workspace::Workspace;

/// The subfolders of a run.
const FOLDERS: [&str; 2] = ["work", "results"];

/// Builds the counted programs, counts part by part, and judges or records the counts.
pub(super) fn run(workspace: &Workspace, options: &Options, parts: &[Part]) -> Result<()> {
    for part in parts {
        ensure!(
            part.is_judged(),
            "no count of `{}` is repeatable enough for `--check`",
            part.name()
        );
    }
    ensure!(
        !options.record || options.only.is_empty(),
        "all counts are recorded together: `--record` without `--only`"
    );
    let started = Instant::now();
    let folder = workspace.root().join("target/bench/check");
    for name in FOLDERS {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("making `{}`", folder.display()))?;
    }
    heading("building the counted programs; the first optimised build takes many minutes");
    let functions = Programs::build(workspace, Variant::Counted)?;
    let counter = Programs::build(workspace, Variant::Counter)?;
    let command = || -> Result<Command> {
        let mut command = workspace.command(counter.path(super::BENCH)?);
        command.arg("--results").arg(folder.join("results"));
        Ok(command)
    };
    for part in parts {
        heading(&format!("count: {}", part.name()));
        let part_started = Instant::now();
        let mut measurement = command()?;
        measurement.arg(part.name());
        let measured = match part.stack(options)? {
            Some(stack) => {
                let tools = Tools::install_shown(workspace, ToolSet::Local)?;
                stack.run(workspace, &tools, &functions, &mut measurement)
            }
            None => on_stubs(workspace, &functions, &folder, &mut measurement),
        };
        print_result(part.name(), part_started.elapsed(), measured.is_ok());
        measured?;
    }
    let mut judgement = command()?;
    judgement.arg("check");
    for part in parts {
        judgement.args(["--part", part.name()]);
    }
    judgement
        .args(["--rustc", &rustc(workspace)?])
        .args(["--profile", COUNTED_PROFILE])
        .arg("--baseline")
        .arg(baseline(workspace));
    if options.record {
        judgement.arg("--record").arg("--docs").arg(docs(workspace));
    }
    let judged = process::run(&mut judgement);
    print_result("bench --check", started.elapsed(), judged.is_ok());
    judged
}

/// Counts programs with stubs. Two builds of the delivery function, and that of the programs for
/// comparison, are only for this purpose.
fn on_stubs(
    workspace: &Workspace,
    functions: &Programs,
    folder: &Path,
    command: &mut Command,
) -> Result<()> {
    command.arg("--functions").arg(functions.folder());
    for (name, variant) in [
        ("measured", Variant::CountedDelivery),
        ("system-allocator", Variant::CountedAllocations),
        ("peers", Variant::CountedPeers),
    ] {
        let programs = Programs::build(workspace, variant)?;
        command.arg(format!("--{name}")).arg(programs.folder());
    }
    process::run(command.arg("--work").arg(folder.join("work")))
}

/// Returns the compiler's version and target.
fn rustc(workspace: &Workspace) -> Result<String> {
    let mut command = workspace.command("rustc");
    command.args(["--version", "--verbose"]);
    describe(&process::output(&mut command)?).context("rustc does not report its version")
}

fn describe(verbose: &str) -> Option<String> {
    let version = verbose.lines().next()?;
    let host = verbose
        .lines()
        .find_map(|line| line.strip_prefix("host: "))?;
    Some(format!("{version}, {host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_is_named_with_its_target() {
        let verbose = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\n\
            host: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
        assert_eq!(
            describe(verbose).unwrap(),
            "rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu"
        );
        assert_eq!(describe("error"), None);
    }
}
