//! Repeats end-to-end tests that fail among others but pass alone.
//!
//! The emulator is one process, and up to twelve tests share it on two cores. So a test may exceed
//! its time limit although the product is correct. Such a test runs once more, alone. If it
//! then passes, the run passes and ends with the test's name: somebody should look at it, but
//! it stops nobody. The output of the first failure stays above.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process::describe;
use crate::progress::{heading, note};

/// The largest number of tests that are repeated. More failures are no coincidence.
const MAX_REPEATED: usize = 3;

/// Runs a test program, and repeats the few tests that failed, each alone.
///
/// `alone` returns the command that runs one test by its exact name.
pub(super) fn run(command: &mut Command, alone: impl Fn(&str) -> Command) -> Result<()> {
    run_to(&mut io::stdout(), command, alone)
}

fn run_to(
    shown: &mut impl Write,
    command: &mut Command,
    alone: impl Fn(&str) -> Command,
) -> Result<()> {
    let name = describe(command);
    let failed = match run_shown(shown, command)? {
        Run::Passed => return Ok(()),
        Run::Failed(failed) => failed,
    };
    if failed.is_empty() || failed.len() > MAX_REPEATED {
        bail!("`{name}` failed: {} tests", failed.len());
    }
    for test in &failed {
        heading(&format!("{test} once more, alone"));
        if let Run::Failed(_) = run_shown(shown, &mut alone(test))? {
            bail!("`{name}` failed: {test}, alone too");
        }
    }
    for test in failed {
        note(&format!(
            "flaky: {test} failed among others and passed alone"
        ));
    }
    Ok(())
}

enum Run {
    Passed,
    /// The tests that failed, from the program's list.
    Failed(Vec<String>),
}

/// Runs a test program and shows its output immediately.
fn run_shown(shown: &mut impl Write, command: &mut Command) -> Result<Run> {
    let name = describe(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting `{name}`"))?;
    let output = child.stdout.take().context("the output is not piped")?;
    let mut lines = Vec::new();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.with_context(|| format!("reading the output of `{name}`"))?;
        shown.write_all(&line)?;
        shown.write_all(b"\n")?;
        lines.push(String::from_utf8_lossy(&line).into_owned());
    }
    let status = child
        .wait()
        .with_context(|| format!("waiting for `{name}`"))?;
    Ok(if status.success() {
        Run::Passed
    } else {
        Run::Failed(failures(&lines))
    })
}

/// Reads the names in the last list of failures of a test program.
fn failures(lines: &[String]) -> Vec<String> {
    let Some(start) = lines.iter().rposition(|line| line == "failures:") else {
        return Vec::new();
    };
    lines[start + 1..]
        .iter()
        .map_while(|line| line.strip_prefix("    "))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// The format of the test harness: first the output of each test, then the names.
    const TWO_FAILED: &str = "printf 'failures:\\n\\n---- a::b stdout ----\\n    failures:\\n\\n\
        failures:\\n    a::b\\n    c::d\\n\\ntest result: FAILED.\\n'; exit 101";

    #[test]
    fn the_names_of_failed_tests_are_those_of_the_last_list() {
        let Run::Failed(failed) = run_shown(&mut io::sink(), &mut shell(TWO_FAILED)).unwrap()
        else {
            panic!("it fails");
        };
        assert_eq!(failed, ["a::b", "c::d"]);
    }

    #[test]
    fn a_test_that_passes_alone_does_not_fail_the_run() {
        run_to(&mut io::sink(), &mut shell(TWO_FAILED), |_| shell("exit 0")).unwrap();
    }

    #[test]
    fn a_test_that_fails_alone_too_fails_the_run() {
        let error = run_to(&mut io::sink(), &mut shell(TWO_FAILED), |test| {
            shell(if test == "c::d" { "exit 101" } else { "exit 0" })
        });
        let error = error.unwrap_err().to_string();
        assert!(error.contains("c::d, alone too"), "{error}");
    }

    #[test]
    fn a_failure_without_names_or_with_many_fails_the_run() {
        let many = "printf 'failures:\\n    a\\n    b\\n    c\\n    d\\n'; exit 101";
        for script in ["exit 101", many] {
            run_to(&mut io::sink(), &mut shell(script), |_| shell("exit 0")).unwrap_err();
        }
    }
}
