//! The workspace's programs, built for this machine: for a stack, the tests or a benchmark.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::Deserialize;

use crate::workspace::Workspace;
use crate::{choice, files, process};

/// The programs of a [`Variant`], copied to a folder of their own. Cargo writes all variants to
/// the same files, and commands can run side by side.
#[derive(Debug)]
pub(crate) struct Programs {
    paths: BTreeMap<String, PathBuf>,
    folder: PathBuf,
}

/// A set of programs with their build options.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
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
    /// Builds the programs of a variant.
    pub(crate) fn build(workspace: &Workspace, variant: Variant) -> Result<Self> {
        // Until they are copied, no other command may build another variant.
        let _lock = Self::lock(workspace)?;
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
        let folder = Self::all(workspace).join(choice::name(&variant));
        let mut paths = BTreeMap::new();
        for (name, built) in executables(&String::from_utf8_lossy(&output.stdout)) {
            let path = folder.join(&name);
            copy_executable(&built, &path)?;
            paths.insert(name, path);
        }
        Ok(Self { paths, folder })
    }

    /// Waits until no other command builds programs or writes their archives.
    pub(crate) fn lock(workspace: &Workspace) -> Result<File> {
        files::lock(&Self::all(workspace).join("lock"))
    }

    /// Returns the folder of all variants.
    fn all(workspace: &Workspace) -> PathBuf {
        workspace.root().join("target/programs")
    }

    /// Returns the path of a program.
    pub(crate) fn path(&self, name: &str) -> Result<&Path> {
        match self.paths.get(name) {
            Some(path) => Ok(path),
            None => bail!("no package builds the program `{name}`"),
        }
    }

    /// Returns the folder of these programs, and of what is made from them.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Uses other programs instead of the built ones with these names. What is made from them
    /// belongs into another folder.
    pub(crate) fn replace(&mut self, paths: BTreeMap<String, PathBuf>, folder: PathBuf) {
        self.paths.extend(paths);
        self.folder = folder;
    }
}

/// Copies a program without its debug information, which makes archives smaller. Does nothing if
/// that was done before: a copy has the time of its program.
fn copy_executable(from: &Path, to: &Path) -> Result<()> {
    let built = modified(from)?;
    if modified(to).is_ok_and(|copied| copied == built) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making `{}`", folder.display()))?;
    }
    // The copy is renamed when it is complete, since a program may be running.
    let partial = to.with_extension("partial");
    fs::copy(from, &partial).with_context(|| format!("copying `{}`", from.display()))?;
    // `strip` is missing on some machines, and is not necessary.
    let _ = process::output(Command::new("strip").arg("-S").arg(&partial));
    let dated = File::options().write(true).open(&partial);
    dated
        .and_then(|file| file.set_modified(built))
        .and_then(|()| fs::rename(&partial, to))
        .with_context(|| format!("writing `{}`", to.display()))
}

/// Returns the time of a file's last change.
pub(crate) fn modified(file: &Path) -> Result<SystemTime> {
    fs::metadata(file)
        .and_then(|file| file.modified())
        .with_context(|| format!("reading `{}`", file.display()))
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
        kind: Vec<String>,
    }
    messages
        .lines()
        // Other kinds of messages have no target.
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
        .filter(|artifact| artifact.target.kind != ["test"])
        .filter_map(|artifact| Some((artifact.target.name, artifact.executable?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_programs_are_read_from_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"webhooks_domain"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"api"},"executable":"/t/debug/api"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"end_to_end"},"executable":"/t/debug/deps/end_to_end-1"}"#,
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
    fn a_copy_is_made_again_when_it_has_another_time_than_its_program() {
        let folder = std::env::temp_dir().join(format!("xtask-copy-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (from, to) = (folder.join("api"), folder.join("out/api"));
        fs::write(&from, "one").unwrap();
        copy_executable(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "one");
        let first = modified(&from).unwrap();

        let same_time = |content: &str| {
            fs::write(&to, content).unwrap();
            let copy = File::options().write(true).open(&to).unwrap();
            copy.set_modified(first).unwrap();
        };
        same_time("kept");
        copy_executable(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "kept");

        // Cargo also goes back to an older program, after another variant was built.
        let hour = Duration::from_hours(1);
        for (content, time) in [("later", first + hour), ("earlier", first - hour)] {
            fs::write(&from, content).unwrap();
            let program = File::options().write(true).open(&from).unwrap();
            program.set_modified(time).unwrap();
            copy_executable(&from, &to).unwrap();
            assert_eq!(fs::read_to_string(&to).unwrap(), content);
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
