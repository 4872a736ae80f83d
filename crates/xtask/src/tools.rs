//! The pinned tools, installed below `target/tools` when first needed.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::progress::step;
use crate::workspace::Workspace;
use crate::{files, process};

/// The oldest Python version that MiniStack supports.
const OLDEST_PYTHON: (u32, u32) = (3, 10);

/// A set of Python tools with its own virtual environment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ToolSet {
    /// The emulator, and SAM CLI for deployments to it.
    Local,
    /// The tools that `sam build` needs besides SAM CLI.
    Build,
    /// The linter of the translated template, with the schemas of all Regions.
    Lint,
    /// The linter of the template's security.
    Security,
    /// Node.js, for the benchmarks' programs for comparison and for the browser tests.
    Bench,
    /// The fuzzer of the API's contract.
    Contract,
    /// The emulator with a second interpreter of state machines.
    Interpreter,
    /// The tool that pins all of these.
    Pin,
}

impl ToolSet {
    /// Every set.
    pub(crate) const ALL: [Self; 8] = [
        Self::Local,
        Self::Build,
        Self::Lint,
        Self::Security,
        Self::Bench,
        Self::Contract,
        Self::Interpreter,
        Self::Pin,
    ];

    /// Returns the oldest Python version that all tools of the set support.
    pub(crate) fn oldest_python(self) -> &'static str {
        match self {
            Self::Contract => "3.11",
            _ => "3.10",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Build => "build",
            Self::Lint => "lint",
            Self::Security => "security",
            Self::Bench => "bench",
            Self::Contract => "contract",
            Self::Interpreter => "interpreter",
            Self::Pin => "pin",
        }
    }
}

/// An installed set of Python tools.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    bin: PathBuf,
    sam_home: PathBuf,
    root: PathBuf,
}

impl Tools {
    /// Returns true if the set is installed as in its requirements file.
    pub(crate) fn are_installed(workspace: &Workspace, set: ToolSet) -> Result<bool> {
        let venv = workspace.tools_dir().join(set.name());
        let stamp = fs::read_to_string(venv.join("stamp")).unwrap_or_default();
        // The link to the interpreter is broken if that Python was removed.
        Ok(stamp == expected_stamp(workspace, set)? && venv.join("bin/python").exists())
    }

    /// Installs the set unless it is already installed.
    pub(crate) fn install(workspace: &Workspace, set: ToolSet) -> Result<Self> {
        let folder = workspace.tools_dir();
        // Another command may be installing them.
        let _lock = files::lock(&folder.join("lock"))?;
        let venv = folder.join(set.name());
        if !Self::are_installed(workspace, set)? {
            let python = find_python()?;
            if venv.exists() {
                fs::remove_dir_all(&venv)
                    .with_context(|| format!("removing `{}`", venv.display()))?;
            }
            let log = folder.join(format!("{}.log", set.name()));
            process::run_logged(Command::new(&python).args(["-m", "venv"]).arg(&venv), &log)
                .context("making a virtual environment; on Debian and Ubuntu, `apt install python3-venv` brings what it needs")?;
            // Modules are compiled at their first use, since most are never used.
            process::run_logged(
                Command::new(venv.join("bin/python"))
                    .args(["-m", "pip", "install", "--no-input", "--no-compile"])
                    // The list is complete, so dependencies are not resolved. Source archives
                    // are excluded, because they need build tools that no hash covers.
                    .args(["--require-hashes", "--no-deps", "--only-binary", ":all:"])
                    .args(["--disable-pip-version-check", "--requirement"])
                    .arg(requirements(workspace, set)),
                &log,
            )
            .context("installing the tools; this needs network access once")?;
            fs::write(venv.join("stamp"), expected_stamp(workspace, set)?)?;
        }
        let sam_home = folder.join("sam");
        if !sam_home.exists() {
            fs::create_dir_all(&sam_home)?;
            // The version is pinned, so checks for a newer one are disabled (this date is in
            // the year 2100).
            fs::write(
                sam_home.join("metadata.json"),
                r#"{"lastVersionCheck": 4102444800}"#,
            )?;
        }
        Ok(Self {
            bin: venv.join("bin"),
            sam_home,
            root: workspace.root().to_owned(),
        })
    }

    /// Installs the set, and shows that as a step if there is anything to install.
    pub(crate) fn install_shown(workspace: &Workspace, set: ToolSet) -> Result<Self> {
        if Self::are_installed(workspace, set)? {
            return Self::install(workspace, set);
        }
        step(&format!("install the tools `{}`", set.name()), || {
            Self::install(workspace, set)
        })
    }

    /// Returns the search path for programs, starting with those of this set.
    pub(crate) fn path(&self) -> Result<OsString> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.bin.clone()).chain(std::env::split_paths(&path));
        std::env::join_paths(folders).context("extending PATH with the tools")
    }

    /// Returns `cargo lambda build`, which uses the zig of the first Python in the search path.
    pub(crate) fn cross_build(&self, workspace: &Workspace) -> Result<Command> {
        let mut command = workspace.cargo();
        command.args(["lambda", "build"]).env("PATH", self.path()?);
        Ok(command)
    }

    /// Returns a command that runs one of the tools, isolated from the user's AWS accounts and
    /// Python settings.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["AWS_", "SAM_", "PYTHON"]
                .iter()
                .any(|prefix| text.starts_with(prefix))
            {
                command.env_remove(&name);
            }
        }
        command
            .env("SAM_CLI_TELEMETRY", "0")
            .env("__SAM_CLI_APP_DIR", &self.sam_home)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }
}

