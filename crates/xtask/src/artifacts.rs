//! The artifacts of a local deployment: the functions built for this machine, and a copy of the
//! template that refers to them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::architecture::{self, Architecture};
use crate::workspace::Workspace;
use crate::{process, template};

/// The workspace's programs.
#[derive(Debug)]
pub(crate) struct Programs(BTreeMap<String, PathBuf>);

/// A set of programs with their build options.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Variant {
    /// The programs of a stack.
    Deployed,
    /// The same, with the end-to-end tests. They share their dependencies with all other tests.
    Tested,
    /// The programs of a chaos run: the delivery function has failpoints at which it can crash.
    /// They share their dependencies with all tests too.
    WithFailpoints,
    /// Only the functions, for this machine, with the optimisation for AWS.
    Released,
    /// Of these, only the portal.
    ReleasedPortal,
    /// The optimised delivery function with support for measurements: it trusts the benchmark's
    /// receivers.
    Measured,
    /// The benchmark program and the programs for comparison, optimised.
    Peers,
    /// The functions whose instructions are counted, with the optimisations that build quickly.
    Counted,
    /// The delivery function, built in the same way. It trusts the benchmark's receivers.
    CountedDelivery,
    /// The same delivery function with the system's allocator, so that allocations can be
    /// counted.
    CountedAllocations,
    /// The programs for comparison, built in the same way.
    CountedPeers,
    /// The program that counts. It is not counted itself, so it is not optimised.
    Counter,
    /// The program that writes every page of the portal.
    Gallery,
}

/// The Cargo profile of the counted programs.
pub(crate) const COUNTED_PROFILE: &str = "counted";

/// Packages with programs that no stack needs. `xtask` is running, and must not be replaced.
const OTHERS: [&str; 4] = ["xtask", "webhooks-cli", "webhooks-bench", "bench-peers"];

impl Variant {
    /// Returns the arguments of `cargo build`.
    fn arguments(self) -> &'static str {
        match self {
            Self::Deployed => "--workspace --bins",
            // Cargo builds a dependency with the features that the chosen packages need of it, and
            // their tests. Another choice would build nearly every dependency again.
            Self::Tested => "--workspace --test end_to_end",
            Self::WithFailpoints => {
                "--workspace --test end_to_end --features deliver-webhook/failpoints"
            }
            // No package is named, so the default members are built, as with `sam build`.
            Self::Released => "--release --bins",
            Self::ReleasedPortal => "--release --bin portal",
            Self::Measured => {
                "--profile measured --package deliver-webhook --features deliver-webhook/bench"
            }
            Self::Peers => "--release --package webhooks-bench --package bench-peers --bins",
            // All three choose the same packages, so they share their dependencies, and every
            // function has the feature `patient`.
            Self::Counted => "--profile counted --bins --features deliver-webhook/patient",
            Self::CountedDelivery => {
                "--profile counted --bin deliver-webhook \
                 --features deliver-webhook/patient,deliver-webhook/bench"
            }
            Self::CountedAllocations => {
                "--profile counted --bin deliver-webhook \
                 --features deliver-webhook/patient,deliver-webhook/bench,deliver-webhook/system-allocator"
            }
            Self::CountedPeers => "--profile counted --package bench-peers --bins",
            // As a part of the workspace, so that it shares its dependencies with the tests.
            Self::Counter => "--workspace --bin webhooks-bench",
            Self::Gallery => "--workspace --example gallery",
        }
    }

    /// Returns cargo's further arguments, which choose the programs of a stack.
    fn programs(self, workspace: &Workspace) -> Result<Vec<String>> {
        if self == Self::Deployed {
            return Ok(OTHERS.map(|name| format!("--exclude={name}")).to_vec());
        }
        if !matches!(self, Self::Tested | Self::WithFailpoints) {
            return Ok(Vec::new());
        }
        let packages = workspace.packages()?;
        let packages = packages
            .iter()
            .filter(|it| !OTHERS.contains(&it.name.as_str()));
        let targets = packages.flat_map(|package| &package.targets);
        let programs = targets.filter(|target| target.kind.iter().any(|kind| kind == "bin"));
        Ok(programs
            .map(|target| format!("--bin={}", target.name))
            .collect())
    }
}

