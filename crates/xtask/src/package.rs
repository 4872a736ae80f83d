//! `cargo xtask package`: creates one archive with everything that a team without Rust needs.
//!
//! The same sources give the same archive: entries are sorted, and their times, owners and
//! modes are fixed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::architecture::Architecture;
use crate::emulator::{self, Emulator};
use crate::progress::{heading, note, step};
use crate::sam_build::{self, Build};
use crate::stack;
use crate::tools::{CargoTool, ToolSet, Tools};
use crate::workspace::Workspace;
use crate::{process, template};

/// The tool that lists the dependencies of a program in the format `CycloneDX`.
const CYCLONEDX: CargoTool = CargoTool {
    name: "cargo-cyclonedx",
    version: "0.5.9",
};

/// The oldest C library that the command line supports. It is also Rust's minimum, and every
/// Linux since 2014 has it.
const OLDEST_GLIBC: &str = "2.17";

/// The package and the program name of the command line.
const COMMAND: (&str, &str) = ("webhooks-cli", "webhooks");

/// Options of `package`.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    /// The processor architecture of the functions.
    #[arg(long, value_enum, default_value = "arm64")]
    architecture: Architecture,
    /// Unpack the archive into an empty folder, and deploy it from there to an emulator.
    #[arg(long)]
    verify: bool,
}

/// Builds the functions and the command line, and archives them.
pub(crate) fn run(workspace: &Workspace, options: Options) -> Result<()> {
    let build = sam_build::build(workspace, sam_build::Options::of(options.architecture))?;
    let tools = Tools::install_shown(workspace, ToolSet::Build)?;
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("webhooks-{version}-{}", build.architecture.name());
    let folder = workspace.stack_dir("package").join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing `{}`", folder.display()))?;
    }
    copy_deployment(workspace, &build, &folder)?;
    for architecture in Architecture::ALL {
        let program = build_command(workspace, &tools, architecture)?;
        let file = format!("bin/webhooks-linux-{}", architecture.processor());
        copy(&program, &folder.join(file))?;
    }
    let cyclonedx = CYCLONEDX.install(workspace)?;
    step("list the dependencies of the programs", || {
        write_sboms(workspace, &cyclonedx, &build, &folder.join("sbom"))
    })?;
    let archive = folder.with_file_name(format!("{name}.tar.gz"));
    let mut command = tools.command("python");
    command
        .arg(workspace.xtask_file("python/archive.py"))
        .args([&folder, &archive]);
    print!("{}", process::output(&mut command)?);
    if options.verify {
        verify(workspace, &archive, &name, options.architecture)?;
    }
    Ok(())
}

/// Copies the template, the files that it names, and the deployment settings.
fn copy_deployment(workspace: &Workspace, build: &Build, folder: &Path) -> Result<()> {
    for (function, program) in sam_build::programs(&build.folder)? {
        copy(&program, &folder.join(function).join("bootstrap"))?;
    }
    let source = build.folder.join("template.yaml");
    let text =
        fs::read_to_string(&source).with_context(|| format!("reading `{}`", source.display()))?;
    let (text, definitions) = template::with_definitions_beside(&text)?;
    write(&folder.join("template.yaml"), &text)?;
    let root = workspace.root();
    for definition in definitions {
        copy(&root.join(&definition), &folder.join(&definition))?;
    }
    for file in ["samconfig.toml", "LICENSE"] {
        copy(&root.join(file), &folder.join(file))?;
    }
    copy(
        &workspace.xtask_file("archive/README.md"),
        &folder.join("README.md"),
    )
}

/// Builds the command line for Linux.
fn build_command(
    workspace: &Workspace,
    tools: &Tools,
    architecture: Architecture,
) -> Result<PathBuf> {
    let (package, program) = COMMAND;
    let processor = architecture.processor();
    heading(&format!("the command line `{program}` for {processor}"));
    let folder = workspace.stack_dir("package/commands").join(processor);
    let mut command = tools.cross_build(workspace)?;
    command
        .args(["--profile", "command", "--package", package])
        .args(["--bin", program, "--target"])
        .arg(format!("{processor}-unknown-linux-gnu.{OLDEST_GLIBC}"))
        .arg("--lambda-dir")
        .arg(&folder);
    process::run(&mut command)?;
    let built = folder.join(program).join("bootstrap");
    let built_for = Architecture::of_program(&built)?;
    ensure!(
        built_for == architecture,
        "`{}` is for {}",
        built.display(),
        built_for.name()
    );
    Ok(built)
}

/// Writes lists of the dependencies of each function and of the command line.
///
/// The tool writes a file next to the manifest of every package. These files are removed
/// afterwards.
fn write_sboms(
    workspace: &Workspace,
    cyclonedx: &Path,
    build: &Build,
    folder: &Path,
) -> Result<()> {
    let target = format!("{}-unknown-linux-gnu", build.architecture.processor());
    let mut command = workspace.command(cyclonedx);
    command
        .args(["cyclonedx", "--format", "json", "--spec-version", "1.5"])
        .args(["--no-build-deps", "--target", &target])
        // Otherwise the files would contain the time of their creation.
        .env("SOURCE_DATE_EPOCH", "0");
    process::output(&mut command)?;
    let mut shipped: Vec<String> = vec![COMMAND.0.to_owned()];
    for function in sam_build::programs(&build.folder)?.keys() {
        shipped.push(template::package_name(function)?);
    }
    // A file contains the paths of the workspace's packages.
    let here = workspace.root().display().to_string();
    for package in workspace.packages()? {
        let written = package.folder().join(format!("{}.cdx.json", package.name));
        if shipped.contains(&package.name) {
            let text = fs::read_to_string(&written)
                .with_context(|| format!("reading `{}`", written.display()))?;
            let file = folder.join(format!("{}.cdx.json", package.name));
            write(&file, &text.replace(&here, "/webhooks"))?;
        }
        if written.exists() {
            fs::remove_file(&written)
                .with_context(|| format!("removing `{}`", written.display()))?;
        }
    }
    Ok(())
}