/// Returns the file that names the wanted tools of a set.
pub(crate) fn requested(workspace: &Workspace, set: ToolSet) -> PathBuf {
    workspace
        .xtask_file("requirements")
        .join(format!("{}.in", set.name()))
}

/// Returns the file that pins the tools and their dependencies.
pub(crate) fn requirements(workspace: &Workspace, set: ToolSet) -> PathBuf {
    workspace
        .xtask_file("requirements")
        .join(format!("{}.txt", set.name()))
}

/// Returns the stamp of an up-to-date environment: its requirements and its path, which the
/// scripts in it contain.
fn expected_stamp(workspace: &Workspace, set: ToolSet) -> Result<String> {
    let path = requirements(workspace, set);
    let text =
        fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
    Ok(format!("{}\n{text}", workspace.root().display()))
}

/// Finds the Python for the virtual environments: `$PYTHON`, or else `python3`.
fn find_python() -> Result<PathBuf> {
    let python = PathBuf::from(std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into()));
    let mut command = Command::new(&python);
    command.args([
        "-c",
        "import sys, venv, ensurepip; print(*sys.version_info[:2])",
    ]);
    let text = match process::output(&mut command) {
        Ok(text) => text,
        Err(error) => bail!(
            "{error:#}\na Python with `venv` is needed: install python3 and python3-venv, \
             or name another interpreter in the variable PYTHON"
        ),
    };
    let version = parse_version(&text).with_context(|| {
        format!(
            "`{}` gave `{}` as its version",
            python.display(),
            text.trim()
        )
    })?;
    ensure!(
        version >= OLDEST_PYTHON,
        "`{}` is Python {}.{}, but {}.{} or later is needed; name another interpreter in the variable PYTHON",
        python.display(),
        version.0,
        version.1,
        OLDEST_PYTHON.0,
        OLDEST_PYTHON.1
    );
    Ok(python)
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A cargo subcommand, built once for each version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CargoTool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl CargoTool {
    /// Builds the tool unless it is already built, and returns its program.
    pub(crate) fn install(self, workspace: &Workspace) -> Result<PathBuf> {
        let program = self.folder(workspace).join("bin").join(self.name);
        if !program.exists() {
            step(&format!("install {} {}", self.name, self.version), || {
                self.build(workspace)
            })?;
        }
        Ok(program)
    }

    fn build(self, workspace: &Workspace) -> Result<()> {
        // The build is not optimised: these tools run for a second and would take minutes to
        // optimise.
        let mut command = workspace.cargo();
        command
            .args([
                "install",
                "--locked",
                "--debug",
                "--config",
                "profile.dev.debug=0",
            ])
            .args(["--version", self.version, "--root"])
            .arg(self.folder(workspace))
            .arg(self.name);
        process::run_logged(
            &mut command,
            &workspace.tools_dir().join(format!("{}.log", self.name)),
        )
        .with_context(|| format!("installing {}; this needs network access once", self.name))
    }

    fn folder(self, workspace: &Workspace) -> PathBuf {
        workspace
            .tools_dir()
            .join(format!("{}-{}", self.name, self.version))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(parse_version("3 9\n").unwrap() < OLDEST_PYTHON);
        assert!(parse_version("3 13\n").unwrap() >= OLDEST_PYTHON);
        assert_eq!(parse_version("three"), None);
    }

    /// Returns the packages of a requirements file, each with its version and hashes.
    fn packages(file: &Path) -> Vec<String> {
        let text = fs::read_to_string(file).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", "");
        joined.lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_requirement_is_pinned_with_hashes() {
        let workspace = Workspace::find().unwrap();
        for set in ToolSet::ALL {
            let pinned = packages(&requirements(&workspace, set));
            for package in &pinned {
                assert!(package.contains("=="), "{package}");
                assert!(package.contains("--hash=sha256:"), "{package}");
            }
            // Checks that `cargo xtask pin` was run after the last change of the wanted tools.
            for wanted in packages(&requested(&workspace, set)) {
                assert!(wanted.contains("=="), "{wanted}");
                let found = |package: &String| package.starts_with(&format!("{wanted} "));
                assert!(pinned.iter().any(found), "{wanted} of {set:?}");
            }
        }
    }

    #[test]
    fn both_interpreters_run_in_the_same_emulator() {
        let workspace = Workspace::find().unwrap();
        let lines = |set| {
            let text = fs::read_to_string(requirements(&workspace, set)).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let local = lines(ToolSet::Local);
        let interpreter = lines(ToolSet::Interpreter);
        for package in ["ministack==", "aws-sam-translator==", "cryptography=="] {
            let pinned = |line: &&String| line.starts_with(package);
            assert!(local.iter().any(|line| pinned(&line)), "{package}");
            assert_eq!(
                local.iter().find(pinned),
                interpreter.iter().find(pinned),
                "{package}"
            );
        }
    }
}
