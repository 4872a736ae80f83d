//! Prepares every local stack: installs the tools and builds the programs.

use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::programs::{Programs, Variant};
use crate::progress::{heading, note, print_result};
use crate::tools::{ToolSet, Tools};
use crate::workspace::Workspace;

/// Installs the tools while cargo builds. Only the build prints its progress.
pub(crate) fn tools_and_programs(
    workspace: &Workspace,
    variant: Variant,
) -> Result<(Tools, Programs)> {
    if Tools::are_installed(workspace, ToolSet::Local)? {
        return Ok((
            Tools::install(workspace, ToolSet::Local)?,
            Programs::build(workspace, variant)?,
        ));
    }
    heading("first run: installing the tools and building the functions; this takes minutes");
    note("tools: MiniStack and SAM CLI from PyPI, into target/tools (about 350 MB)");
    thread::scope(|scope| {
        let installing = scope.spawn(|| {
            let started = Instant::now();
            let tools = Tools::install(workspace, ToolSet::Local);
            print_result("install the tools", started.elapsed(), tools.is_ok());
            tools
        });
        let programs = Programs::build(workspace, variant);
        let tools = installing
            .join()
            .map_err(|_| anyhow!("installing the tools panicked"))?;
        Ok((tools?, programs?))
    })
}