/// Deploys the archive from an empty folder to an emulator, with nothing but `sam deploy`.
fn verify(
    workspace: &Workspace,
    archive: &Path,
    name: &str,
    architecture: Architecture,
) -> Result<()> {
    let tools = Tools::install_shown(workspace, ToolSet::Local)?;
    let folder = workspace.stack_dir("verify/package");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing `{}`", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("making `{}`", folder.display()))?;
    let mut unpack = tools.command("python");
    unpack.args(["-m", "tarfile", "--extract"]);
    process::output(unpack.arg(archive).arg(&folder))?;
    let unpacked = folder.join(name);
    heading("the archive, from an empty folder");
    let emulator = Emulator::start(
        workspace,
        &tools,
        None,
        &folder,
        emulator::free_port()?,
        None,
        &[],
    )?;
    let deployed = step("sam deploy --config-env local", || {
        let mut deploy = stack::sam(&tools, &emulator);
        deploy
            .args(["deploy", "--config-env", "local"])
            .current_dir(&unpacked);
        process::run_logged(&mut deploy, &folder.join("deploy.log"))
    });
    let tried = deployed.and_then(|()| try_command(&unpacked, &emulator, architecture));
    emulator.stop(&folder)?;
    tried
}

/// Runs the archive's command line on the deployed stack, if this machine can run it.
fn try_command(unpacked: &Path, emulator: &Emulator, architecture: Architecture) -> Result<()> {
    let processor = std::env::consts::ARCH;
    let program = unpacked.join(format!("bin/webhooks-linux-{processor}"));
    if !cfg!(target_os = "linux") || !program.exists() {
        note("skipped: the command line is for Linux on other processors");
        return Ok(());
    }
    let webhooks = |arguments: &[&str]| {
        let mut command = stack::as_root(std::process::Command::new(&program), emulator);
        command.args(["--stack", "webhooks"]).args(arguments);
        process::output(&mut command)
    };
    step("webhooks dlq list", || webhooks(&["dlq", "list"]).map(drop))?;
    if architecture.processor() != processor {
        note(
            "skipped: the functions are for another processor; `cargo xtask build --verify` runs them",
        );
        return Ok(());
    }
    step("webhooks subscriptions list", || {
        webhooks(&["subscriptions", "list", "nobody"]).map(drop)
    })
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    make_parent(to)?;
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("copying `{}` to `{}`", from.display(), to.display()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    make_parent(file)?;
    fs::write(file, text).with_context(|| format!("writing `{}`", file.display()))
}

fn make_parent(file: &Path) -> Result<()> {
    let parent = file.parent().unwrap_or(file);
    fs::create_dir_all(parent).with_context(|| format!("making `{}`", parent.display()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn an_archive_depends_only_on_its_files() {
        let base = std::env::temp_dir().join(format!("xtask-archive-{}", std::process::id()));
        let script = Workspace::find().unwrap().xtask_file("python/archive.py");
        let files = [
            ("ApiFunction/bootstrap", "program"),
            ("template.yaml", "Resources: {}"),
            ("bin/webhooks-linux-x86_64", "command"),
        ];
        let archive = |place: &str, files: &[(&str, &str)]| {
            let folder = base.join(place).join("webhooks");
            for (name, text) in files {
                write(&folder.join(name), text).unwrap();
            }
            let archive = base.join(place).join("webhooks.tar.gz");
            let mut python = Command::new("python3");
            process::output(python.arg(&script).args([&folder, &archive])).unwrap();
            archive
        };
        let one = archive("one", &files);
        let mut reversed = files;
        reversed.reverse();
        let other = archive("other", &reversed);
        assert_eq!(fs::read(&one).unwrap(), fs::read(other).unwrap());

        let mut list = Command::new("python3");
        list.args(["-m", "tarfile", "--verbose", "--list"]);
        let listed = process::output(list.arg(&one)).unwrap();
        fs::remove_dir_all(&base).unwrap();
        let lines: Vec<Vec<&str>> = listed
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let of = |file: &str| {
            let name = format!("webhooks/{file}");
            let line = lines.iter().find(|line| line.contains(&name.as_str()));
            line.unwrap_or_else(|| panic!("{file}: {listed}"))[0]
        };
        assert!(of("ApiFunction/bootstrap").ends_with("rwxr-xr-x"));
        assert!(of("bin/webhooks-linux-x86_64").ends_with("rwxr-xr-x"));
        assert!(of("template.yaml").ends_with("rw-r--r--"));
        assert!(of("SHA256SUMS").ends_with("rw-r--r--"));
    }
}
