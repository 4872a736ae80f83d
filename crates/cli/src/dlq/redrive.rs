//! `webhooks dlq redrive`: moves each message before it deletes it.
//!
//! A crash in between moves one message twice, which is harmless: a task contains no data, and
//! the ids of a message and its deliveries follow from the event. SQS's own
//! `StartMessageMoveTask` could move only the tasks, and the emulator does not support it.

use std::time::Duration;

use crate::terminal::{Cell, Style, Table, Tone};
use anyhow::Result;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use clap::Args;
use futures_util::future::join_all;
use serde::Serialize;
use webhooks_client::Stack;
use webhooks_sqs::{SqsQueue, decode};

use super::{Choice, Kind};
use crate::Outcome;
use crate::print::{Printer, Reasons, Report, progress};
use crate::queue::{BATCH, Queue};

/// The time for which a message is hidden while it is moved. A message that cannot be moved
/// becomes visible again after it, too late for this run.
const HIDDEN_FOR: Duration = Duration::from_mins(1);

/// Options of `dlq redrive`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The queue.
    #[arg(value_enum)]
    queues: Choice,
    /// Move at most this many messages of each queue.
    #[arg(long, value_name = "N")]
    max: Option<u64>,
    /// Only count the messages.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Redriven(Vec<RedrivenQueue>);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RedrivenQueue {
    queue: Kind,
    /// The approximate number of messages at the start.
    to_move: u64,
    moved: u64,
    not_moved: Reasons,
}

impl Options {
    /// Moves the messages of one queue after the other.
    pub(super) async fn run(&self, stack: &Stack, printer: &mut Printer<'_>) -> Result<Outcome> {
        let mut redriven = Redriven(Vec::new());
        for &kind in self.queues.kinds() {
            let queue = kind.queue(stack)?;
            // A message that fails again returns as a new message, so the count at the start is
            // the limit of this run.
            let waiting = queue.counts().await?.waiting;
            let mut row = RedrivenQueue {
                queue: kind,
                to_move: self.max.map_or(waiting, |max| waiting.min(max)),
                moved: 0,
                not_moved: Reasons::default(),
            };
            if !self.dry_run {
                row.redrive(&queue, &kind.destination(stack)?).await?;
            }
            redriven.0.push(row);
        }
        printer.print(&redriven)?;
        let all_moved = redriven.0.iter().all(|row| row.not_moved.count() == 0);
        Ok(if all_moved {
            Outcome::Complete
        } else {
            Outcome::Incomplete
        })
    }
}

impl RedrivenQueue {
    async fn redrive(&mut self, queue: &Queue, destination: &Destination<'_>) -> Result<()> {
        let progress = progress();
        let mut left = self.to_move;
        while left > 0 {
            let limit = usize::try_from(left).unwrap_or(BATCH);
            let messages = queue.receive(limit, HIDDEN_FOR).await?;
            if messages.is_empty() {
                break;
            }
            left = left.saturating_sub(messages.len() as u64);
            let mut moved = Vec::with_capacity(messages.len());
            for (message, result) in messages
                .iter()
                .zip(destination.move_messages(&messages).await)
            {
                match result {
                    Ok(()) => moved.push(message),
                    Err(reason) => self.not_moved.add(reason),
                }
            }
            if !moved.is_empty() {
                for _ in 0..queue.delete(&moved).await? {
                    self.not_moved.add("moved but not deleted".to_owned());
                }
            }
            self.moved += moved.len() as u64;
            let (moved, name) = (self.moved, self.queue.name());
            progress.set_message(format!("{name}: {moved} of {} moved", self.to_move));
        }
        progress.finish_and_clear();
        Ok(())
    }
}

/// The destination of a queue's messages.
enum Destination<'a> {
    /// The delivery queue, for tasks.
    Delivery(SqsQueue),
    /// The workflow, for events.
    Workflow(&'a Stack),
}

