//! The sweep, which runs every minute: it sends the tasks of deliveries whose long wait is over,
//! and tasks that were lost.
//!
//! A task is sent **before** its entry is postponed. If a sweep crashes in between, some tasks are
//! sent twice. So are tasks of two sweeps that overlap, which is rare, because a sweep ends within
//! its minute and leaves the rest to the next. [`crate::deliver`] absorbs such a task: it discards
//! a task whose attempt is already recorded.

use std::time::Duration;

use futures_util::future::join_all;

use crate::delivery::DueEntry;
use crate::due::Shard;
use crate::ports::{Clock, DeliveryQueue, DueIndex, QueueError, StoreError};
use crate::queue::MAX_QUEUE_BATCH;
use crate::timestamp::Timestamp;

/// The number of entries of a shard in one read.
const PAGE: u32 = 200;

/// Our own failure. The next sweep continues where this one stopped.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// The result of a sweep.
#[derive(Debug, Default)]
pub struct SweepReport {
    /// The number of tasks that were sent.
    pub queued: u64,
    /// The number of those whose attempt was overdue, because an earlier task was lost or is still
    /// waiting.
    pub overdue: u64,
    /// The time that the oldest entry had waited for a sweep. `None` if there was no entry.
    pub lag: Option<Duration>,
    /// True if the time was over before everything was sent.
    pub unfinished: bool,
    /// The failures. Everything else was done.
    pub failures: Vec<SweepError>,
}

/// The sweep, with its ports.
#[derive(Debug)]
pub struct Sweep<T, Q, C> {
    /// The `due` index.
    pub table: T,
    /// The queue for the tasks.
    pub queue: Q,
    /// Tells the time.
    pub clock: C,
}

impl<T: DueIndex, Q: DeliveryQueue, C: Clock> Sweep<T, Q, C> {
    /// Sends the tasks that are due, and begins no page after `end`. It is safe to repeat at any
    /// time.
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
        // Tasks that the queue refuses are left to the next sweep.
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
        // A conflict means that an attempt was recorded meanwhile, and has written its own entry.
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
