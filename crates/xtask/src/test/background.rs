//! A part of the tests that runs beside the others.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::Child;

use anyhow::{Context, Result, ensure};

use super::Part;
use crate::process;
use crate::progress::{heading, note};
use crate::workspace::Workspace;

/// A part that runs in a process of its own. Its output is shown when it has ended.
pub(super) struct Background {
    part: Part,
    child: Child,
    output: PathBuf,
}

impl Background {
    pub(super) fn start(workspace: &Workspace, part: Part) -> Result<Self> {
        let output = workspace
            .stack_dir("test")
            .join(format!("{}.log", part.name()));
        let file = process::create(&output)?;
        let xtask = std::env::current_exe().context("finding this program")?;
        let child = workspace
            .command(xtask)
            .args(["test", "--only", &part.name()])
            .stdout(file.try_clone().context("sharing the log")?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("starting the part {}", part.name()))?;
        note(&format!(
            "the part {} runs meanwhile; its output follows",
            part.name()
        ));
        Ok(Self {
            part,
            child,
            output,
        })
    }

    /// Waits for the end, and shows the output.
    pub(super) fn finish(mut self) -> Result<()> {
        let name = self.part.name();
        let status = self
            .child
            .wait()
            .with_context(|| format!("waiting for the part {name}"))?;
        heading(&format!("the part {name}, which ran meanwhile"));
        let mut output = File::open(&self.output)
            .with_context(|| format!("opening `{}`", self.output.display()))?;
        io::copy(&mut output, &mut io::stderr()).context("showing the output")?;
        ensure!(status.success(), "the part {name} failed");
        Ok(())
    }
}
