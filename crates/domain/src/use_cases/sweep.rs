//! The minute's sweep: sends the tasks of deliveries whose long wait is over, and those
//! that were lost.
//!
//! A task is sent **before** its entry is postponed: a sweep that dies in between repeats
//! tasks, and the guard of [`crate::deliver`] absorbs them. It also absorbs what two sweeps
//! that overlap both send; so that they seldom do, one ends within its minute and leaves
//! the rest to the next.

use std::time::Duration;

use futures_util::future::join_all;

use crate::delivery::DueEntry;
use crate::due::Shard;
use crate::ports::{Clock, DeliveryQueue, DueIndex, QueueError, StoreError};
use crate::queue::MAX_QUEUE_BATCH;
use crate::timestamp::Timestamp;

/// How many entries of a shard are read at once.
const PAGE: u32 = 200;

/// A failure of ours. The next sweep goes on where this one stopped.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// What a sweep has done.
#[derive(Debug, Default)]
pub struct SweepReport {
    /// Tasks that were sent.
    pub queued: u64,
    /// Those of them whose attempt was overdue: an earlier task was lost, or is still waiting.
    pub overdue: u64,
    /// How long the oldest entry that was found had waited for a sweep; `None` when there
    /// was none.
    pub lag: Option<Duration>,
    /// Whether time ran out before everything was sent.
    pub unfinished: bool,
    /// What went wrong; the rest was done.
    pub failures: Vec<SweepError>,
}

/// The sweep, with its surroundings.
#[derive(Debug)]
pub struct Sweep<T, Q, C> {
    /// The `due` index.
    pub table: T,
    /// Where tasks go.
    pub queue: Q,
    /// Who tells the time.
    pub clock: C,
}

impl<T: DueIndex, Q: DeliveryQueue, C: Clock> Sweep<T, Q, C> {
    /// Sends what is due, and begins nothing after `end`. Safe to run again at any time.
    pub async fn run(&self, end: Timestamp) -> SweepReport {
        let shards = join_all(Shard::all().map(|shard| self.sweep_shard(shard, end))).await;
        shards
            .into_iter()
            .fold(SweepReport::default(), SweepReport::merge)
    }

    async fn sweep_shard(&self, shard: Shard, end: Timestamp) -> SweepReport {
        let mut report = SweepReport::default();
        if let Err(failure) = self.sweep_pages(shard, end, &mut report).await {
            report.failures.push(failure);
        }
        report
    }

    async fn sweep_pages(
        &self,
        shard: Shard,
        end: Timestamp,
        report: &mut SweepReport,
    ) -> Result<(), SweepError> {
        let until = self.clock.now();
        let mut after = None;
        loop {
            let page = self
                .table
                .due_page(shard, until, after.as_ref(), PAGE)
                .await?;
            let unreadable = page.unreadable.into_iter().map(SweepError::from);
            report.failures.extend(unreadable);
            for batch in page.due.chunks(MAX_QUEUE_BATCH) {
                if self.clock.now() >= end {
                    report.unfinished = true;
                    return Ok(());
                }
                self.send(batch, report).await?;
            }
            after = page.due.last().cloned();
            if after.is_none() || !page.has_more {
                return Ok(());
            }
        }
    }

    /// Sends a batch of tasks, and postpones the entries of those that the queue took.
    async fn send(&self, batch: &[DueEntry], report: &mut SweepReport) -> Result<(), SweepError> {
        let now = self.clock.now();
        let tasks: Vec<_> = batch.iter().map(|due| due.outgoing(now)).collect();
        let lag = batch.iter().map(|due| now.since(due.sweep_at)).max();
        report.lag = report.lag.max(lag);
        // What is refused stays where it is, for the next sweep.
        let refused = self.queue.send_batch(&tasks).await?;
        let taken = |index| refused.iter().all(|refused| refused.index != index);
        let sent: Vec<_> = (0..)
            .zip(batch)
            .filter(|(index, _)| taken(*index))
            .map(|(_, due)| due)
            .collect();
        report.queued += sent.len() as u64;
        report.overdue += sent.iter().filter(|due| due.is_overdue(now)).count() as u64;
        let postponed = sent
            .into_iter()
            .map(|due| self.table.postpone(due, due.sweep_again_at(now)));
        // A conflict means that an attempt was recorded since: its own entry counts.
        let results = join_all(postponed).await;
        let failures = results.into_iter().filter_map(Result::err);
        report.failures.extend(failures.map(SweepError::from));
        Ok(())
    }
}

impl SweepReport {
    fn merge(mut self, other: Self) -> Self {
        self.queued += other.queued;
        self.overdue += other.overdue;
        self.lag = self.lag.max(other.lag);
        self.unfinished |= other.unfinished;
        self.failures.extend(other.failures);
        self
    }
}
