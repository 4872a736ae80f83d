//! A local stack: an emulator, and the template deployed to it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::emulator::{self, Emulator, Gate};
use crate::parameters::{self, Parameter};
use crate::programs::Programs;
use crate::progress::step;
use crate::refusals::Refusals;
use crate::tools::Tools;
use crate::workspace::Workspace;
use crate::{artifacts, process};

/// The stack's name in the emulator.
const STACK_NAME: &str = "webhooks";

/// The program of the gate before the emulator.
const GATE: &str = "webhooks-gate";

/// The strictness of the gate before the emulator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Strictness {
    /// It refuses calls that AWS would refuse, and operations that it does not know.
    Strict,
    /// It forwards operations that it does not know, because people use more of AWS than the
    /// product does.
    ForPeople,
    /// There is no gate.
    None,
}

/// A local stack and the folder that holds all of its files.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    workspace: Workspace,
    folder: PathBuf,
    /// Its name in the emulator.
    name: String,
    function_environment: Vec<(&'static str, OsString)>,
    second_interpreter: Option<Tools>,
    strictness: Strictness,
}

/// The data that clients need to use a stack; the contents of `stack.json`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Description {
    pub(crate) endpoint: String,
    region: String,
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    stack_name: String,
    /// The template's outputs by name.
    pub(crate) outputs: BTreeMap<String, String>,
}

impl Stack {
    /// Returns the stack with this name, running or not.
    pub(crate) fn new(workspace: &Workspace, name: &str) -> Self {
        Self {
            workspace: workspace.clone(),
            folder: workspace.stack_dir(name),
            name: STACK_NAME.to_owned(),
            function_environment: Vec::new(),
            second_interpreter: None,
            strictness: Strictness::Strict,
        }
    }

