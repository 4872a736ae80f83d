//! A stack on the emulator: what the parts that run on one start from.

mod aws;
mod functions;
mod gate;
mod invocations;

use std::path::PathBuf;

use anyhow::Result;
use webhooks_client::{Api, Stack};

pub(crate) use self::{
    aws::{Aws, Service},
    functions::{Function, Role},
    gate::Gate,
    invocations::Invocations,
};

/// Where the stack is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Deployed {
    /// The stack's description, as `cargo xtask bench` writes it.
    #[arg(long, value_name = "FILE")]
    stack: PathBuf,
}

/// A stack, and the ways into it.
pub(crate) struct Deployment {
    /// Where events are put.
    pub(crate) stack: Stack,
    /// Where subscriptions are made.
    pub(crate) api: Api,
    /// What only the emulator's root may ask.
    pub(crate) aws: Aws,
    /// The functions that an event passes.
    pub(crate) functions: Vec<Function>,
}

impl Deployment {
    pub(crate) async fn load(deployed: &Deployed) -> Result<Self> {
        let stack = Stack::load(&deployed.stack).await?;
        let aws = Aws::of(&stack);
        Ok(Self {
            api: stack.api()?,
            functions: Function::all(&aws).await?,
            aws,
            stack,
        })
    }

    /// The functions with one role.
    pub(crate) fn with_role(&self, role: Role) -> impl Iterator<Item = &Function> {
        self.functions
            .iter()
            .filter(move |function| function.role == role)
    }
}
