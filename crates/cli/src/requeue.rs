//! `webhooks requeue`: queues deliveries again after a queue lost its messages.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::terminal::{Style, Table};
use anyhow::Result;
use clap::Args;
use futures_util::future::try_join_all;
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::time::{Instant, sleep};
use webhooks_client::Stack;
use webhooks_domain::delivery::{Delivery, DeliveryTask, OutgoingTask};
use webhooks_domain::ports::DeliveryQueue;
use webhooks_domain::queue::MAX_QUEUE_BATCH;
use webhooks_dynamodb::{DynamoStore, OverduePage, Segment};
use webhooks_sqs::SqsQueue;

use crate::Outcome;
use crate::clock::now;
use crate::print::{Printer, Reasons, Report, progress};

/// The number of table segments that are read in parallel.
const SEGMENTS: i32 = 4;

/// The waits before a task is sent again that the queue refused.
const RETRY_WAITS: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// Options of `requeue`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  webhooks requeue --dry-run
  webhooks requeue --older-than 2h --read-rate 200

Reads the whole table, for half a read unit per 4 KB and at the rate of `--read-rate`. You
may stop the command and run it again, because the delivery function drops unneeded tasks.
Set `--older-than` above the age of the oldest message in the delivery queue: a delivery
whose task still waits there needs no second one.")]
pub(crate) struct Options {
    /// Only deliveries whose attempt is overdue by more than this time.
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = humantime::parse_duration)]
    older_than: Duration,
    /// Only count them.
    #[arg(long)]
    dry_run: bool,
    /// The read units that may be used per second.
    #[arg(long, value_name = "UNITS", default_value = "1000")]
    read_rate: NonZeroU32,
}

/// The counts so far.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Requeued {
    items_read: u64,
    read_units: f64,
    found: u64,
    queued: u64,
    not_queued: Reasons,
}

impl Options {
    /// Finds overdue deliveries and queues them.
    pub(crate) async fn run(&self, stack: &Stack, printer: &mut Printer<'_>) -> Result<Outcome> {
        let sdk = stack.sdk_config();
        let run = Run {
            options: self,
            store: DynamoStore::new(
                aws_sdk_dynamodb::Client::new(sdk),
                stack.output("TableName")?.to_owned(),
            ),
            queue: SqsQueue::new(
                aws_sdk_sqs::Client::new(sdk),
                stack.output("DeliveryQueueUrl")?.to_owned(),
            ),
            started: Instant::now(),
            progress: progress(),
            requeued: RefCell::default(),
        };
        let segments = (0..SEGMENTS).map(|index| run.segment(index));
        try_join_all(segments).await?;
        run.progress.finish_and_clear();
        let requeued = run.requeued.into_inner();
        printer.print(&requeued)?;
        Ok(if requeued.not_queued.count() == 0 {
            Outcome::Complete
        } else {
            Outcome::Incomplete
        })
    }
}

/// One run over the table.
struct Run<'a> {
    options: &'a Options,
    store: DynamoStore,
    queue: SqsQueue,
    started: Instant,
    progress: ProgressBar,
    requeued: RefCell<Requeued>,
}

impl Run<'_> {
    /// Reads a segment completely and queues its overdue deliveries.
    async fn segment(&self, index: i32) -> Result<()> {
        let segment = Segment {
            index,
            count: SEGMENTS,
        };
        let mut cursor = None;
        loop {
            let page = self
                .store
                .overdue_page(segment, now(), self.options.older_than, cursor)
                .await?;
            let tasks = self.count(&page);
            if !self.options.dry_run {
                for tasks in tasks.chunks(MAX_QUEUE_BATCH) {
                    self.send(tasks).await?;
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
            let spent = self.requeued.borrow().read_units;
            let rate = self.options.read_rate;
            sleep(rest(spent, rate).saturating_sub(self.started.elapsed())).await;
        }
    }

    /// Adds a page to the counts. Returns the tasks for its deliveries.
    fn count<'a>(&self, page: &'a OverduePage) -> Vec<OutgoingTask<'a>> {
        let mut requeued = self.requeued.borrow_mut();
        requeued.items_read += page.items_read;
        requeued.read_units += page.read_units;
        requeued.found += page.deliveries.len() as u64;
        let mut tasks = Vec::with_capacity(page.deliveries.len());
        for delivery in &page.deliveries {
            match delivery {
                Ok(delivery) => tasks.push(outgoing(delivery)),
                Err(error) => requeued.not_queued.add(error.to_string()),
            }
        }
        let (read, found) = (requeued.items_read, requeued.found);
        self.progress
            .set_message(format!("{read} items read, {found} overdue deliveries"));
        tasks
    }

    /// Sends one batch, and sends the tasks again that the queue refused.
    async fn send(&self, tasks: &[OutgoingTask<'_>]) -> Result<()> {
        let mut tasks = tasks.to_vec();
        let mut waits = RETRY_WAITS.iter();
        loop {
            let refused = self.queue.send_batch(&tasks).await?;
            self.requeued.borrow_mut().queued += (tasks.len() - refused.len()) as u64;
            if refused.is_empty() {
                return Ok(());
            }
            let Some(wait) = waits.next() else {
                let reasons = &mut self.requeued.borrow_mut().not_queued;
                for refused in refused {
                    reasons.add(format!("refused by the queue: {}", refused.code));
                }
                return Ok(());
            };
            tasks = refused.iter().map(|refused| tasks[refused.index]).collect();
            sleep(*wait).await;
        }
    }
}

