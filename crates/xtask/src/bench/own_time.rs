//! The time that the benchmark itself takes.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// The clock of a build and a run.
pub(super) struct OwnTime {
    started: Instant,
    is_from_nothing: bool,
    build: Option<Duration>,
}

impl OwnTime {
    /// Starts the clock, before the build.
    pub(super) fn start(workspace: &Workspace) -> Self {
        let target = workspace.root().join("target");
        let profiles = ["release", "measured"];
        Self {
            started: Instant::now(),
            is_from_nothing: !profiles.iter().any(|name| target.join(name).exists()),
            build: None,
        }
    }

    /// Notes the end of the build.
    pub(super) fn built(&mut self) {
        self.build = self.is_from_nothing.then(|| self.started.elapsed());
    }

    /// Adds a run of all timed parts to the results, by the benchmark program.
    pub(super) fn note(&self, parts: Duration, command: &mut Command) -> Result<()> {
        command.args(["own-time", "--run-seconds"]);
        command.arg(parts.as_secs_f64().to_string());
        if let Some(build) = self.build {
            command.arg("--build-seconds");
            command.arg(build.as_secs_f64().to_string());
        }
        process::run(command)
    }
}
