//! `cargo xtask build`: builds the functions for AWS.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::architecture::{self, Architecture};
use crate::progress::heading;
use crate::tools::{ToolSet, Tools};
use crate::workspace::Workspace;
use crate::{failpoints, process, verify};

/// The oldest SAM CLI that builds Rust without opting in to beta features.
const OLDEST_SAM: (u32, u32) = (1, 156);

/// The output folder in the checkout, where `sam deploy` looks first.
const BUILT: &str = ".aws-sam/build";

/// Options of `build`.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    /// The processor architecture of the functions.
    #[arg(long, value_enum, default_value = "arm64")]
    architecture: Architecture,
    /// Run the built programs: each against a stub of Lambda, then all of them end to end.
    #[arg(long)]
    verify: bool,
}

impl Options {
    /// Returns the options for a build for this architecture.
    pub(crate) fn of(architecture: Architecture) -> Self {
        Self {
            architecture,
            verify: false,
        }
    }
}

/// The output of a build.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) architecture: Architecture,
    /// The folder of the template. It has a subfolder for each function.
    pub(crate) folder: PathBuf,
}

/// Builds the functions, prints their sizes, and runs them if requested.
pub(crate) fn run(workspace: &Workspace, options: Options) -> Result<()> {
    let build = build(workspace, options)?;
    println!("{}", sizes(&build.folder)?);
    if options.verify {
        verify::run(workspace, &build)?;
    }
    Ok(())
}

/// Builds the functions with the pinned cargo-lambda, and the template with `sam build`.
pub(crate) fn build(workspace: &Workspace, options: Options) -> Result<Build> {
    let sam = Tools::install_shown(workspace, ToolSet::Local)?;
    let version = process::output(sam.command("sam").arg("--version"))?;
    refuse_old_sam(&version)?;
    let cargo_lambda = Tools::install_shown(workspace, ToolSet::Build)?;
    let architecture = options.architecture;
    heading(&format!(
        "cargo lambda build for {}; the first optimised build takes many minutes",
        architecture.name()
    ));
    // All functions are built in one run, so that they are linked in parallel and `sam build`
    // finds them already built. `sam build` alone would build them one after the other.
    let mut compile = cargo_lambda.cross_build(workspace)?;
    compile.arg("--release");
    if architecture == Architecture::Arm64 {
        compile.arg("--arm64");
    }
    process::run(&mut compile)?;
    heading("sam build");
    let mut command = sam.command("sam");
    Workspace::forget_own_run(&mut command);
    process::run(
        command
            .args(["build", "--template-file", "template.yaml"])
            .arg("--parameter-overrides")
            .arg(format!("Architecture={}", architecture.name()))
            .env("PATH", cargo_lambda.path()?),
    )?;
    let folder = workspace.root().join(BUILT);
    refuse_what_is_not_for_aws(&folder)?;
    refuse_other_architectures(&folder, architecture)?;
    let template = folder.join("template.yaml");
    let text = fs::read_to_string(&template)
        .with_context(|| format!("reading `{}`", template.display()))?;
    fs::write(&template, architecture::fixed_in(&text, architecture)?)
        .with_context(|| format!("writing `{}`", template.display()))?;
    Ok(Build {
        architecture,
        folder,
    })
}

/// Refuses a SAM CLI that cannot build Rust, by the output of `sam --version`.
fn refuse_old_sam(printed: &str) -> Result<()> {
    let version = printed.trim().rsplit(' ').next().unwrap_or_default();
    let mut numbers = version.split('.').map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        bail!("`sam --version` printed `{}`", printed.trim());
    };
    ensure!(
        (major, minor) >= OLDEST_SAM,
        "SAM CLI is {version}, but {}.{} or later is needed to build Rust",
        OLDEST_SAM.0,
        OLDEST_SAM.1
    );
    Ok(())
}

/// Refuses a program for another architecture than that of the deployment.
fn refuse_other_architectures(folder: &Path, architecture: Architecture) -> Result<()> {
    for (function, program) in programs(folder)? {
        let built_for = Architecture::of_program(&program)?;
        ensure!(
            built_for == architecture,
            "{function} is built for {}, but must be deployed for {}",
            built_for.name(),
            architecture.name()
        );
    }
    Ok(())
}

fn refuse_what_is_not_for_aws(folder: &Path) -> Result<()> {
    for (function, program) in programs(folder)? {
        ensure!(
            !failpoints::are_in(&program)?,
            "{function} has failpoints: it was built for a chaos run and must not be deployed"
        );
        ensure!(
            !failpoints::trusts_an_authority(&program)?,
            "{function} trusts a certificate authority of the benchmark and must not be deployed"
        );
    }
    Ok(())
}

/// Returns the built functions' programs by name.
pub(crate) fn programs(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
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

/// Returns a table of the built functions with the sizes of their programs.
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
    fn a_sam_that_needs_beta_features_is_refused() {
        refuse_old_sam("SAM CLI, version 1.156.0\n").unwrap();
        refuse_old_sam("SAM CLI, version 2.0.1\n").unwrap();
        for printed in [
            "SAM CLI, version 1.155.9\n",
            "SAM CLI, version 0.200.0",
            "",
            "sam",
        ] {
            assert!(refuse_old_sam(printed).is_err(), "{printed}");
        }
    }

    #[test]
    fn a_program_for_another_processor_is_refused_by_name() {
        let folder = std::env::temp_dir().join(format!("xtask-other-{}", std::process::id()));
        for (name, machine) in [("ApiFunction", 62_u8), ("PrepareCallsFunction", 183)] {
            let mut program = b"\x7fELF\x02\x01".to_vec();
            program.resize(18, 0);
            program.extend([machine, 0]);
            fs::create_dir_all(folder.join(name)).unwrap();
            fs::write(folder.join(name).join("bootstrap"), program).unwrap();
        }
        let refused = |architecture| {
            let refused = refuse_other_architectures(&folder, architecture);
            refused.unwrap_err().to_string()
        };
        assert_eq!(
            refused(Architecture::Arm64),
            "ApiFunction is built for x86_64, but must be deployed for arm64"
        );
        assert_eq!(
            refused(Architecture::X86_64),
            "PrepareCallsFunction is built for arm64, but must be deployed for x86_64"
        );
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_function_for_tests_or_measurements_is_refused_by_name() {
        for (variable, refusal) in [
            (failpoints::FOLDER_VARIABLE, "has failpoints"),
            (
                failpoints::AUTHORITY_VARIABLE,
                "trusts a certificate authority",
            ),
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
