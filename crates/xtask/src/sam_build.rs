//! `cargo xtask build`: the functions as they are deployed to AWS.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::failpoints;
use crate::process;
use crate::progress::{heading, step};
use crate::tools::{ToolSet, Tools};
use crate::workspace::Workspace;

/// Options of `build`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Arguments for `sam build`, such as `--parameter-overrides Architecture=x86_64`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Runs `sam build` with the pinned cargo-lambda and prints what came out.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    for (set, name) in [
        (ToolSet::Local, "install SAM CLI"),
        (ToolSet::Build, "install cargo-lambda"),
    ] {
        if !Tools::are_installed(workspace, set)? {
            step(name, || Tools::install(workspace, set))?;
        }
    }
    let sam = Tools::install(workspace, ToolSet::Local)?;
    let cargo_lambda = Tools::install(workspace, ToolSet::Build)?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    // First of all: cargo-lambda looks for its zig in the first Python that it finds.
    let folders =
        std::iter::once(cargo_lambda.bin().to_owned()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).context("extending PATH with cargo-lambda")?;
    heading("sam build; optimised for AWS, the first time takes many minutes");
    process::run(
        sam.command("sam")
            .args(["build", "--template-file", "template.yaml"])
            .args(&options.arguments)
            .env("PATH", path),
    )?;
    let built = workspace.root().join(".aws-sam/build");
    refuse_what_is_not_for_aws(&built)?;
    println!("{}", sizes(&built)?);
    Ok(())
}

fn refuse_what_is_not_for_aws(folder: &Path) -> Result<()> {
    for (function, program) in programs(folder)? {
        ensure!(
            !failpoints::are_in(&program)?,
            "{function} has failpoints: it was built for a chaos run, and is not for AWS"
        );
        ensure!(
            !failpoints::trusts_an_authority(&program)?,
            "{function} trusts an authority of a measurement, and is not for AWS"
        );
    }
    Ok(())
}

/// The built functions and their programs, by name.
fn programs(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut programs = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading `{}`", folder.display()))? {
        let entry = entry?;
        let program = entry.path().join("bootstrap");
        if program.is_file() {
            programs.insert(entry.file_name().to_string_lossy().into_owned(), program);
        }
    }
    Ok(programs)
}

/// A table of the built functions and the sizes of their programs.
fn sizes(folder: &Path) -> Result<String> {
    let rows = programs(folder)?
        .into_iter()
        .map(|(name, program)| Ok((name, fs::metadata(program)?.len())))
        .collect::<Result<Vec<_>>>()?;
    let width = rows
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    let lines: Vec<String> = rows
        .iter()
        .map(|(name, size_bytes)| {
            let kib = size_bytes.div_ceil(1024);
            format!(
                "{name:width$}  {:>3}.{:02} MiB",
                kib / 1024,
                kib % 1024 * 100 / 1024
            )
        })
        .collect();
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_functions_are_in_the_table_of_sizes() {
        let folder = std::env::temp_dir().join(format!("xtask-sizes-{}", std::process::id()));
        for name in ["ApiFunction", "WebhookDelivery", "PrepareCallsFunction"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        fs::write(
            folder.join("ApiFunction/bootstrap"),
            vec![0; 3 * 512 * 1024],
        )
        .unwrap();
        fs::write(folder.join("PrepareCallsFunction/bootstrap"), vec![0; 1024]).unwrap();
        let table = sizes(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(
            table,
            "ApiFunction             1.50 MiB\nPrepareCallsFunction    0.00 MiB"
        );
    }

    #[test]
    fn a_function_for_tests_or_measurements_is_refused_by_name() {
        for (variable, refusal) in [
            (failpoints::FOLDER_VARIABLE, "has failpoints"),
            (failpoints::AUTHORITY_VARIABLE, "trusts an authority"),
        ] {
            let folder = std::env::temp_dir().join(format!("xtask-refused-{}", std::process::id()));
            for (name, program) in [
                ("ApiFunction", "none"),
                ("DeliverWebhookFunction", variable),
            ] {
                fs::create_dir_all(folder.join(name)).unwrap();
                fs::write(folder.join(name).join("bootstrap"), program).unwrap();
            }
            let error = refuse_what_is_not_for_aws(&folder).unwrap_err().to_string();
            fs::remove_dir_all(&folder).unwrap();
            let expected = format!("DeliverWebhookFunction {refusal}");
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}
