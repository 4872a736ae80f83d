//! `cargo xtask deploy-beside`: deploys a second stack into the emulator of a running stack, so
//! that an end-to-end test can see how two stacks interact.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::parameters::Parameter;
use crate::stack::Stack;
use crate::tools::{ToolSet, Tools};
use crate::workspace::Workspace;

/// Options of `deploy-beside`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The folder of the running stack.
    #[arg(long)]
    folder: PathBuf,
    /// The name of the second stack, and of its description file in the folder.
    #[arg(long)]
    stack_name: String,
    /// A parameter of template.yaml; overrides samconfig.toml. Repeatable.
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<Parameter>,
}

/// Deploys the running stack's template under another name.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let tools = Tools::install(workspace, ToolSet::Local)?;
    let stack = Stack::beside(workspace, &options.folder, &options.stack_name);
    stack.deploy_beside(&tools, &options.parameters)
}
