//! A stack on the emulator, for the parts that need one.

mod aws;
mod functions;
mod gate;
mod invocations;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use webhooks_client::{Api, Stack};

pub(crate) use self::{
    aws::{Aws, Service},
    functions::{Function, Role},
    gate::Gate,
    invocations::Invocations,
};

/// The emulator's wait before it begins an execution.
pub(crate) const EMULATOR_WAITS: Duration = Duration::from_millis(150);

/// The option that names the stack.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Deployed {
    /// The stack's description, as written by `cargo xtask bench`.
    #[arg(long, value_name = "FILE")]
    stack: PathBuf,
}

/// A stack with its clients.
pub(crate) struct Deployment {
    /// The stack, for putting events.
    pub(crate) stack: Stack,
    /// The client of the API, for subscriptions.
    pub(crate) api: Api,
    /// The client for calls that only the emulator's root may make.
    pub(crate) aws: Aws,
    /// The functions through which an event passes.
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

    /// Returns the functions with one role.
    pub(crate) fn with_role(&self, role: Role) -> impl Iterator<Item = &Function> {
        self.functions
            .iter()
            .filter(move |function| function.role == role)
    }
}