    /// Returns a stack with another name in the emulator of a running stack, whose folder is
    /// given.
    pub(crate) fn beside(workspace: &Workspace, folder: &Path, name: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            ..Self::new(workspace, name)
        }
    }

    /// Returns the stack with a gate that forwards operations that it does not know.
    #[must_use]
    pub(crate) fn for_people(self) -> Self {
        Self {
            strictness: Strictness::ForPeople,
            ..self
        }
    }

    /// Returns the stack without a gate, for measurements.
    #[must_use]
    pub(crate) fn without_gate(self) -> Self {
        Self {
            strictness: Strictness::None,
            ..self
        }
    }

    /// Returns the stack with the second interpreter of state machines.
    #[must_use]
    pub(crate) fn with_second_interpreter(mut self, tools: Tools) -> Self {
        self.second_interpreter = Some(tools);
        self
    }

    /// Returns the stack with one more environment variable for its functions, or another value
    /// of one that the emulator sets.
    #[must_use]
    pub(crate) fn with_function_variable(
        mut self,
        name: &'static str,
        value: impl Into<OsString>,
    ) -> Self {
        self.function_environment.push((name, value.into()));
        self
    }

    /// Returns the stack's emulator, if it runs.
    pub(crate) fn emulator(&self) -> Option<Emulator> {
        Emulator::running(&self.folder)
    }

    /// Returns the folder of the stack's files.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the file that describes the deployed stack.
    pub(crate) fn description_file(&self) -> PathBuf {
        let name = if self.name == STACK_NAME {
            "stack"
        } else {
            &self.name
        };
        self.folder.join(format!("{name}.json"))
    }

    /// Reads the description of the deployed stack.
    pub(crate) fn description(&self) -> Result<Description> {
        let path = self.description_file();
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("reading `{}`", path.display()))
    }

    /// Returns the file of the gate's refusals.
    pub(crate) fn refusals_file(&self) -> PathBuf {
        self.folder.join("refusals.jsonl")
    }

    /// Reads the gate's refusals since the stack was started.
    pub(crate) fn refusals(&self) -> Result<Refusals> {
        Refusals::read(&self.refusals_file())
    }

    /// Returns the result of a run on the stack; it also fails if AWS would have refused any
    /// call.
    pub(crate) fn judge(&self, result: Result<()>) -> Result<()> {
        self.refusals()?.judge(result)
    }

    /// Returns the log of the emulator and its gate.
    pub(crate) fn emulator_log(&self) -> PathBuf {
        self.folder.join("emulator.log")
    }

    /// Starts the emulator unless it runs, and deploys the template to it. If that fails, or
    /// when this program ends, everything is stopped, unless [`Stack::keep`] is called.
    pub(crate) fn up(
        &self,
        tools: &Tools,
        programs: &Programs,
        port: Option<u16>,
        parameters: &[Parameter],
    ) -> Result<()> {
        let template = artifacts::write(&self.workspace, tools, programs, &self.folder)?;
        if let Some(emulator) = self.emulator() {
            ensure!(
                port.is_none_or(|port| port == emulator.port()),
                "the stack already runs on port {}: take it down first to change the port",
                emulator.port()
            );
            return self.deploy(tools, &emulator, &template, parameters);
        }
        let port = emulator::choose_port(port)?;
        let gate = self.gate(programs)?;
        let emulator = step("start the emulator", || {
            let variables = &self.function_environment;
            Emulator::start(
                &self.workspace,
                tools,
                self.second_interpreter.as_ref(),
                &self.folder,
                port,
                gate.as_ref(),
                variables,
            )
        })?;
        let deployed = self.deploy(tools, &emulator, &template, parameters);
        if deployed.is_err() {
            self.stop(&emulator)?;
        }
        deployed
    }

    /// Deploys the running stack's template under this stack's name in the same emulator.
    pub(crate) fn deploy_beside(&self, tools: &Tools, parameters: &[Parameter]) -> Result<()> {
        let Some(emulator) = self.emulator() else {
            bail!("no stack runs in `{}`", self.folder.display());
        };
        let template = self.folder.join("template.yaml");
        self.deploy(tools, &emulator, &template, parameters)
    }

    /// Returns the gate, with an empty file of refusals.
    fn gate(&self, programs: &Programs) -> Result<Option<Gate>> {
        if self.strictness == Strictness::None {
            return Ok(None);
        }
        let refusals = self.refusals_file();
        process::create(&refusals)?;
        Ok(Some(Gate {
            program: programs.path(GATE)?.to_owned(),
            refusals,
            lets_unknown_pass: self.strictness == Strictness::ForPeople,
        }))
    }

    /// Keeps the stack running after this program.
    pub(crate) fn keep(&self) -> Result<()> {
        Emulator::keep(&self.folder)
    }

    /// Ends the emulator and removes everything but its logs. Returns true if it was running.
    pub(crate) fn down(&self) -> Result<bool> {
        match self.emulator() {
            Some(emulator) => self.stop(&emulator).map(|()| true),
            None => Ok(false),
        }
    }

    fn stop(&self, emulator: &Emulator) -> Result<()> {
        let description = self.description_file();
        if description.exists() {
            fs::remove_file(&description)
                .with_context(|| format!("removing `{}`", description.display()))?;
        }
        emulator.stop(&self.folder)
    }

    fn deploy(
        &self,
        tools: &Tools,
        emulator: &Emulator,
        template: &Path,
        parameters: &[Parameter],
    ) -> Result<()> {
        let samconfig = self.workspace.root().join("samconfig.toml");
        let overrides = parameters::overrides(&samconfig, parameters)?;
        let log = self.folder.join(format!("deploy-{}.log", self.name));
        step("deploy the stack", || {
            let mut command = sam(tools, emulator);
            command
                .args(["deploy", "--stack-name", &self.name, "--resolve-s3"])
                .args(["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset"])
                .args(["--no-fail-on-empty-changeset", "--no-progressbar"])
                .args(["--config-env", "local", "--config-file"])
                .arg(&samconfig)
                .arg("--template-file")
                .arg(template);
            if !overrides.is_empty() {
                command.arg("--parameter-overrides").args(&overrides);
            }
            process::run_logged(&mut command, &log)?;
            self.describe(tools, emulator)
        })
    }

    /// Writes `stack.json`.
    fn describe(&self, tools: &Tools, emulator: &Emulator) -> Result<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Output {
            output_key: String,
            output_value: String,
        }
        let mut command = sam(tools, emulator);
        command.args([
            "list",
            "stack-outputs",
            "--stack-name",
            &self.name,
            "--output",
            "json",
        ]);
        let text = process::output(&mut command)?;
        let outputs: Vec<Output> =
            serde_json::from_str(&text).context("reading the outputs of the stack")?;
        let description = Description {
            endpoint: emulator.endpoint(),
            region: emulator::REGION.to_owned(),
            access_key_id: emulator::ACCESS_KEY_ID.to_owned(),
            secret_access_key: emulator::SECRET_ACCESS_KEY.to_owned(),
            stack_name: STACK_NAME.to_owned(),
            outputs: outputs
                .into_iter()
                .map(|output| (output.output_key, output.output_value))
                .collect(),
        };
        let path = self.description_file();
        let mut text = serde_json::to_string_pretty(&description)?;
        text.push('\n');
        fs::write(&path, text).with_context(|| format!("writing `{}`", path.display()))
    }

    /// Shows the functions' logs from the emulator, and continues to show them if requested.
    pub(crate) fn show_function_logs(&self, tools: &Tools, follow: bool) -> Result<()> {
        let Some(emulator) = self.emulator() else {
            bail!("no local stack runs; start one with `cargo xtask local up`");
        };
        let mut command = sam(tools, &emulator);
        command.args(["logs", "--stack-name", &self.name]);
        if follow {
            command.arg("--tail");
        }
        process::run(&mut command)
    }
}

/// Returns a SAM CLI command with the credentials of the emulator's root.
pub(crate) fn sam(tools: &Tools, emulator: &Emulator) -> Command {
    let mut command = as_root(tools.command("sam"), emulator);
    // The seconds between two checks of the progress; SAM's default is 5.
    command.env("SAM_CLI_POLL_DELAY", "0.2");
    command
}

/// Adds the credentials of the emulator's root to a command.
pub(crate) fn as_root(mut command: Command, emulator: &Emulator) -> Command {
    command
        .env("AWS_ENDPOINT_URL", emulator.endpoint())
        .env("AWS_ACCESS_KEY_ID", emulator::ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", emulator::SECRET_ACCESS_KEY)
        .env("AWS_DEFAULT_REGION", emulator::REGION)
        .env("AWS_REGION", emulator::REGION);
    command
}

/// Prints the addresses of a running stack.
pub(crate) fn print_description(description: &Description) {
    let width = description
        .outputs
        .keys()
        .map(String::len)
        .max()
        .unwrap_or_default();
    println!("{:width$}  {}", "endpoint", description.endpoint);
    for (name, value) in &description.outputs {
        println!("{name:width$}  {value}");
    }
}
