//! `webhooks transforms`: the transforms of payloads.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use webhooks_client::{Api, Transform, TransformTest};

use crate::Outcome;
use crate::answer::show;
use crate::input;
use crate::print::Printer;
use crate::terminal::clean_lines;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the body that a transform makes of an event. Nothing is stored or sent.
    #[command(after_help = "\
Examples:
  webhooks transforms test slack.json --event events/order-created.json
  webhooks transforms test slack.json --example order.created

FILE has the `transform` of a subscription:
  {\"paths\": {\"total\": \"$.detail.order.total\"}, \"template\": \"{\\\"text\\\": \\\"An order of <total>\\\"}\"}")]
    Test(Test),
}

/// Options of `transforms test`.
#[derive(Args, Debug)]
pub(crate) struct Test {
    /// The transform as JSON; `-` reads standard input.
    #[arg(value_name = "FILE")]
    transform: PathBuf,
    /// The event as JSON, with at least a `detail`.
    #[arg(long, value_name = "FILE", required_unless_present = "example")]
    event: Option<PathBuf>,
    /// An event type of the catalogue, whose first example is the event's `detail`.
    #[arg(long, value_name = "EVENT_TYPE", conflicts_with = "event")]
    example: Option<String>,
    /// The content type, which decides how values are written.
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
}

impl Command {
    /// Runs the command and prints its result.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let Self::Test(test) = self;
        let request = TransformTest {
            transform: read::<Transform>(&test.transform)?,
            content_type: test.content_type.clone(),
            event: test.event.as_deref().map(read).transpose()?,
            example: test.example.clone(),
        };
        let call = api.test_transform(&request);
        show(call, printer, |made, _| {
            format!("{}\n", clean_lines(&made.body))
        })
        .await?;
        Ok(Outcome::Complete)
    }
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let bytes = input::read(file)?;
    serde_json::from_slice(&bytes).with_context(|| format!("`{}`", file.display()))
}
