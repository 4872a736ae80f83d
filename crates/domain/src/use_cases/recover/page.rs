//! One page of a recovery.

use futures_util::future::join_all;

use super::attempt_times::{AttemptTimes, seconds_until};
use super::select::{Finding, SelectError, Selection};
use crate::delivery::{Delivery, DueEntry, Reopening};
use crate::due::{GRACE, LongestQueueDelay, NextAttempt, OVERDUE_AFTER};
use crate::event_type::EventType;
use crate::ids::DeliveryId;
use crate::paging::{EntryPage, Order, Place, Window};
use crate::payload_shape::MessageLinkTemplate;
use crate::ports::{
    Clock, DeliveryQueue, DeliveryReader, Directory, InsertOutcome, RecoveryTable, StoreError,
    WriteOutcome,
};
use crate::recovery::{Progress, Recovery, RecoveryKey, RecoveryKind, RecoveryStatus};
use crate::resend::Resend;
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::timestamp::Timestamp;

/// The number of entries that are processed together. After each such part the progress is written,
/// and a stop takes effect.
pub(super) const PART: u32 = 50;

/// Our own failure. The workflow runs the page again.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry cannot be evaluated.
    #[error("{delivery}: cannot be evaluated")]
    Select {
        /// The delivery.
        delivery: DeliveryId,
        /// The reason.
        source: SelectError,
    },
}

/// Tells the workflow if and when to run another page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NextStep {
    /// True if there may be more to do.
    pub more: bool,
    /// The wait before the next page, in seconds: until the attempts that were handed out are over.
    pub wait_seconds: u64,
}

impl NextStep {
    const DONE: Self = Self {
        more: false,
        wait_seconds: 0,
    };

    /// Another page at this time.
    fn at(time: Timestamp, now: Timestamp) -> Self {
        Self {
            more: true,
            wait_seconds: seconds_until(time, now),
        }
    }
}

/// The result of a page.
#[derive(Debug)]
pub struct Report {
    /// The next step of the workflow.
    pub next_step: NextStep,
    /// The number of deliveries for which it has queued attempts.
    pub queued: u64,
    /// The entries that cannot be read, and were skipped. If the subscription itself cannot be
    /// read, it is the only one here, and the recovery has ended.
    pub unreadable: Vec<RecoverError>,
}

/// Runs the pages of recoveries, with its ports.
#[derive(Debug)]
pub struct RecoverDeliveries<T, Q, C> {
    /// Queues attempts. Its table and clock are used here too.
    pub resend: Resend<T, Q, C>,
    /// The links in thin webhooks, if the stack has a template.
    pub links: Option<MessageLinkTemplate>,
}

