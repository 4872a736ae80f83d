//! The parts that run on a stack: the deployment and the arguments of each part.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::emulator;
use crate::parameters::Parameter;
use crate::process;
use crate::programs::Programs;
use crate::progress::step;
use crate::stack::Stack;
use crate::tools::Tools;
use crate::workspace::Workspace;

/// The folder of the stack.
const STACK: &str = "bench/stack";

/// A part's settings of its stack. All other settings are those of samconfig.toml.
pub(crate) struct OnStack {
    parameters: Vec<Parameter>,
    /// The port of the part's proxy before the emulator.
    proxy_port: Option<u16>,
    arguments: Vec<OsString>,
}

impl OnStack {
    /// For `path`: the settings for a laptop.
    pub(crate) fn path() -> Self {
        Self {
            parameters: Vec::new(),
            proxy_port: None,
            arguments: Vec::new(),
        }
    }

    /// For `isolation`: the template's defaults for everything that matters, with a shorter
    /// timeout, so that several timeouts fit into a run of less than a minute.
    pub(crate) fn isolation() -> Self {
        const TIMEOUT_SECONDS: &str = "5";
        Self {
            parameters: vec![
                Parameter::new("RequestTimeoutSeconds", TIMEOUT_SECONDS),
                Parameter::new("MaximumDeliveryConcurrency", "50"),
                Parameter::new("MaximumSlowDeliveryConcurrency", "20"),
                Parameter::new(
                    "RetrySchedule",
                    "0,5,300,1800,7200,18000,36000,50400,72000,86400",
                ),
                Parameter::new("CircuitCooldownSeconds", "30"),
            ],
            proxy_port: None,
            arguments: vec!["--request-timeout".into(), TIMEOUT_SECONDS.into()],
        }
    }

    /// For `bill`: calls go through a counting proxy, and all waits are short enough for the
    /// queue.
    pub(crate) fn bill(prices: &Path) -> Result<Self> {
        let proxy_port = emulator::free_port()?;
        Ok(Self {
            parameters: vec![Parameter::new("RetrySchedule", "0,5,5")],
            proxy_port: Some(proxy_port),
            arguments: vec![
                "--proxy-port".into(),
                proxy_port.to_string().into(),
                "--prices".into(),
                prices.into(),
            ],
        })
    }

    /// Starts the stack, runs the part on it, and takes the stack down.
    pub(crate) fn run(
        &self,
        workspace: &Workspace,
        tools: &Tools,
        programs: &Programs,
        measurement: &mut Command,
    ) -> Result<()> {
        let mut stack = Stack::new(workspace, STACK).without_gate();
        if let Some(port) = self.proxy_port {
            stack = stack.with_function_variable("AWS_ENDPOINT_URL", emulator::endpoint(port));
        }
        // Removes the stack of an interrupted run.
        stack.down()?;
        let port = emulator::free_port()?;
        stack.up(tools, programs, Some(port), &self.parameters)?;
        measurement
            .arg("--stack")
            .arg(stack.description_file())
            .args(&self.arguments);
        let measured = process::run(measurement);
        step("take the stack down", || stack.down())?;
        measured
    }
}
