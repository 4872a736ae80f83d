//! The `webhooks` command line, on the stack of `WEBHOOKS_STACK`.

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::Value;
use webhooks_cli::terminal::Style;
use webhooks_cli::{Cli, Outcome};

/// Runs `webhooks …` and returns what it prints.
pub(crate) async fn webhooks_text(command: &[&str]) -> Result<(Outcome, String)> {
    let line = ["webhooks"].iter().chain(command);
    let mut out = Vec::new();
    let outcome = Cli::try_parse_from(line)?
        .run(&mut out, Style::Plain)
        .await
        .with_context(|| format!("webhooks {}", command.join(" ")))?;
    Ok((outcome, String::from_utf8(out)?))
}

/// Runs `webhooks --json …`.
pub(crate) async fn webhooks(command: &[&str]) -> Result<(Outcome, Value)> {
    let (outcome, out) = webhooks_text(&[&["--json"], command].concat()).await?;
    let json = serde_json::from_str(&out).with_context(|| format!("not JSON: {out}"))?;
    Ok((outcome, json))
}
