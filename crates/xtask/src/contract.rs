//! Runs the fuzzer of the API's contract. It generates requests from the API's document, the
//! same ones in every run, and checks the answers against the document.

use anyhow::Result;

use crate::process;
use crate::progress::step;
use crate::stack::Stack;
use crate::tools::{ToolSet, Tools};
use crate::workspace::Workspace;

/// Fuzzes a deployed stack. All webhooks go to a closed port of this machine.
pub(crate) fn run(workspace: &Workspace, stack: &Stack) -> Result<()> {
    if !Tools::are_installed(workspace, ToolSet::Contract)? {
        step("install Schemathesis", || {
            Tools::install(workspace, ToolSet::Contract)
        })?;
    }
    let mut command = Tools::install(workspace, ToolSet::Contract)?.command("st");
    command
        .args(["--config-file", "tests/contract/schemathesis.toml"])
        .args(["run", "docs/openapi.json", "--url"])
        .arg(stack.description()?.endpoint)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("WEBHOOKS_STACK", stack.description_file());
    process::run(&mut command)
}
