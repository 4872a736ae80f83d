//! `webhooks dlq redrive`: move first, delete then.
//!
//! A crash in between moves one message twice, and that is harmless: a task is only a
//! task, and an event names its message and deliveries by itself. SQS's own
//! `StartMessageMoveTask` could do it for the tasks alone, and not on the emulator.

use std::time::Duration;

use anyhow::Result;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use clap::Args;
use futures_util::future::join_all;
use serde::Serialize;
use webhooks_client::Stack;
use webhooks_sqs::{SqsQueue, decode};
use webhooks_terminal::{Cell, Style, Table, Tone};

use super::{Choice, Kind};
use crate::Outcome;
use crate::print::{Printer, Reasons, Report, progress};
use crate::queue::{BATCH, Queue};

/// How long a message is hidden while it is moved. One that cannot be moved comes back
/// after that: not in this run, but soon.
const HIDDEN_FOR: Duration = Duration::from_mins(1);

/// Options of `dlq redrive`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Which queue.
    #[arg(value_enum)]
    queues: Choice,
    /// Move at most so many messages of each queue.
    #[arg(long, value_name = "N")]
    max: Option<u64>,
    /// Only say how many there are to move.
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
    /// About how many there were to move when it began.
    to_move: u64,
    moved: u64,
    not_moved: Reasons,
}

impl Options {
    /// Moves what it finds, one queue after the other.
    pub(super) async fn run(&self, stack: &Stack, printer: &mut Printer<'_>) -> Result<Outcome> {
        let mut redriven = Redriven(Vec::new());
        for &kind in self.queues.kinds() {
            let queue = kind.queue(stack)?;
            // What fails again comes back as a new message: the count at the start
            // ends the run all the same.
            let waiting = queue.counts().await?.waiting;
            let mut row = RedrivenQueue {
                queue: kind,
                to_move: self.max.map_or(waiting, |max| waiting.min(max)),
                moved: 0,
                not_moved: Reasons::default(),
            };
            if !self.dry_run {
                row.redrive(&queue, &kind.road(stack)?).await?;
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
    async fn redrive(&mut self, queue: &Queue, road: &Road<'_>) -> Result<()> {
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
            for (message, result) in messages.iter().zip(road.take(&messages).await) {
                match result {
                    Ok(()) => moved.push(message),
                    Err(reason) => self.not_moved.add(reason),
                }
            }
            if !moved.is_empty() {
                for _ in 0..queue.delete(&moved).await? {
                    self.not_moved.add("moved, but not deleted".to_owned());
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

/// The way that the messages of a queue were going.
enum Road<'a> {
    /// Tasks, to the delivery queue.
    Delivery(SqsQueue),
    /// Events, into the workflow.
    Workflow(&'a Stack),
}

impl Kind {
    fn road(self, stack: &Stack) -> Result<Road<'_>> {
        Ok(match self {
            Self::Deliveries => Road::Delivery(SqsQueue::new(
                aws_sdk_sqs::Client::new(stack.sdk_config()),
                stack.output("DeliveryQueueUrl")?.to_owned(),
            )),
            Self::Events | Self::Rule => Road::Workflow(stack),
        })
    }
}

impl Road<'_> {
    /// Moves up to [`BATCH`] messages. Returns for each, in order, why it was not moved.
    async fn take(&self, messages: &[Message]) -> Vec<Result<(), String>> {
        match self {
            Self::Delivery(queue) => send_tasks(queue, messages).await,
            Self::Workflow(stack) => {
                join_all(messages.iter().map(|message| start(stack, message))).await
            }
        }
    }
}

/// A task that is not understood stays where it is.
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

/// The message group, if the message has one.
fn group(message: &Message) -> Option<&str> {
    let group = MessageSystemAttributeName::MessageGroupId;
    message.attributes()?.get(&group).map(String::as_str)
}

/// Starts the workflow as the message's event would have, under a name that is the
/// message's own: a Standard workflow does not start twice for one message.
async fn start(stack: &Stack, message: &Message) -> Result<(), String> {
    let id = message.message_id().unwrap_or_default();
    let event = message.body().unwrap_or_default();
    stack
        .start_execution_once(&format!("redrive-{id}"), event)
        .await
        .map_err(reason)
}

/// An error with its causes, on one line.
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
    fn what_was_not_moved_is_shown_with_its_reason() {
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
        assert_eq!(
            redriven.text(Style::Plain),
            "  QUEUE   TO MOVE (ABOUT)  MOVED  NOT MOVED\n\
             \x20 events  3                3      0\n\
             \x20 rule    3                1      2\n\
             \n\
             \x20 COUNT  NOT DONE BECAUSE\n\
             \x20 2      too large\n"
        );
    }
}
