//! The check of unavailable endpoints, which runs every minute beside the [`sweep`](crate::sweep).
//!
//! Deliveries to an endpoint whose circuit breaker stays open are [held](crate::health::Hold). Then
//! no task circulates that could be the next probe, so the check releases one held delivery. Any
//! other delivery that comes due first is the probe instead. Once the circuit breaker has closed,
//! the check starts the recovery that sends the others.
//!
//! A check first writes the time of the next check, on condition that the health has not changed,
//! and then releases the probe. So two checks do not release two. If a check crashes in between,
//! the next one releases a probe [`Hold::PROBE_TIME`] later. The hold ends last: after the recovery
//! has read everything that is held. Until then a later check repeats what a crash has prevented.

use futures_util::future::join_all;

use crate::delivery::Delivery;
use crate::due::{LongestQueueDelay, NextAttempt};
use crate::health::{Health, Hold};
use crate::ids::{RecoveryId, SubscriptionId};
use crate::paging::{DeliveryEntry, Order, Window};
use crate::ports::{
    Clock, DeliveryQueue, HoldEntry, HoldIndex, RecoveryTable, RecoveryWorkflow, StoreError,
    WriteOutcome,
};
use crate::recover::{Recoveries, RecoveriesError};
use crate::recovery::{Recovery, RecoveryKind, RecoveryStatus};
use crate::resend::Resend;
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::timestamp::Timestamp;

/// The number of subscriptions in one read of the index.
const PAGE: u32 = 100;
/// The number of subscriptions that are checked concurrently.
const AT_ONCE: usize = 10;
/// The number of undelivered deliveries in one read, while one that is held is looked for.
const PART: u32 = 50;
/// The number of such reads from each end of the list. While an endpoint is unavailable, nearly all
/// new undelivered deliveries are held, so the first read usually finds one.
const MAX_PARTS: u32 = 10;

/// The result of a check of all unavailable endpoints.
#[derive(Debug, Default)]
pub struct UnavailableReport {
    /// The number of held deliveries that were released as probes.
    pub probes: u64,
    /// The recoveries that were started.
    pub started: Vec<Recovery>,
    /// True if the time was over before everything was checked.
    pub unfinished: bool,
    /// The subscriptions that cannot be read. Their deliveries stay held until they are repaired.
    pub unreadable: Vec<StoreError>,
    /// Our own failures. Everything else was done.
    pub failures: Vec<RecoveriesError>,
}

/// The result of a search for a held delivery.
enum Search {
    /// One of them.
    Found(Box<Delivery>),
    /// There is none.
    Nothing,
    /// There is none in the part of the list that was read.
    NotFound,
}

impl Search {
    fn found(self) -> Option<Delivery> {
        match self {
            Self::Found(delivery) => Some(*delivery),
            Self::Nothing | Self::NotFound => None,
        }
    }
}

/// The work that a check has done for a subscription.
enum Step {
    Nothing,
    Probed,
    Started(Box<Recovery>),
}

/// The check of unavailable endpoints, with its ports.
pub struct UnavailableEndpoints<T, Q, W, C> {
    /// Starts recoveries. Its table and clock are used here too.
    pub recoveries: Recoveries<T, W, C>,
    /// Queues the attempts of probes.
    pub resend: Resend<T, Q, C>,
}

