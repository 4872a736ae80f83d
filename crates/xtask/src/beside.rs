//! `cargo xtask deploy-beside`: a second stack in the emulator of one that runs, so that an
//! end-to-end test can see what two stacks have to do with each other.

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
    /// The folder of the stack that runs.
    #[arg(long)]
    folder: PathBuf,
    /// The name of the second stack, and of the file in the folder that describes it.
    #[arg(long)]
    stack_name: String,
    /// A parameter of template.yaml; overrides samconfig.toml. Repeatable.
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<Parameter>,
}

/// Deploys the template of the stack that runs once more.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let tools = Tools::install(workspace, ToolSet::Local)?;
    let stack = Stack::beside(workspace, &options.folder, &options.stack_name);
    stack.deploy_beside(&tools, &options.parameters)
}