impl<T, Q, C> RecoverDeliveries<T, Q, C>
where
    T: RecoveryTable,
    Q: DeliveryQueue,
    C: Clock,
{
    /// Runs a page. No part begins after `end`. It is safe to repeat at any time.
    pub async fn run(&self, key: &RecoveryKey, end: Timestamp) -> Result<Report, RecoverError> {
        let mut report = Report {
            next_step: NextStep::DONE,
            queued: 0,
            unreadable: Vec::new(),
        };
        let now = self.resend.clock.now();
        let Some(recovery) = self.resend.table.recovery(key).await? else {
            return Ok(report);
        };
        let status = match recovery.status_at(now) {
            RecoveryStatus::Running if recovery.progress.pages >= Recovery::MAX_PAGES => {
                RecoveryStatus::Stopped
            }
            RecoveryStatus::Stopping => RecoveryStatus::Stopped,
            status => status,
        };
        let subscription = self.resend.table.get(&key.customer, &key.subscription);
        let subscription = match subscription.await {
            // A retry does not help: the subscription stays unreadable until somebody repairs it.
            Err(unreadable @ StoreError::Corrupt { .. }) => {
                report.unreadable.push(unreadable.into());
                if recovery.status.is_live() {
                    self.end(&recovery, RecoveryStatus::Failed).await?;
                }
                return Ok(report);
            }
            subscription => subscription?,
        };
        match subscription.filter(|found| may_send(&recovery, found)) {
            Some(subscription) if status == RecoveryStatus::Running => {
                report.next_step = self
                    .parts(recovery, &subscription, end, &mut report)
                    .await?;
            }
            // Nothing is sent to a paused, deleted or unavailable subscription.
            _ if status == RecoveryStatus::Running => {
                self.end(&recovery, RecoveryStatus::Stopped).await?;
            }
            _ if recovery.status.is_live() => self.end(&recovery, status).await?,
            _ => {}
        }
        Ok(report)
    }

    async fn end(&self, recovery: &Recovery, status: RecoveryStatus) -> Result<(), StoreError> {
        let ended = recovery.with_status(status, self.resend.clock.now());
        self.save(recovery, ended).await.map(drop)
    }

    async fn parts(
        &self,
        mut recovery: Recovery,
        subscription: &Subscription,
        end: Timestamp,
        report: &mut Report,
    ) -> Result<NextStep, RecoverError> {
        let clock = &self.resend.clock;
        let mut progress = recovery.progress;
        progress.pages += 1;
        let mut times = AttemptTimes::new(recovery.per_second, progress.paced_until, clock.now());
        let settled_at = recovery.range.until;
        loop {
            let now = clock.now();
            if progress.is_second_reading && now < settled_at {
                return Ok(NextStep::at(settled_at, now));
            }
            times.catch_up(now);
            let room = times.room().min(PART);
            if room == 0 || now >= end {
                return Ok(NextStep {
                    more: true,
                    wait_seconds: times.wait_seconds(clock.now()),
                });
            }
            let list = find(&self.resend.table, &recovery, progress.place, room).await?;
            let queued = self
                .part(&recovery, subscription, &list.entries, &mut times, report)
                .await?;
            progress.count(&list.entries, queued);
            progress.paced_until = Some(times.next());
            let reads_again = !list.has_more && recovery.must_read_again();
            if reads_again {
                progress = progress.begin_again();
            }
            let status = if list.has_more || reads_again {
                RecoveryStatus::Running
            } else {
                RecoveryStatus::Succeeded
            };
            let next = Recovery {
                progress,
                ..recovery.with_status(status, clock.now())
            };
            recovery = match self.save(&recovery, next).await? {
                Some(saved) if saved.status == RecoveryStatus::Running => saved,
                Some(_) => return Ok(NextStep::DONE),
                None => {
                    return Ok(NextStep {
                        more: true,
                        wait_seconds: AttemptTimes::AHEAD.as_secs(),
                    });
                }
            };
        }
    }

    /// Sends or cancels the entries that need it. Returns the number of those that it has sent, or, for a
    /// discard, cancelled.
    async fn part(
        &self,
        recovery: &Recovery,
        subscription: &Subscription,
        found: &[Found],
        times: &mut AttemptTimes,
        report: &mut Report,
    ) -> Result<u64, RecoverError> {
        let now = self.resend.clock.now();
        let selection = Selection {
            kind: recovery.kind,
            subscription,
            links: self.links.as_ref(),
        };
        let table = &self.resend.table;
        let (findings, unreadable) = look_at(table, selection, found, now).await?;
        report.unreadable.extend(unreadable);
        let (mut again, mut first, mut resent) = (Vec::new(), Vec::new(), Vec::new());
        let mut discarded = Vec::new();
        for finding in &findings {
            let due_at = finding.due_at(times.next());
            let next = NextAttempt::plan(due_at, now, LongestQueueDelay::MAX);
            if finding.is_sent(&next) {
                times.take();
            }
            match finding {
                Finding::Again(..) => again.extend(finding.reopening(&next)),
                Finding::First(delivery, _) if finding.is_sent(&next) => {
                    first.push((delivery, next));
                }
                Finding::Resent(task) => resent.push(*task),
                Finding::Discard(delivery) => discarded.push(table.discard(delivery)),
                Finding::First(..) | Finding::Nothing => {}
            }
        }
        let discarded: Vec<_> = join_all(discarded).await;
        let discarded = discarded.into_iter().collect::<Result<Vec<_>, _>>()?;
        let cancelled = discarded
            .iter()
            .filter(|&&outcome| outcome == WriteOutcome::Written)
            .count();
        let written = self.write(&again, &first).await;
        // First queues the tasks of everything that was written, even if other writes failed.
        self.resend.ask_for_attempts(&written.entries).await?;
        if let Some(failure) = written.failure {
            return Err(failure.into());
        }
        let mut queued = written.entries.len() as u64;
        for task in resent {
            let due_at = task.due_at.unwrap_or(now);
            let entry = DueEntry {
                customer: subscription.customer_id.clone(),
                task,
                sweep_at: due_at + OVERDUE_AFTER,
            };
            // A conflict means that its task was processed meanwhile, that it waits for a later time,
            // or that it was counted already.
            if table.postpone(&entry, due_at.max(now) + GRACE).await? == WriteOutcome::Written {
                queued += 1;
            }
        }
        report.queued += queued;
        // Others than a discard cancel only what belongs to a cancelled message, and send nothing of it.
        Ok(match recovery.kind {
            RecoveryKind::Discard => queued + cancelled as u64,
            RecoveryKind::Recover(_) | RecoveryKind::Replay | RecoveryKind::Release => queued,
        })
    }

    async fn write(&self, again: &[Reopening<'_>], first: &[(&Delivery, NextAttempt)]) -> Written {
        let table = &self.resend.table;
        let reopened = join_all(again.iter().map(|reopening| table.reopen(reopening))).await;
        let inserted = first
            .iter()
            .map(|(delivery, next)| table.insert_due(delivery, next));
        let inserted = join_all(inserted).await;
        let mut written = Written::default();
        for (reopening, outcome) in again.iter().zip(reopened) {
            match outcome {
                Ok(WriteOutcome::Written) => written.entries.push(reopening.due()),
                Ok(WriteOutcome::Conflict) => {}
                Err(failure) => written.failure = Some(failure),
            }
        }
        for ((delivery, next), outcome) in first.iter().zip(inserted) {
            match outcome {
                Ok(InsertOutcome::Inserted) => written.entries.push(DueEntry::of(delivery, next)),
                Ok(InsertOutcome::AlreadyThere) => {}
                Err(failure) => written.failure = Some(failure),
            }
        }
        written
    }

    /// Writes the next version. A concurrent stop does not lose the progress. `None` if another run
    /// of the page continues instead.
    async fn save(&self, read: &Recovery, next: Recovery) -> Result<Option<Recovery>, StoreError> {
        let table = &self.resend.table;
        if table.replace_recovery(&next).await? == WriteOutcome::Written {
            return Ok(Some(next));
        }
        let stored = table.recovery(&read.key()).await?.filter(|stored| {
            stored.status == RecoveryStatus::Stopping && stored.progress == read.progress
        });
        let Some(stored) = stored else {
            return Ok(None);
        };
        let stopped = Recovery {
            status: match next.status {
                RecoveryStatus::Running => RecoveryStatus::Stopped,
                ended => ended,
            },
            version: stored.version + 1,
            ..next
        };
        let outcome = table.replace_recovery(&stopped).await?;
        Ok((outcome == WriteOutcome::Written).then_some(stopped))
    }
}

/// Returns true if the subscription is active. What was held for an unavailable endpoint is sent
/// only while the circuit breaker is closed: otherwise it would be held once more.
fn may_send(recovery: &Recovery, subscription: &Subscription) -> bool {
    let waits = recovery.kind == RecoveryKind::Release && subscription.health.circuit.is_some();
    subscription.status == SubscriptionStatus::Active && !waits
}

/// The writes of a part.
#[derive(Default)]
struct Written {
    entries: Vec<DueEntry>,
    failure: Option<StoreError>,
}

impl Progress {
    /// The progress at the beginning of the second reading.
    fn begin_again(self) -> Self {
        Self {
            place: None,
            is_second_reading: true,
            ..self
        }
    }

    /// Counts a part: these entries, of which `queued` are sent or discarded. The second reading
    /// finds the others again, and does not count them again.
    fn count(&mut self, found: &[Found], queued: u64) {
        let examined = if self.is_second_reading {
            queued
        } else {
            found.len() as u64
        };
        self.examined += examined;
        self.queued += queued;
        self.skipped += examined - queued;
        self.place = found.last().map(Found::place).or(self.place);
    }
}

/// An entry of the list that a recovery reads.
pub(super) struct Found {
    place: Place,
    event_type: Option<EventType>,
}

impl Found {
    pub(super) fn place(&self) -> Place {
        self.place
    }
}

/// The next entries of the list, oldest first.
pub(super) async fn find(
    table: &impl Directory,
    recovery: &Recovery,
    after: Option<Place>,
    limit: u32,
) -> Result<EntryPage<Found>, StoreError> {
    let window = Window {
        since: Some(recovery.range.since),
        until: Some(recovery.range.until),
        order: Order::OldestFirst,
        after,
        limit,
    };
    match recovery.kind {
        RecoveryKind::Recover(_) | RecoveryKind::Discard | RecoveryKind::Release => {
            let page = table.undelivered_of(&recovery.subscription_id, &window);
            Ok(page.await?.map(|entry| Found {
                place: entry.place(),
                event_type: entry.event_type,
            }))
        }
        RecoveryKind::Replay => {
            let page = table.messages_of(&recovery.customer_id, &window);
            Ok(page.await?.map(|entry| Found {
                place: entry.place(),
                event_type: entry.event_type,
            }))
        }
    }
}

/// The findings for these entries, and those that cannot be read.
pub(super) async fn look_at(
    table: &impl DeliveryReader,
    selection: Selection<'_>,
    found: &[Found],
    now: Timestamp,
) -> Result<(Vec<Finding>, Vec<RecoverError>), StoreError> {
    let (mut findings, mut unreadable) = (Vec::new(), Vec::new());
    let concerned = found
        .iter()
        .filter(|found| selection.concerns(found.event_type.as_ref()));
    let read = concerned.map(async |found| {
        let id = DeliveryId {
            message: found.place.message,
            subscription: selection.subscription.id,
        };
        (id, table.read(&id).await)
    });
    for (delivery, read) in join_all(read).await {
        match read {
            Ok((message, stored)) => match selection.find(message, stored, now) {
                Ok(finding) => findings.push(finding),
                Err(source) => unreadable.push(RecoverError::Select { delivery, source }),
            },
            Err(error @ StoreError::Corrupt { .. }) => unreadable.push(error.into()),
            Err(error @ StoreError::Unavailable { .. }) => return Err(error),
        }
    }
    Ok((findings, unreadable))
}