impl<T, Q, W, C> UnavailableEndpoints<T, Q, W, C>
where
    T: RecoveryTable + HoldIndex,
    Q: DeliveryQueue,
    W: RecoveryWorkflow,
    C: Clock,
{
    /// Checks the subscriptions whose time has come, and begins none after `end`. It is safe to
    /// repeat at any time.
    pub async fn run(&self, end: Timestamp) -> UnavailableReport {
        let mut report = UnavailableReport::default();
        if let Err(failure) = self.check_pages(end, &mut report).await {
            report.failures.push(failure.into());
        }
        report
    }

    async fn check_pages(
        &self,
        end: Timestamp,
        report: &mut UnavailableReport,
    ) -> Result<(), StoreError> {
        let clock = &self.recoveries.clock;
        let until = clock.now();
        let mut after = None;
        loop {
            let page = self.recoveries.table.holding(until, after.as_ref(), PAGE);
            let page = page.await?;
            for entries in page.entries.chunks(AT_ONCE) {
                if clock.now() >= end {
                    report.unfinished = true;
                    return Ok(());
                }
                for step in join_all(entries.iter().map(|entry| self.check(entry))).await {
                    report.add(step);
                }
            }
            after = page.entries.into_iter().next_back();
            if after.is_none() || !page.has_more {
                return Ok(());
            }
        }
    }

    async fn check(&self, entry: &HoldEntry) -> Result<Step, RecoveriesError> {
        let found = self
            .recoveries
            .table
            .get(&entry.customer, &entry.subscription);
        let Some(subscription) = found.await? else {
            return Ok(Step::Nothing);
        };
        let now = self.recoveries.clock.now();
        let hold = subscription.health.hold;
        let Some(hold) = hold.filter(|hold| hold.check_at <= now) else {
            // The entry of the index is out of date.
            return Ok(Step::Nothing);
        };
        if subscription.status != SubscriptionStatus::Active {
            // The request that makes it active again decides about everything that is held.
            return self.end(&subscription).await;
        }
        if subscription.health.circuit.is_some() {
            self.probe(&subscription, hold, now).await
        } else {
            self.release(&subscription, hold, now).await
        }
    }

    /// Releases one held delivery. If its attempt is not made, the next check releases another one.
    async fn probe(
        &self,
        subscription: &Subscription,
        hold: Hold,
        now: Timestamp,
    ) -> Result<Step, RecoveriesError> {
        let mut found = self.find_held(&subscription.id, Some(now)).await?.found();
        if found.is_none() {
            // A delivery whose deadline has passed ends when it is released.
            found = self.find_held(&subscription.id, None).await?.found();
        }
        // If nothing is held, the next delivery that comes due is the probe.
        let wait = found.as_ref().map_or(Hold::RECHECK, |_| Hold::PROBE_TIME);
        let is_written = self.check_again(subscription, hold, now + wait).await?;
        let next = NextAttempt::plan(now, now, LongestQueueDelay::MAX);
        let resumption = found.as_ref().and_then(|delivery| delivery.resume(next));
        let Some(resumption) = resumption.filter(|_| is_written) else {
            return Ok(Step::Nothing);
        };
        // A conflict means that somebody resends or discards this delivery.
        if self.resend.table.reopen(&resumption).await? == WriteOutcome::Conflict {
            return Ok(Step::Nothing);
        }
        self.resend.ask_for_attempts(&[resumption.due()]).await?;
        Ok(Step::Probed)
    }

    /// Starts the recovery that sends what is held, and ends the hold after it.
    async fn release(
        &self,
        subscription: &Subscription,
        hold: Hold,
        now: Timestamp,
    ) -> Result<Step, RecoveriesError> {
        let recoveries = &self.recoveries;
        let (customer, id) = (&subscription.customer_id, &subscription.id);
        let planned = Recovery {
            id: RecoveryId::of_release(customer, id, hold.since),
            ..recoveries.plan_release(subscription, RecoveryKind::Release)
        };
        let Some(found) = recoveries.table.recovery(&planned.key()).await? else {
            // If the list is longer than what was read of it, its middle may have one.
            if let Search::Nothing = self.find_held(id, None).await? {
                return self.end(subscription).await;
            }
            let started = recoveries.begin(planned).await?;
            self.check_again(subscription, hold, now + Hold::RECHECK)
                .await?;
            return Ok(Step::Started(Box::new(started)));
        };
        let was_cut_off = found.progress.pages >= Recovery::MAX_PAGES;
        match found.status_at(now) {
            RecoveryStatus::Running => {
                // A crash may have prevented the start.
                recoveries.workflow.start(&found).await?;
                self.check_again(subscription, hold, now + Hold::RECHECK)
                    .await?;
            }
            RecoveryStatus::Stopping => {
                self.check_again(subscription, hold, now + Hold::RECHECK)
                    .await?;
            }
            RecoveryStatus::Stopped if !was_cut_off => {
                // Somebody has stopped it, so the other deliveries stay held.
                return self.end(subscription).await;
            }
            RecoveryStatus::Succeeded => return self.end(subscription).await,
            RecoveryStatus::Stopped | RecoveryStatus::Failed => {
                // Another recovery, with another id, continues.
                let next = Hold::released(now);
                self.check_again(subscription, next, next.check_at).await?;
            }
        }
        Ok(Step::Nothing)
    }

    /// Writes the time of the next check. Returns false if the health was changed meanwhile.
    async fn check_again(
        &self,
        subscription: &Subscription,
        hold: Hold,
        check_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let hold = Some(hold.checked_at(check_at));
        self.write(subscription, hold).await
    }

    async fn end(&self, subscription: &Subscription) -> Result<Step, RecoveriesError> {
        self.write(subscription, None).await?;
        Ok(Step::Nothing)
    }

    async fn write(
        &self,
        subscription: &Subscription,
        hold: Option<Hold>,
    ) -> Result<bool, StoreError> {
        let health = Health {
            hold,
            ..subscription.health
        };
        let written = self.recoveries.table.change_health(subscription, &health);
        Ok(written.await? == WriteOutcome::Written)
    }

    /// Finds a delivery that is held until the endpoint is available: among the newest ones, the
    /// one with the fewest attempts. The newest are found with one read and have the most time
    /// left. The fewest attempts are chosen, so that probes do not use up the attempts of a single
    /// delivery. If a time is given, the delivery's deadline must allow an attempt at that time.
    async fn find_held(
        &self,
        subscription: &SubscriptionId,
        at: Option<Timestamp>,
    ) -> Result<Search, StoreError> {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let mut window = Window {
                order,
                ..Window::newest(PART)
            };
            for _ in 0..MAX_PARTS {
                let table = &self.recoveries.table;
                let page = table.undelivered_of(subscription, &window).await?;
                let ids: Vec<_> = page.entries.iter().map(|entry| entry.id).collect();
                let read = table.read_deliveries(&ids).await?;
                let held = read.into_iter().flatten();
                let mut held: Vec<_> = held.filter(Delivery::awaits_endpoint).collect();
                held.sort_by_key(Delivery::attempts_made);
                for held in held {
                    if self.may_attempt(&held, at).await? {
                        return Ok(Search::Found(Box::new(held)));
                    }
                }
                if !page.has_more {
                    return Ok(Search::Nothing);
                }
                window.after = page.entries.last().map(DeliveryEntry::place);
            }
        }
        Ok(Search::NotFound)
    }

    async fn may_attempt(
        &self,
        held: &Delivery,
        at: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let Some(at) = at else { return Ok(true) };
        match self.recoveries.table.message(&held.id.message).await {
            Ok(message) => Ok(message.is_some_and(|message| at <= held.deadline(&message))),
            Err(StoreError::Corrupt { .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}

impl UnavailableReport {
    fn add(&mut self, step: Result<Step, RecoveriesError>) {
        match step {
            Ok(Step::Nothing) => {}
            Ok(Step::Probed) => self.probes += 1,
            Ok(Step::Started(recovery)) => self.started.push(*recovery),
            Err(RecoveriesError::Store(unreadable @ StoreError::Corrupt { .. })) => {
                self.unreadable.push(unreadable);
            }
            Err(failure) => self.failures.push(failure),
        }
    }
}
