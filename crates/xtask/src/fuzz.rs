//! `cargo xtask fuzz`: runs the fuzz targets for a longer time, guided by code coverage.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;

use crate::process;
use crate::progress::{heading, note, print_error, step};
use crate::tools::CargoTool;
use crate::workspace::Workspace;

const CARGO_BOLERO: CargoTool = CargoTool {
    name: "cargo-bolero",
    version: "0.13.5",
};
/// The package of the fuzz targets.
const PACKAGE: &str = "webhooks-fuzz";

/// Options of `fuzz`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Only this target; repeatable [default: all].
    #[arg(long, value_name = "TARGET")]
    only: Vec<String>,
    /// The duration for each target, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// The statistics that libFuzzer prints at the end of a run.
#[derive(Debug, Eq, PartialEq)]
struct Statistics {
    runs: String,
    runs_per_second: String,
}

/// Runs the chosen targets. A failure does not stop the others.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let tests = chosen(targets(workspace)?, &options.only)?;
    CARGO_BOLERO.install(workspace)?;
    note("the first target is built before it runs, which takes minutes and needs a C++ compiler");
    let mut failed = Vec::new();
    let mut table = Vec::new();
    for test in &tests {
        let name = target_name(test);
        let result = step(name, || bolero(workspace, test, options.seconds));
        table.push(row(name, &log(workspace, name), result.is_ok()));
        if let Err(error) = result {
            print_error(&error);
            failed.push(name);
        }
    }
    heading("fuzz targets");
    note(&row_of("target", "runs", "runs/s", "result"));
    for row in table {
        note(&row);
    }
    ensure!(
        failed.is_empty(),
        "{} failed; the input is in crates/fuzz and is now the first one of each run: \
         `cargo test --package {PACKAGE} {}`",
        failed.join(", "),
        failed[0]
    );
    Ok(())
}

/// Runs one target under libFuzzer. Its inputs so far are kept below `target`.
///
/// No sanitizer is used: sanitizers need a nightly compiler, and there is no unsafe code here.
fn bolero(workspace: &Workspace, test: &str, seconds: u32) -> Result<()> {
    let name = target_name(test);
    let mut command = workspace.command(CARGO_BOLERO.install(workspace)?);
    command
        .args(["bolero", "test", "--package", PACKAGE])
        .args(["--engine=libfuzzer", "--sanitizer=NONE"])
        .args([
            "--target-dir=target/fuzz",
            "--engine-args=-print_final_stats=1",
        ])
        .arg(format!("--corpus-dir=target/fuzz/corpus/{name}"))
        .args([&format!("-T={seconds}s"), test])
        // The end of the log must show the input that failed.
        .env("RUST_BACKTRACE", "0");
    process::run_logged(&mut command, &log(workspace, name))
}

fn log(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root().join(format!("target/fuzz/{name}.log"))
}

/// Returns the tests that are fuzz targets, such as `url::laws_hold`.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let mut command = workspace.cargo();
    command.args(["test", "--quiet", "--package", PACKAGE, "--", "--list"]);
    let tests = listed(&process::output(&mut command)?);
    ensure!(!tests.is_empty(), "the package `{PACKAGE}` has no targets");
    Ok(tests)
}

/// Reads the names in a test program's output for `--list`.
fn listed(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .map(str::to_owned)
        .collect()
}

/// Returns the target's name, which is the module of its test.
fn target_name(test: &str) -> &str {
    test.split("::").next().unwrap_or(test)
}

/// Returns the tests of the targets with these names; all of them if there is no name.
fn chosen(mut tests: Vec<String>, only: &[String]) -> Result<Vec<String>> {
    let names: Vec<&str> = tests.iter().map(|test| target_name(test)).collect();
    for name in only {
        ensure!(
            names.contains(&name.as_str()),
            "fuzz target `{name}`: must be one of {}",
            names.join(", ")
        );
    }
    tests.retain(|test| only.is_empty() || only.iter().any(|name| name == target_name(test)));
    Ok(tests)
}

fn row(name: &str, log: &Path, succeeded: bool) -> String {
    let text = fs::read(log).unwrap_or_default();
    let statistics = statistics(&String::from_utf8_lossy(&text));
    row_of(
        name,
        &statistics.runs,
        &statistics.runs_per_second,
        if succeeded { "ok" } else { "failed" },
    )
}

fn row_of(name: &str, runs: &str, runs_per_second: &str, result: &str) -> String {
    format!("{name:<16} {runs:>12} {runs_per_second:>8}  {result}")
}

/// Reads the last lines of a run. A missing value becomes a dash.
fn statistics(log: &str) -> Statistics {
    let value = |name: &str| {
        log.lines()
            .filter_map(|line| line.strip_prefix("stat::")?.strip_prefix(name))
            .next_back()
            .map_or("-", |rest| rest.trim_start_matches(':').trim())
            .to_owned()
    };
    Statistics {
        runs: value("number_of_executed_units"),
        runs_per_second: value("average_exec_per_sec"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_chosen_by_the_module_of_their_test() {
        let tests =
            listed("address::laws_hold: test\nurl::laws_hold: test\n\n2 tests, 0 benchmarks\n");
        assert_eq!(chosen(tests.clone(), &[]).unwrap(), tests);
        assert_eq!(
            chosen(tests.clone(), &["url".to_owned()]).unwrap(),
            ["url::laws_hold"]
        );
        let error = chosen(tests, &["uri".to_owned()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "fuzz target `uri`: must be one of address, url"
        );
    }

    #[test]
    fn the_table_shows_what_libfuzzer_counted() {
        let log =
            "#7 DONE\nstat::number_of_executed_units: 8151\nstat::average_exec_per_sec:     741\n";
        let expected = Statistics {
            runs: "8151".to_owned(),
            runs_per_second: "741".to_owned(),
        };
        assert_eq!(statistics(log), expected);
        assert_eq!(statistics("").runs, "-");
    }
}
