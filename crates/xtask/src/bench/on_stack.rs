//! The parts that run on a stack: how it is deployed for each, and what the part is told.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::artifacts::Programs;
use crate::emulator;
use crate::parameters::Parameter;
use crate::process;
use crate::progress::step;
use crate::stack::Stack;
use crate::tools::Tools;
use crate::workspace::Workspace;

/// The folder of the stack.
const STACK: &str = "bench/stack";

/// What a part needs of its stack. What it does not name is as in samconfig.toml.
pub(crate) struct OnStack {
    parameters: Vec<Parameter>,
    /// Stands before the emulator, as the part is told.
    proxy_port: Option<u16>,
    arguments: Vec<OsString>,
}

impl OnStack {
    /// For `path`: as for a laptop.
    pub(crate) fn path() -> Self {
        Self {
            parameters: Vec::new(),
            proxy_port: None,
            arguments: Vec::new(),
        }
    }

    /// For `isolation`: the template's defaults where they decide, with a shorter timeout, so
    /// that a run of less than a minute sees several of them.
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

    /// For `bill`: behind a proxy that counts, and with waits that the queue keeps.
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

    /// Brings up the stack, runs the part on it, and takes it down.
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
        // What an interrupted run may have left.
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
