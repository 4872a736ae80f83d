//! The paths of the checkout, its packages, and the folders of the local stacks.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process;

/// The checkout that this program was built in.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

/// A package of the workspace, from `cargo metadata`.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) targets: Vec<Target>,
}

impl Package {
    /// The folder of the package.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

/// A build target of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

impl Workspace {
    /// Finds the checkout by the path of this package.
    pub(crate) fn find() -> Result<Self> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package
            .ancestors()
            .nth(2)
            .with_context(|| format!("`{}` is not two folders deep", package.display()))?;
        anyhow::ensure!(
            root.join("Cargo.toml").is_file(),
            "`{}` is gone: the checkout was moved; run `cargo clean --package xtask` in its new place",
            root.display()
        );
        Ok(Self {
            root: root.to_owned(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns a file of this package that is not Rust, such as a script or a requirements
    /// file.
    pub(crate) fn xtask_file(&self, name: &str) -> PathBuf {
        self.root.join("crates/xtask").join(name)
    }

    /// Returns the folder of the installed tools, which all commands share.
    pub(crate) fn tools_dir(&self) -> PathBuf {
        self.root.join("target/tools")
    }

    /// Returns the folder of a local stack: `local`, or one of the tests' stacks.
    pub(crate) fn stack_dir(&self, name: &str) -> PathBuf {
        self.root.join("target").join(name)
    }

    /// Returns a command that runs in the checkout.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// Returns the cargo that runs this program, without the variables that it set for this
    /// run. A build script that reads such a variable would run again, with everything that
    /// depends on it, whenever the variable changes between `cargo` and `cargo xtask`.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        Self::forget_own_run(&mut command);
        command
    }

    /// Removes the variables that cargo set for its run of this program from a command's
    /// environment.
    pub(crate) fn forget_own_run(command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["CARGO_PKG_", "CARGO_MANIFEST_"]
                .iter()
                .any(|prefix| text.starts_with(prefix))
            {
                command.env_remove(&name);
            }
        }
    }

    /// Reads the packages of the workspace.
    pub(crate) fn packages(&self) -> Result<Vec<Package>> {
        let mut command = self.cargo();
        command.args(["metadata", "--format-version", "1", "--no-deps"]);
        let text = process::output(&mut command)?;
        let metadata: Metadata =
            serde_json::from_str(&text).context("reading what `cargo metadata` printed")?;
        Ok(metadata.packages)
    }
}