/// Returns the task for a delivery's next attempt.
fn outgoing(delivery: &Delivery) -> OutgoingTask<'_> {
    OutgoingTask {
        customer: &delivery.customer_id,
        task: DeliveryTask::new(
            delivery.id,
            delivery.next_attempt(),
            delivery.next_attempt_at,
        ),
        delay: Duration::ZERO,
    }
}

/// Returns the time that reading this many units must take.
fn rest(read_units: f64, rate: NonZeroU32) -> Duration {
    Duration::try_from_secs_f64(read_units / f64::from(rate.get())).unwrap_or_default()
}

impl Report for Requeued {
    fn text(&self, style: Style) -> String {
        let mut table = Table::new(["ITEMS READ", "READ UNITS", "OVERDUE", "QUEUED"]);
        table.push([
            self.items_read.to_string().into(),
            format!("{:.1}", self.read_units).into(),
            self.found.to_string().into(),
            self.queued.to_string().into(),
        ]);
        table.text(style) + &self.not_queued.text(style)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use proptest::prelude::*;
    use webhooks_domain::delivery::TaskDecision;
    use webhooks_testkit::samples;

    use super::*;
    use crate::Cli;

    proptest! {
        #[test]
        fn the_task_for_an_overdue_delivery_makes_its_next_attempt(
            attempts in 0u32..20,
            overdue_ms in 0u64..10_000_000,
        ) {
            let mut delivery =
                samples::delivery(&samples::message("acme", "1"), samples::subscription_id(1));
            delivery.attempts = (1..=attempts).map(samples::failed_attempt).collect();
            delivery.next_attempt_at = (attempts > 0).then_some(samples::NOW);
            let now = samples::NOW + Duration::from_millis(overdue_ms);
            prop_assert_eq!(
                delivery.decide(&outgoing(&delivery).task, now),
                TaskDecision::Attempt(attempts + 1)
            );
        }
    }

    #[test]
    fn reading_takes_as_long_as_the_rate_says() {
        let rate = |rate| NonZeroU32::new(rate).unwrap();
        assert_eq!(rest(128.0, rate(1_000)), Duration::from_millis(128));
        assert_eq!(rest(2_500.0, rate(500)), Duration::from_secs(5));
        assert_eq!(rest(0.0, rate(1)), Duration::ZERO);
    }

    #[test]
    fn options_outside_their_bounds_are_refused_by_name() {
        for (option, value) in [
            ("--older-than", "soon"),
            ("--older-than", "15"),
            ("--read-rate", "0"),
            ("--read-rate", "-1"),
        ] {
            let option_and_value = format!("{option}={value}");
            let line = ["webhooks", "requeue", &option_and_value];
            let error = Cli::try_parse_from(line).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(option), "{error}");
        }
    }

    #[test]
    fn deliveries_that_were_not_queued_are_shown_with_reasons() {
        let mut requeued = Requeued {
            items_read: 1_200,
            read_units: 36.25,
            found: 3,
            queued: 2,
            ..Requeued::default()
        };
        requeued
            .not_queued
            .add("refused by the queue: Throttled".to_owned());
        assert_text!(requeued.text(Style::Plain));
    }
}
