//! The artifacts of a local deployment: an archive for each function, and a copy of the template
//! that refers to them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::architecture::{self, Architecture};
use crate::programs::{Programs, modified};
use crate::tools::Tools;
use crate::workspace::Workspace;
use crate::{process, template};

/// Writes the template for `sam deploy` into a stack's folder, and returns its path. The archives
/// lie beside the programs, so that all stacks with these programs share them.
pub(crate) fn write(
    workspace: &Workspace,
    tools: &Tools,
    programs: &Programs,
    folder: &Path,
) -> Result<PathBuf> {
    let source = workspace.root().join("template.yaml");
    let text =
        fs::read_to_string(&source).with_context(|| format!("reading `{}`", source.display()))?;
    let archives = programs.folder().join("archives");
    let mut built_for = None;
    let mut changed = Vec::new();
    for package in template::function_packages(&text)? {
        let program = programs.path(&package)?;
        // A file that is not an ELF program, such as a script that runs an emulated one,
        // has no architecture.
        built_for = built_for.or(Architecture::of_program(program).ok());
        changed.push((program, template::archive(&archives, &package)));
    }
    archive(workspace, tools, &changed)?;
    let text = match built_for {
        Some(architecture) => architecture::fixed_in(&text, architecture)?,
        None => text,
    };
    let deployed = folder.join("template.yaml");
    fs::create_dir_all(folder).with_context(|| format!("making `{}`", folder.display()))?;
    fs::write(
        &deployed,
        template::with_absolute_paths(&text, &archives, workspace.root())?,
    )
    .with_context(|| format!("writing `{}`", deployed.display()))?;
    Ok(deployed)
}

/// Writes the archives of programs, except those that are up to date: an archive has the time of
/// its program.
fn archive(workspace: &Workspace, tools: &Tools, archives: &[(&Path, PathBuf)]) -> Result<()> {
    let _lock = Programs::lock(workspace)?;
    let mut command = tools.command("python");
    command.arg(workspace.xtask_file("python/function_archives.py"));
    let mut is_needed = false;
    for (program, archive) in archives {
        let built = modified(program)?;
        if modified(archive).is_ok_and(|archived| archived == built) {
            continue;
        }
        is_needed = true;
        command.arg(program).arg(archive);
    }
    if is_needed {
        process::output(&mut command)?;
    }
    Ok(())
}
