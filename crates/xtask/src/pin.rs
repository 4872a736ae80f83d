//! Pins the Python tools and their dependencies, with hashes.
//!
//! For each set of tools, `requirements/SET.in` names the tools that we want, and
//! `requirements/SET.txt` all packages that they need, for all Python versions and platforms,
//! with the hashes of their files. Installations use only the second file, and pip refuses a
//! package file that is not in it.

use anyhow::Result;

use crate::process;
use crate::progress::step;
use crate::tools::{ToolSet, Tools, requested, requirements};
use crate::workspace::Workspace;

/// The options of `cargo xtask pin`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Use the newest version of everything that the `.in` files do not fix.
    #[arg(long)]
    upgrade: bool,
}

/// Writes the pinned list of every set.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let tools = Tools::install_shown(workspace, ToolSet::Pin)?;
    for set in ToolSet::ALL {
        step(&format!("pin the tools `{}`", set.name()), || {
            let mut command = tools.command("uv");
            command
                .args(["pip", "compile", "--quiet", "--universal"])
                .args(["--generate-hashes", "--no-annotate"])
                .args(["--custom-compile-command", "cargo xtask pin"])
                .args(["--python-version", set.oldest_python()])
                .arg(requested(workspace, set))
                .arg("--output-file")
                .arg(requirements(workspace, set));
            if options.upgrade {
                command.arg("--upgrade");
            }
            process::output(&mut command).map(drop)
        })?;
    }
    Ok(())
}
