//! The part `patience`: how long a person waits for the commands of a new clone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::{
    report::{Part, Table, Unit},
    stats::{Measured, minutes},
};

/// A command of a new clone: its name here, the command, and the minutes that it may take.
const COMMANDS: [(&str, &[&str], f64); 2] = [
    ("first demo", &["cargo", "xtask", "demo"], 4.0),
    ("CI", &[".ci/run"], 25.0),
];

/// Steps that take less are not shown.
const SHOWN: Duration = Duration::from_secs(15);

/// Options of this part.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// The repository to clone.
    #[arg(long, value_name = "FOLDER")]
    repository: PathBuf,
    /// A folder for the clones.
    #[arg(long, value_name = "FOLDER")]
    clones: PathBuf,
}

/// A step of a command, as `xtask` writes it.
#[derive(Deserialize)]
struct Step {
    name: String,
    seconds: f64,
}

/// Runs each command in a clone of its own.
pub(crate) fn run(options: &Options, quick: bool) -> Result<Part> {
    let mut part = Part::new("patience", "Patience", quick)?;
    part.how(
        "Each command runs in a new clone in an empty folder, with nothing else on the machine: \
         without compiled code and without tools. Crates and packages that were downloaded before \
         are in the caches of cargo and pip. CI runs `cargo xtask check` and `cargo xtask test`.",
    );
    let mut waits = Table::new("Waiting", &["command", "time", "processors busy"]);
    let mut steps = Vec::new();
    for (name, command, at_most) in COMMANDS {
        // A quick run tries the part, and so does not wait for CI.
        if quick && name == "CI" {
            continue;
        }
        // The command runs in the clone, and writes its steps by this path.
        let clone = std::path::absolute(&options.clones)?.join(name.replace(' ', "-"));
        let wait = time(command, &options.repository, &clone)?;
        let time = minutes(wait.elapsed.as_secs_f64());
        waits.row([name.to_owned(), Unit::Minutes.text(time), wait.busy_text()]);
        part.target(name, Measured::of(&[time]), Unit::Minutes, at_most);
        steps.push(steps_table(name, &wait.steps));
    }
    part.tables.push(waits);
    part.tables.extend(steps);
    Ok(part)
}

/// The time of a command, and its steps.
struct Wait {
    elapsed: Duration,
    /// The share of the processors' time that was used. `None` if this system does not say.
    busy: Option<f64>,
    steps: Vec<Step>,
}

impl Wait {
    fn busy_text(&self) -> String {
        self.busy
            .map_or_else(|| "-".to_owned(), |busy| format!("{:.0} %", busy * 100.0))
    }
}

/// Times a command in a new clone, and removes the clone after a success.
fn time(command: &[&str], repository: &Path, clone: &Path) -> Result<Wait> {
    if clone.exists() {
        fs::remove_dir_all(clone).with_context(|| format!("removing `{}`", clone.display()))?;
    }
    let mut git = Command::new("git");
    git.args(["clone", "--quiet"]).arg(repository).arg(clone);
    ensure!(git.status().context("starting git")?.success(), "no clone");
    let steps = clone.join("target/steps.jsonl");
    fs::create_dir_all(clone.join("target")).context("making the folder of the steps")?;
    let mut run = Command::new(command[0]);
    run.args(&command[1..])
        .current_dir(clone)
        .env("WEBHOOKS_STEPS", &steps);
    for (name, _) in std::env::vars_os() {
        // This program was started by cargo, and the command must not know it.
        if name.to_string_lossy().starts_with("CARGO_") && name != "CARGO_HOME" {
            run.env_remove(name);
        }
    }
    let (started, before) = (Instant::now(), Processors::read());
    let status = run.status();
    let (elapsed, after) = (started.elapsed(), Processors::read());
    let status = status.with_context(|| format!("starting `{}`", command.join(" ")))?;
    ensure!(
        status.success(),
        "`{}` failed in `{}` ({status})",
        command.join(" "),
        clone.display()
    );
    let steps = fs::read_to_string(&steps).context("reading the steps")?;
    let steps: Result<Vec<Step>, _> = steps.lines().map(serde_json::from_str).collect();
    let wait = Wait {
        elapsed,
        busy: before
            .zip(after)
            .map(|(before, after)| after.busy_since(before)),
        steps: steps.context("reading a step")?,
    };
    fs::remove_dir_all(clone).with_context(|| format!("removing `{}`", clone.display()))?;
    Ok(wait)
}

/// The time of all processors since the machine was started, in ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Processors {
    idle: f64,
    all: f64,
}

impl Processors {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// Reads the first line of `/proc/stat`: user, nice, system, idle, iowait, …
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks = line.split_whitespace().map(str::parse::<f64>);
        let ticks = ticks.collect::<Result<Vec<_>, _>>().ok()?;
        Some(Self {
            idle: ticks.get(3)? + ticks.get(4)?,
            all: ticks.iter().take(8).sum(),
        })
    }

    fn busy_since(self, before: Self) -> f64 {
        1.0 - (self.idle - before.idle) / (self.all - before.all)
    }
}

/// Returns the long steps of a command, in the order in which they ended first. A step may be a part
/// of another one, and a step that is repeated has one row.
fn steps_table(name: &str, steps: &[Step]) -> Table {
    let mut table = Table::new(
        &format!("Steps of {name} of {} s and longer", SHOWN.as_secs()),
        &["step", "times", "together"],
    );
    let mut long: Vec<(&str, u32, f64)> = Vec::new();
    for step in steps {
        if step.seconds < SHOWN.as_secs_f64() {
            continue;
        }
        match long.iter_mut().find(|(name, ..)| *name == step.name) {
            Some((_, times, seconds)) => (*times, *seconds) = (*times + 1, *seconds + step.seconds),
            None => long.push((&step.name, 1, step.seconds)),
        }
    }
    for (name, times, seconds) in long {
        let time = Unit::Minutes.text(minutes(seconds));
        table.row([name.to_owned(), times.to_string(), time]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_idle_while_they_wait_for_a_disk() {
        let before = Processors::parse("cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1").unwrap();
        let after = Processors::parse("cpu  70 0 30 80 20 0 0 0 0 0\n").unwrap();
        assert!((after.busy_since(before) - 0.8).abs() < 1e-9);
        assert_eq!(Processors::parse("intr 5\n"), None);
    }

    #[test]
    fn only_long_steps_are_shown_and_repeated_ones_once() {
        let steps = [
            ("deploy", 20.0),
            ("unit", 306.0),
            ("fmt", 1.0),
            ("deploy", 21.0),
        ];
        let steps = steps.map(|(name, seconds)| Step {
            name: name.to_owned(),
            seconds,
        });
        let table = steps_table("CI", &steps);
        let rows = [["deploy", "2", "0 min 41 s"], ["unit", "1", "5 min 6 s"]];
        assert_eq!(table.rows, rows);
    }
}
