//! The fuzzer of the API's contract: requests made up from its document, the same ones every
//! time, and its answers held against it.

use anyhow::Result;

use crate::process;
use crate::progress::step;
use crate::stack::Stack;
use crate::tools::{ToolSet, Tools};
use crate::workspace::Workspace;

/// Asks a deployed stack. All webhooks go to a closed port of this machine.
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
