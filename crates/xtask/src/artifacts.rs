//! What is deployed locally: the functions built for this machine, and a copy of
//! the template that points at them.

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

/// Which programs are built.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Variant {
    /// Those that are deployed.
    Deployed,
    /// Those of a chaos run: the delivery function crashes where it is told to.
    WithFailpoints,
    /// The functions alone, optimised as for AWS, for this machine.
    Released,
    /// The delivery function, optimised, which trusts receivers of a measurement.
    Measured,
    /// What measures, and the peers that are measured beside the functions, optimised.
    Peers,
    /// The functions, optimised as far as that is quick, to be counted.
    Counted,
    /// The delivery function, built likewise, which trusts receivers of a measurement.
    CountedDelivery,
    /// The same with the system's allocator, whose calls can be counted.
    CountedAllocations,
    /// What counts. It is not counted itself, so it need not be optimised.
    Counter,
}

/// The profile of the programs that are counted.
pub(crate) const COUNTED_PROFILE: &str = "counted";

impl Variant {
    /// What `cargo build` is told.
    fn arguments(self) -> &'static str {
        match self {
            Self::Deployed => {
                "--workspace --bins --exclude xtask --exclude webhooks-cli --exclude webhooks-bench"
            }
            Self::WithFailpoints => {
                "--workspace --bins --exclude xtask --exclude webhooks-cli --exclude webhooks-bench \
                 --features deliver-webhook/failpoints"
            }
            // Without a package: those that are built by default, as `sam build` builds them.
            Self::Released => "--release --bins",
            Self::Measured => {
                "--profile measured --package deliver-webhook --features deliver-webhook/bench"
            }
            Self::Peers => "--release --package webhooks-bench --bins",
            // All three choose the same packages: so they share what they depend on, and every
            // function is patient.
            Self::Counted => "--profile counted --bins --features deliver-webhook/patient",
            Self::CountedDelivery => {
                "--profile counted --bin deliver-webhook \
                 --features deliver-webhook/patient,deliver-webhook/bench"
            }
            Self::CountedAllocations => {
                "--profile counted --bin deliver-webhook \
                 --features deliver-webhook/patient,deliver-webhook/bench,deliver-webhook/system-allocator"
            }
            Self::Counter => "--package webhooks-bench --bin webhooks-bench",
        }
    }
}

impl Programs {
    /// Builds every program that a stack, the demo or a chaos run needs. The variants have
    /// the same files: what is built is to be copied before the other one is.
    pub(crate) fn build(workspace: &Workspace, variant: Variant) -> Result<Self> {
        let mut command = workspace.cargo();
        command
            .arg("build")
            .args(variant.arguments().split_whitespace())
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

    /// The file of one program.
    pub(crate) fn path(&self, name: &str) -> Result<&Path> {
        match self.0.get(name) {
            Some(path) => Ok(path),
            None => bail!("no package builds the program `{name}`"),
        }
    }

    /// Takes another program in place of the one that was built under this name.
    pub(crate) fn replace(&mut self, name: &str, program: PathBuf) {
        self.0.insert(name.to_owned(), program);
    }

    /// Copies every program into a folder, under its name.
    pub(crate) fn copy_all(&self, folder: &Path) -> Result<()> {
        for (name, executable) in &self.0 {
            copy_executable(executable, &folder.join(name))?;
        }
        Ok(())
    }

    /// Writes what `sam deploy` needs into `folder`, and returns the template's path.
    pub(crate) fn write_artifacts(&self, workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
        let source = workspace.root().join("template.yaml");
        let text = fs::read_to_string(&source)
            .with_context(|| format!("reading `{}`", source.display()))?;
        let functions = folder.join("functions");
        let mut built_for = None;
        for package in template::function_packages(&text)? {
            let executable = self.path(&package)?;
            // A file that is no ELF program, such as a script around an emulated one, does not
            // name an architecture.
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

/// Copies a program without its debug information, unless an up-to-date copy is
/// there: what is not in it is not zipped, uploaded and unpacked either.
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
    // Under another name until it is complete: an interrupted copy must not look new.
    let partial = to.with_extension("partial");
    fs::copy(from, &partial).with_context(|| format!("copying `{}`", from.display()))?;
    // Not every machine has `strip`, and everything works without it.
    let _ = process::output(Command::new("strip").arg("-S").arg(&partial));
    fs::rename(&partial, to).with_context(|| format!("writing `{}`", to.display()))
}

/// The programs in the messages of `cargo build --message-format json`.
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
        // Messages of other kinds have no target.
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
        .filter_map(|artifact| Some((artifact.target.name, artifact.executable?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_are_taken_from_cargos_messages() {
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
