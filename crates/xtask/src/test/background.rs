//! Parts of the tests that run beside the others.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::Part;
use crate::process;
use crate::progress::{heading, note};
use crate::workspace::Workspace;

/// Parts that run one after the other, each in a process of its own. Their output is shown when
/// all have ended.
pub(super) struct Background(JoinHandle<Result<Vec<Ended>>>);

/// A part that has ended.
pub(super) struct Ended {
    pub(super) part: Part,
    pub(super) elapsed: Duration,
    status: ExitStatus,
    output: PathBuf,
}

impl Background {
    pub(super) fn start(workspace: &Workspace, parts: &'static [Part]) -> Self {
        let names: Vec<String> = parts.iter().map(|part| part.name()).collect();
        note(&format!(
            "these parts run meanwhile, and their output follows: {}",
            names.join(", ")
        ));
        let workspace = workspace.clone();
        Self(thread::spawn(move || {
            let run = |part: &Part| Ended::run(&workspace, *part);
            parts.iter().map(run).collect()
        }))
    }

    /// Waits for the end of the parts.
    pub(super) fn finish(self) -> Result<Vec<Ended>> {
        self.0
            .join()
            .map_err(|_| anyhow!("running parts meanwhile panicked"))?
    }
}

impl Ended {
    fn run(workspace: &Workspace, part: Part) -> Result<Self> {
        let name = part.name();
        let output = workspace.stack_dir("test").join(format!("{name}.log"));
        let file = process::create(&output)?;
        let xtask = std::env::current_exe().context("finding this program")?;
        let started = Instant::now();
        let status = workspace
            .command(xtask)
            .args(["test", "--only", &name])
            .stdout(file.try_clone().context("sharing the log")?)
            .stderr(file)
            .status()
            .with_context(|| format!("starting the part {name}"))?;
        Ok(Self {
            part,
            elapsed: started.elapsed(),
            status,
            output,
        })
    }

    /// Shows the output, and returns an error if the part failed.
    pub(super) fn show(&self) -> Result<()> {
        let name = self.part.name();
        heading(&format!("the part {name}, which ran meanwhile"));
        let mut output = File::open(&self.output)
            .with_context(|| format!("opening `{}`", self.output.display()))?;
        io::copy(&mut output, &mut io::stderr()).context("showing the output")?;
        ensure!(self.status.success(), "the part {name} failed");
        Ok(())
    }
}