impl Kind {
    fn destination(self, stack: &Stack) -> Result<Destination<'_>> {
        Ok(match self {
            Self::Deliveries => Destination::Delivery(SqsQueue::new(
                aws_sdk_sqs::Client::new(stack.sdk_config()),
                stack.output("DeliveryQueueUrl")?.to_owned(),
            )),
            Self::Events | Self::Rule => Destination::Workflow(stack),
        })
    }
}

impl Destination<'_> {
    /// Moves up to [`BATCH`] messages. Returns the result for each, in order; an error is the
    /// reason why the message was not moved.
    async fn move_messages(&self, messages: &[Message]) -> Vec<Result<(), String>> {
        match self {
            Self::Delivery(queue) => send_tasks(queue, messages).await,
            Self::Workflow(stack) => {
                join_all(messages.iter().map(|message| start(stack, message))).await
            }
        }
    }
}

/// Sends tasks to the queue. A task that cannot be read stays in its queue.
async fn send_tasks(queue: &SqsQueue, messages: &[Message]) -> Vec<Result<(), String>> {
    let body = |message: &Message| decode(message.body().unwrap_or_default());
    let tasks: Vec<_> = messages.iter().map(body).collect();
    let understood = tasks.iter().zip(messages);
    let understood: Vec<_> = understood
        .filter_map(|(task, message)| Some((*task.as_ref().ok()?, group(message))))
        .collect();
    let mut sent = vec![Ok(()); understood.len()];
    if !understood.is_empty() {
        match queue.send_again(&understood).await {
            Ok(refused) => {
                for refused in refused {
                    sent[refused.index] = Err(format!("refused by the queue: {}", refused.code));
                }
            }
            Err(error) => sent.fill(Err(reason(error))),
        }
    }
    let mut sent = sent.into_iter();
    let results = tasks.into_iter().map(|task| match task {
        Ok(_) => sent.next().expect("there is a result for each task"),
        Err(error) => Err(reason(error)),
    });
    results.collect()
}

/// Returns the message group, if the message has one.
fn group(message: &Message) -> Option<&str> {
    let group = MessageSystemAttributeName::MessageGroupId;
    message.attributes()?.get(&group).map(String::as_str)
}

/// Starts the workflow as the rule would have done, under a name derived from the message: a
/// Standard workflow does not start twice for one message.
async fn start(stack: &Stack, message: &Message) -> Result<(), String> {
    let id = message.message_id().unwrap_or_default();
    let event = message.body().unwrap_or_default();
    stack
        .start_execution_once(&format!("redrive-{id}"), event)
        .await
        .map_err(reason)
}

/// Formats an error and its causes on one line.
fn reason(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}

impl Report for Redriven {
    fn text(&self, style: Style) -> String {
        let mut table = Table::new(["QUEUE", "TO MOVE (ABOUT)", "MOVED", "NOT MOVED"]);
        for row in &self.0 {
            let not_moved = row.not_moved.count();
            let tone = if not_moved > 0 {
                Tone::Bad
            } else {
                Tone::Plain
            };
            table.push([
                row.queue.name().into(),
                row.to_move.to_string().into(),
                row.moved.to_string().into(),
                Cell::new(not_moved.to_string(), tone),
            ]);
        }
        let reasons = self.0.iter().map(|row| row.not_moved.text(style));
        table.text(style) + &reasons.collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_were_not_moved_are_shown_with_reasons() {
        let row = |queue, moved, reasons: &[&str]| {
            let mut not_moved = Reasons::default();
            for reason in reasons {
                not_moved.add((*reason).to_owned());
            }
            RedrivenQueue {
                queue,
                to_move: 3,
                moved,
                not_moved,
            }
        };
        let redriven = Redriven(vec![
            row(Kind::Events, 3, &[]),
            row(Kind::Rule, 1, &["too large", "too large"]),
        ]);
        assert_text!(redriven.text(Style::Plain));
    }
}