impl Programs {
    /// Builds all programs for a stack, the demo or a chaos run. The variants share their
    /// output files, so copy the programs before you build another variant.
    pub(crate) fn build(workspace: &Workspace, variant: Variant) -> Result<Self> {
        let mut command = workspace.cargo();
        command
            .arg("build")
            .args(variant.arguments().split_whitespace())
            .args(variant.programs(workspace)?)
            .args(["--message-format", "json-render-diagnostics"])
            .stdout(Stdio::piped());
        let output = command
            .spawn()
            .and_then(std::process::Child::wait_with_output)
            .context("starting `cargo build`")?;
        if !output.status.success() {
            bail!("`cargo build` failed ({})", output.status);
        }
        Ok(Self(executables(&String::from_utf8_lossy(&output.stdout))))
    }

    /// Returns the path of a program.
    pub(crate) fn path(&self, name: &str) -> Result<&Path> {
        match self.0.get(name) {
            Some(path) => Ok(path),
            None => bail!("no package builds the program `{name}`"),
        }
    }

    /// Uses another program instead of the built one with this name.
    pub(crate) fn replace(&mut self, name: &str, program: PathBuf) {
        self.0.insert(name.to_owned(), program);
    }

    /// Copies all programs into a folder, with their names.
    pub(crate) fn copy_all(&self, folder: &Path) -> Result<()> {
        for (name, executable) in &self.0 {
            copy_executable(executable, &folder.join(name))?;
        }
        Ok(())
    }

    /// Writes the files for `sam deploy` into `folder`, and returns the template's path.
    pub(crate) fn write_artifacts(&self, workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
        let source = workspace.root().join("template.yaml");
        let text = fs::read_to_string(&source)
            .with_context(|| format!("reading `{}`", source.display()))?;
        let functions = folder.join("functions");
        let mut built_for = None;
        for package in template::function_packages(&text)? {
            let executable = self.path(&package)?;
            // A file that is not an ELF program, such as a script that runs an emulated one,
            // has no architecture.
            built_for = built_for.or(Architecture::of_program(executable).ok());
            copy_executable(executable, &functions.join(&package).join("bootstrap"))?;
        }
        let text = match built_for {
            Some(architecture) => architecture::fixed_in(&text, architecture)?,
            None => text,
        };
        let deployed = folder.join("template.yaml");
        fs::write(
            &deployed,
            template::with_absolute_paths(&text, &functions, workspace.root())?,
        )
        .with_context(|| format!("writing `{}`", deployed.display()))?;
        Ok(deployed)
    }
}

/// Copies a program without its debug information, which makes zipping and uploading faster.
/// Does nothing if an up-to-date copy exists.
fn copy_executable(from: &Path, to: &Path) -> Result<()> {
    let built = fs::metadata(from).and_then(|file| file.modified());
    let built = built.with_context(|| format!("reading `{}`", from.display()))?;
    if fs::metadata(to)
        .and_then(|file| file.modified())
        .is_ok_and(|copied| copied > built)
    {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making `{}`", folder.display()))?;
    }
    // The copy is renamed when it is complete: an interrupted copy must not look up to date.
    let partial = to.with_extension("partial");
    fs::copy(from, &partial).with_context(|| format!("copying `{}`", from.display()))?;
    // `strip` is missing on some machines, and is not necessary.
    let _ = process::output(Command::new("strip").arg("-S").arg(&partial));
    fs::rename(&partial, to).with_context(|| format!("writing `{}`", to.display()))
}

/// Reads the programs from the messages of `cargo build --message-format json`.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    #[derive(Deserialize)]
    struct Artifact {
        target: Target,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    messages
        .lines()
        // Other kinds of messages have no target.
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
        .filter_map(|artifact| Some((artifact.target.name, artifact.executable?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_are_read_from_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"webhooks_domain"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"api"},"executable":"/t/debug/api"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
            "\n",
        );
        let found = executables(messages);
        assert_eq!(
            found,
            BTreeMap::from([("api".to_owned(), PathBuf::from("/t/debug/api"))])
        );
    }

    #[test]
    fn a_copy_is_made_again_only_when_the_program_is_newer() {
        let folder = std::env::temp_dir().join(format!("xtask-copy-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (from, to) = (folder.join("api"), folder.join("out/bootstrap"));
        fs::write(&from, "one").unwrap();
        copy_executable(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "one");

        fs::write(&to, "kept").unwrap();
        copy_executable(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "kept");

        fs::write(&from, "two").unwrap();
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
        fs::File::options()
            .write(true)
            .open(&from)
            .unwrap()
            .set_modified(later)
            .unwrap();
        copy_executable(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "two");
        fs::remove_dir_all(&folder).unwrap();
    }
}
