//! `webhooks dlq drop`.

use crate::terminal::{Style, Table};
use anyhow::Result;
use serde::Serialize;
use webhooks_client::Stack;

use super::Kind;
use crate::Outcome;
use crate::print::{Printer, Report};

#[derive(Serialize)]
#[serde(transparent)]
struct Dropped(Vec<DroppedQueue>);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DroppedQueue {
    queue: Kind,
    /// The approximate number of messages.
    dropped: u64,
}

/// Purges the queues.
pub(super) async fn run(
    stack: &Stack,
    kinds: &[Kind],
    printer: &mut Printer<'_>,
) -> Result<Outcome> {
    let mut dropped = Vec::with_capacity(kinds.len());
    for &kind in kinds {
        let queue = kind.queue(stack)?;
        let counts = queue.counts().await?;
        queue.purge().await?;
        dropped.push(DroppedQueue {
            queue: kind,
            dropped: counts.waiting + counts.in_flight,
        });
    }
    printer.print(&Dropped(dropped))?;
    Ok(Outcome::Complete)
}

impl Report for Dropped {
    fn text(&self, style: Style) -> String {
        let mut table = Table::new(["QUEUE", "DROPPED (ABOUT)"]);
        for row in &self.0 {
            table.push([row.queue.name().into(), row.dropped.to_string().into()]);
        }
        table.text(style)
    }
}
