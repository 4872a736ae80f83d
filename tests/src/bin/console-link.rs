//! Prints a link to the console of a local stack, for `cargo xtask local up` and `demo --keep`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use webhooks_client::{
    ConsoleSessionsRequest, CreatedPortalSession, NewConsoleSession, PortalCapability, Stack,
};

/// Prints a link to the console. It works once, and for 5 minutes.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The stack's description, as `cargo xtask local up` writes it.
    #[arg(long, value_name = "FILE")]
    stack: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let stack = Stack::load(&Arguments::parse().stack).await?;
    let session = NewConsoleSession {
        actor: "developer".to_owned(),
        capabilities: vec![
            PortalCapability::View,
            PortalCapability::Payloads,
            PortalCapability::Manage,
            PortalCapability::Secrets,
            PortalCapability::Resend,
        ],
        expires_in_seconds: None,
    };
    let request = ConsoleSessionsRequest::Create(session);
    let created: CreatedPortalSession = stack.console_sessions(&request).await?;
    println!("{}", stack.link(&created.url));
    Ok(())
}
