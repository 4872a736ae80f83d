//! Recoveries: many deliveries are resent, at the rate that the endpoint can take.

use std::collections::BTreeMap;
use std::time::Duration;

use ring::rand::SystemRandom;
use webhooks_domain::delivery::{
    CancelReason, Delivery, DeliveryStatus, DeliveryTrigger, FailureReason,
};
use webhooks_domain::event_type::{EventTypePattern, EventTypePatterns};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::message::Message;
use webhooks_domain::ports::{CancelTable, RecoveryTable, WriteOutcome};
use webhooks_domain::recover::{
    Count, CountBudget, RecoverDeliveries, Recoveries, RecoveriesError, Report,
};
use webhooks_domain::recovery::{
    Range, Rate, Recovery, RecoveryKey, RecoveryKind, RecoveryRequest, RecoveryStatus, Requested,
    UndeliveredStatus, UndeliveredStatuses,
};
use webhooks_domain::resend::Resend;
use webhooks_domain::subscription::{Subscription, SubscriptionStatus};
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::{Fault, InMemoryBackend, samples};

use crate::stage::{Stage, header, now, schedule, stage};

const FAILED: DeliveryStatus = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);
/// The time that the function has for a page.
const PAGE: Duration = Duration::from_secs(50);

/// A stage with many deliveries to one subscription, and the use cases of recoveries.
pub(crate) struct Outage {
    pub(crate) stage: Stage,
    pub(crate) ids: Vec<DeliveryId>,
    pub(crate) recoveries: Recoveries<InMemoryBackend, InMemoryBackend, InMemoryBackend>,
    pub(crate) pages: RecoverDeliveries<InMemoryBackend, InMemoryBackend, InMemoryBackend>,
    started_at: Timestamp,
}

/// Deliveries with these statuses, created a second apart, twelve hours ago.
pub(crate) fn outage(statuses: impl IntoIterator<Item = DeliveryStatus>) -> Outage {
    let stage = stage(schedule(&[0]));
    stage.drain();
    let backend = stage.backend.clone();
    let mut ids = Vec::new();
    for (number, status) in (0_u32..).zip(statuses) {
        let message = samples::message("acme", &format!("missed {number}"));
        let delivery = Delivery {
            status,
            created_at: samples::NOW + Duration::from_secs(1) * number,
            expires_at: samples::NOW + Duration::from_hours(24 * 90),
            ..samples::delivery(&message, stage.ids[0].subscription)
        };
        let attempts = u32::from(status != samples::HELD);
        let delivery = Delivery {
            attempts: (1..=attempts).map(samples::failed_attempt).collect(),
            ..delivery
        };
        ids.push(delivery.id);
        backend.record_call(message, delivery);
    }
    let started_at = samples::NOW + Duration::from_hours(12);
    backend.set_now(started_at);
    Outage {
        recoveries: Recoveries {
            table: backend.clone(),
            workflow: backend.clone(),
            clock: backend.clone(),
            random: SystemRandom::new(),
            retention: Duration::from_hours(24 * 90),
        },
        pages: RecoverDeliveries {
            resend: Resend {
                table: backend.clone(),
                queue: backend.clone(),
                clock: backend,
            },
            links: None,
        },
        stage,
        ids,
        started_at,
    }
}

fn failed(count: usize) -> Outage {
    outage(std::iter::repeat_n(FAILED, count))
}

/// A request for the whole day, at this rate.
fn request(kind: RecoveryKind, per_second: u32) -> RecoveryRequest {
    RecoveryRequest {
        kind,
        range: Range {
            since: samples::NOW,
            until: samples::NOW + Duration::from_hours(12),
        },
        per_second: Rate::per_second(per_second).unwrap(),
        requested: Requested::Run,
    }
}

fn recover(per_second: u32) -> RecoveryRequest {
    request(RecoveryKind::Recover(UndeliveredStatuses::Both), per_second)
}

impl Outage {
    fn start(&self, request: &RecoveryRequest) -> Result<Recovery, RecoveriesError> {
        let to = self.stage.ids[0].subscription;
        now(self
            .recoveries
            .start(&samples::customer("acme"), &to, request))
    }

    fn count(&self, request: &RecoveryRequest, at_most: Duration) -> Count {
        let to = self.stage.ids[0].subscription;
        let customer = samples::customer("acme");
        let budget = CountBudget {
            time: at_most,
            entries: u64::MAX,
        };
        now(self.recoveries.count(&customer, &to, request, budget)).unwrap()
    }

    /// Runs a page as the workflow does, with retries.
    pub(crate) fn page(&self, key: &RecoveryKey) -> Report {
        let run = || now(self.pages.run(key, self.stage.backend.time() + PAGE));
        run().or_else(|_| run()).or_else(|_| run()).unwrap()
    }

    /// Runs the workflow to its end, and the deliveries beside it. Returns the number of pages.
    pub(crate) fn run(&self, key: &RecoveryKey) -> usize {
        for pages in 1..1_000 {
            let next_step = self.page(key).next_step;
            if !next_step.more {
                return pages;
            }
            self.wait(Duration::from_secs(next_step.wait_seconds));
        }
        panic!("the recovery does not end");
    }

    /// Lets time pass, and sends the deliveries that become due.
    fn wait(&self, duration: Duration) {
        let end = self.stage.backend.time() + duration;
        while let Some(message) = self.stage.backend.receive_before(end) {
            self.stage.handle(message).unwrap();
        }
        self.stage.backend.set_now(end);
    }

    /// Marks the message of a delivery, as a cancellation does before it reads the deliveries.
    fn mark_cancelled(&self, id: DeliveryId) -> WriteOutcome {
        let backend = &self.stage.backend;
        now(backend.mark_cancelled(&id.message, backend.time())).unwrap()
    }

    pub(crate) fn recovery(&self, key: &RecoveryKey) -> Recovery {
        now(self.recoveries.show(key)).unwrap()
    }

    /// The number of requests for each of the missed messages.
    pub(crate) fn requests(&self) -> BTreeMap<String, usize> {
        let mut requests = BTreeMap::new();
        for (at, request) in self.stage.backend.requests() {
            if at >= self.started_at {
                *requests
                    .entry(header(&request, "webhook-id").to_owned())
                    .or_default() += 1;
            }
        }
        requests
    }

    pub(crate) fn status(&self, delivery: usize) -> DeliveryStatus {
        self.stage.delivery_of(self.ids[delivery]).status
    }
}

pub(crate) fn counts(recovery: &Recovery) -> (u64, u64, u64) {
    let progress = recovery.progress;
    (progress.examined, progress.queued, progress.skipped)
}

#[test]
fn a_recovery_resends_failed_and_held_deliveries_once_and_no_others() {
    let outage = outage([
        FAILED,
        samples::HELD,
        DeliveryStatus::Succeeded,
        DeliveryStatus::Failed(FailureReason::EndpointGone),
    ]);
    let recovery = outage.start(&recover(10)).unwrap();
    assert_eq!(recovery.status, RecoveryStatus::Running);
    outage.run(&recovery.key());
    outage.stage.drain();
    let requests = outage.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.values().all(|&times| times == 1), "{requests:?}");
    let succeeded = outage.ids[2].message.to_string();
    assert!(!requests.contains_key(&succeeded));
    assert!((0..4).all(|n| outage.status(n) == DeliveryStatus::Succeeded));
    let ended = outage.recovery(&recovery.key());
    assert_eq!(ended.status, RecoveryStatus::Succeeded);
    assert_eq!(counts(&ended), (3, 3, 0));
}

#[test]
fn a_recovery_resends_only_the_requested_statuses() {
    let outage = outage([FAILED, samples::HELD]);
    let held = UndeliveredStatuses::Only(UndeliveredStatus::Held);
    let only_held = request(RecoveryKind::Recover(held), 10);
    let recovery = outage.start(&only_held).unwrap();
    outage.run(&recovery.key());
    outage.stage.drain();
    assert_eq!(outage.status(0), FAILED);
    assert_eq!(outage.status(1), DeliveryStatus::Succeeded);
    assert_eq!(counts(&outage.recovery(&recovery.key())), (2, 1, 1));
}

#[test]
fn a_recovery_resends_only_deliveries_created_in_the_range() {
    let outage = failed(4);
    let mut some = recover(10);
    some.range.since = samples::NOW + Duration::from_secs(1);
    some.range.until = samples::NOW + Duration::from_secs(3);
    let recovery = outage.start(&some).unwrap();
    outage.run(&recovery.key());
    outage.stage.drain();
    let succeeded = (0..4).map(|n| outage.status(n) == DeliveryStatus::Succeeded);
    assert_eq!(succeeded.collect::<Vec<_>>(), [false, true, true, false]);
}

#[test]
fn a_recovery_skips_expired_deliveries() {
    let outage = failed(1);
    let deadline = samples::NOW + Duration::from_hours(1);
    let message = Message {
        deadline: Some(deadline),
        ..samples::message("acme", "of no use any more")
    };
    let delivery = Delivery {
        status: FAILED,
        ..samples::delivery(&message, outage.stage.ids[0].subscription)
    };
    outage.stage.backend.record_call(message, delivery);
    let recovery = outage.start(&recover(10)).unwrap();
    outage.run(&recovery.key());
    assert_eq!(counts(&outage.recovery(&recovery.key())), (2, 1, 1));
}

#[test]
fn ten_thousand_deliveries_are_resent_at_the_requested_rate_by_pages_that_end_in_time() {
    const COUNT: usize = 10_000;
    const PER_SECOND: u32 = 100;
    let outage = failed(COUNT);
    // Sequential calls with this latency are slower than any table.
    outage.stage.backend.set_latency(Duration::from_millis(5));
    let recovery = outage.start(&recover(PER_SECOND)).unwrap();
    let key = recovery.key();
    let mut due = Vec::new();
    for pages in 1.. {
        let begun = outage.stage.backend.time();
        let next_step = outage.page(&key).next_step;
        let took = outage.stage.backend.time().since(begun);
        assert!(
            took <= PAGE + Duration::from_secs(2),
            "page {pages}: {took:?}"
        );
        // The tasks in the queue are the requests that the endpoint will receive.
        due.extend(
            outage
                .stage
                .backend
                .queue()
                .iter()
                .map(|queued| queued.task),
        );
        outage.stage.backend.purge_queue();
        if !next_step.more {
            break;
        }
        assert!(next_step.wait_seconds <= 30);
        let next = outage.stage.backend.time() + Duration::from_secs(next_step.wait_seconds);
        outage.stage.backend.set_now(next);
    }
    assert_eq!(counts(&outage.recovery(&key)), (10_000, 10_000, 0));
    let mut times: Vec<_> = due.iter().map(|task| task.due_at.unwrap()).collect();
    assert_eq!(times.len(), COUNT);
    times.sort_unstable();
    for (index, first) in times.iter().enumerate() {
        let second = *first + Duration::from_secs(1);
        let seen = times[index..].iter().take_while(|at| **at < second).count();
        assert!(seen <= PER_SECOND as usize, "{seen} in a second");
    }
}

#[test]
fn a_page_hands_out_the_deliveries_of_half_a_minute() {
    let outage = failed(100);
    let recovery = outage.start(&recover(2)).unwrap();
    let report = outage.page(&recovery.key());
    assert_eq!((report.queued, report.next_step.wait_seconds), (60, 30));
    assert_eq!(
        outage.run(&recovery.key()),
        2,
        "the first delivery is too early"
    );
    assert_eq!(counts(&outage.recovery(&recovery.key())), (100, 100, 0));
}

#[test]
fn a_page_killed_at_any_call_is_retried_and_sends_nothing_twice() {
    // The recovery, the subscription, the list; read, reopen, queue; and the progress.
    const COUNT: usize = 3;
    const CALLS: usize = 3 + COUNT + COUNT + 1 + 1;
    for (call, fault) in (0..CALLS).flat_map(|n| [(n, Fault::Before), (n, Fault::After)]) {
        let outage = failed(COUNT);
        let recovery = outage.start(&recover(10)).unwrap();
        let faults = std::iter::repeat_n(Fault::None, call).chain([fault]);
        outage.stage.backend.plant(faults);
        outage.run(&recovery.key());
        assert!(!outage.stage.backend.clear_faults(), "the fault happened");
        outage.stage.drain();
        let place = format!("{fault:?} at {call}");
        let requests = outage.requests();
        assert_eq!(requests.len(), COUNT, "{place}");
        assert!(requests.values().all(|&times| times == 1), "{place}");
        let ended = outage.recovery(&recovery.key());
        assert_eq!(ended.status, RecoveryStatus::Succeeded, "{place}");
        assert_eq!(counts(&ended), (3, 3, 0), "{place}");
    }
}

#[test]
fn the_sweep_finds_a_delivery_that_a_killed_page_left_without_a_task() {
    let outage = failed(1);
    let recovery = outage.start(&recover(10)).unwrap();
    // Recovery, subscription, list, read; the write takes effect, and then the run crashes.
    let faults = std::iter::repeat_n(Fault::None, 4).chain([Fault::After]);
    outage.stage.backend.plant(faults);
    outage.run(&recovery.key());
    assert!(outage.stage.backend.queue().is_empty(), "its task is lost");
    outage.stage.drain();
    assert_eq!(outage.status(0), DeliveryStatus::Succeeded);
    let attempts = outage.stage.delivery_of(outage.ids[0]).attempts;
    let late = attempts[1].at.since(outage.started_at);
    assert!(late <= Duration::from_mins(4), "{late:?}");
}

#[test]
fn a_stop_takes_effect_before_the_next_page_and_tasks_handed_out_are_still_sent() {
    let outage = failed(100);
    let recovery = outage.start(&recover(1)).unwrap();
    let key = recovery.key();
    assert!(outage.page(&key).next_step.more);
    let stopping = now(outage.recoveries.stop(&key)).unwrap();
    assert_eq!(stopping.status, RecoveryStatus::Stopping);
    let again = now(outage.recoveries.stop(&key)).unwrap();
    assert_eq!(again, stopping);
    assert!(!outage.page(&key).next_step.more);
    let stopped = outage.recovery(&key);
    assert_eq!(stopped.status, RecoveryStatus::Stopped);
    assert_eq!(counts(&stopped), (30, 30, 0));
    outage.stage.drain();
    assert_eq!(outage.requests().len(), 30);
    assert_eq!(outage.status(30), FAILED);
    assert!(!outage.page(&key).next_step.more);
    let after = now(outage.recoveries.stop(&key)).unwrap();
    assert_eq!(after.status, RecoveryStatus::Stopped);
}

#[test]
fn a_stop_within_a_page_ends_it_and_loses_no_progress() {
    let outage = failed(200);
    let recovery = outage.start(&recover(100)).unwrap();
    let key = recovery.key();
    outage.stage.backend.before_recovery_write({
        let key = key.clone();
        move |backend| {
            let running = now(backend.recovery(&key)).unwrap().unwrap();
            let stopping = Recovery {
                status: RecoveryStatus::Stopping,
                version: running.version + 1,
                ..running
            };
            now(backend.replace_recovery(&stopping)).unwrap();
        }
    });
    assert!(!outage.page(&key).next_step.more);
    let stopped = outage.recovery(&key);
    assert_eq!(stopped.status, RecoveryStatus::Stopped);
    assert_eq!(counts(&stopped), (50, 50, 0));
}

#[test]
fn only_one_of_two_concurrent_runs_of_a_page_continues() {
    let outage = failed(60);
    let recovery = outage.start(&recover(100)).unwrap();
    let key = recovery.key();
    outage.stage.backend.before_recovery_write({
        let key = key.clone();
        move |backend| {
            let other = RecoverDeliveries {
                resend: Resend {
                    table: backend.clone(),
                    queue: backend.clone(),
                    clock: backend.clone(),
                },
                links: None,
            };
            now(other.run(&key, backend.time() + PAGE)).unwrap();
        }
    });
    assert!(
        outage.page(&key).next_step.more,
        "the other run has not reported everything"
    );
    outage.run(&key);
    outage.stage.drain();
    let requests = outage.requests();
    assert_eq!(requests.len(), 60);
    assert!(requests.values().all(|&times| times == 1));
    assert_eq!(outage.recovery(&key).status, RecoveryStatus::Succeeded);
}

#[test]
fn a_recovery_sends_nothing_to_a_subscription_paused_or_deleted_meanwhile() {
    for status in [Some(SubscriptionStatus::Paused), None] {
        let outage = failed(100);
        let recovery = outage.start(&recover(1)).unwrap();
        assert!(outage.page(&recovery.key()).next_step.more);
        outage.stage.set_status(outage.stage.ids[0], status);
        assert!(!outage.page(&recovery.key()).next_step.more);
        let stored = outage.stage.backend.stored_recovery(&recovery.key());
        assert_eq!(stored.unwrap().status, RecoveryStatus::Stopped);
        outage.stage.drain();
        assert!(outage.requests().is_empty());
        if status.is_some() {
            assert_eq!(outage.status(0), samples::HELD);
            let refused = outage.start(&recover(1));
            assert!(matches!(refused, Err(RecoveriesError::NotActive(_))));
        } else {
            let refused = outage.start(&recover(1));
            assert!(matches!(
                refused,
                Err(RecoveriesError::NoSubscription { .. })
            ));
        }
    }
}

#[test]
fn a_recovery_whose_workflow_dies_stays_failed() {
    let outage = failed(100);
    let recovery = outage.start(&recover(1)).unwrap();
    let key = recovery.key();
    assert!(outage.page(&key).next_step.more);
    let heard_of = outage.stage.backend.time();
    outage.stage.backend.set_now(heard_of + Recovery::SILENCE);
    assert_eq!(outage.recovery(&key).status, RecoveryStatus::Running);
    let silent = heard_of + Recovery::SILENCE + Duration::from_millis(1);
    outage.stage.backend.set_now(silent);
    assert_eq!(outage.recovery(&key).status, RecoveryStatus::Failed);
    let stopped = now(outage.recoveries.stop(&key)).unwrap();
    assert_eq!(stopped.status, RecoveryStatus::Failed);
    // A page that still runs afterwards does not revive it.
    assert!(!outage.page(&key).next_step.more);
    let stored = outage.stage.backend.stored_recovery(&key).unwrap();
    assert_eq!(stored.status, RecoveryStatus::Failed);
}

#[test]
fn a_recovery_whose_workflow_does_not_start_fails() {
    let outage = failed(1);
    // The subscription, the recovery; and the workflow.
    outage
        .stage
        .backend
        .plant([Fault::None, Fault::None, Fault::Before]);
    let refused = outage.start(&recover(1));
    assert!(matches!(refused, Err(RecoveriesError::Workflow(_))));
    let to = outage.stage.ids[0].subscription;
    let page = now(outage
        .recoveries
        .list(&samples::customer("acme"), &to, None, 10));
    let [Ok(found)] = &page.unwrap().recoveries[..] else {
        panic!("one recovery was requested")
    };
    assert_eq!(found.status, RecoveryStatus::Failed);
}

#[test]
fn a_recovery_skips_an_unreadable_delivery_and_resends_all_others() {
    let outage = failed(3);
    outage.stage.backend.break_delivery(outage.ids[1]);
    let count = outage.count(&recover(1), PAGE);
    assert_eq!((count.count, count.complete), (2, true));
    let key = outage.start(&recover(1)).unwrap().key();
    outage.run(&key);
    let stored = outage.stage.backend.stored_recovery(&key).unwrap();
    assert_eq!(stored.status, RecoveryStatus::Succeeded);
    assert_eq!(stored.progress.examined, 3);
    assert_eq!((stored.progress.queued, stored.progress.skipped), (2, 1));
}

#[test]
fn an_unreadable_subscription_is_reported_and_ends_its_recoveries() {
    let outage = failed(1);
    let key = outage.start(&recover(1)).unwrap().key();
    let backend = &outage.stage.backend;
    backend.break_subscription(&key.customer, key.subscription, "url");
    let report = outage.page(&key);
    assert!(!report.next_step.more);
    assert_eq!(report.unreadable.len(), 1);
    let shown = now(outage.recoveries.show(&key)).unwrap();
    assert_eq!(shown.status, RecoveryStatus::Failed);
    let refused = outage.start(&recover(1)).unwrap_err();
    let words = refused.to_string();
    assert!(matches!(refused, RecoveriesError::Subscription(_)));
    assert!(words.contains("url: is not one"), "{words}");
    let listed = outage
        .recoveries
        .list(&key.customer, &key.subscription, None, 9);
    assert_eq!(now(listed).unwrap().recoveries.len(), 1);
}

#[test]
fn a_recovery_that_is_too_long_for_one_workflow_stops() {
    let outage = failed(1);
    let mut recovery = outage.start(&recover(1)).unwrap();
    recovery.progress.pages = Recovery::MAX_PAGES;
    recovery.version += 1;
    now(outage.stage.backend.replace_recovery(&recovery)).unwrap();
    assert!(!outage.page(&recovery.key()).next_step.more);
    let stopped = outage.recovery(&recovery.key());
    assert_eq!(stopped.status, RecoveryStatus::Stopped);
}

#[test]
fn a_dry_run_counts_what_a_recovery_would_send_within_its_time() {
    let statuses = (0..200).map(|n| match n % 4 {
        0 => DeliveryStatus::Succeeded,
        1 => samples::HELD,
        _ => FAILED,
    });
    let outage = outage(statuses);
    let whole = outage.count(&recover(10), Duration::from_secs(5));
    assert_eq!((whole.count, whole.complete), (150, true));
    assert!(outage.stage.backend.queue().is_empty(), "nothing was sent");
    let recovery = outage.start(&recover(100)).unwrap();
    outage.run(&recovery.key());
    assert_eq!(
        outage.recovery(&recovery.key()).progress.queued,
        whole.count
    );

    outage.stage.backend.set_latency(Duration::from_millis(100));
    let replay = request(RecoveryKind::Replay, 10);
    let part = outage.count(&replay, Duration::from_secs(5));
    assert!(!part.complete);
    let none = outage.count(&replay, Duration::ZERO);
    assert_eq!((none.count, none.complete), (0, false));
}

#[test]
fn a_count_ends_when_its_reads_are_used_up() {
    let outage = failed(200);
    let to = outage.stage.ids[0].subscription;
    for (entries, count, complete) in [(0, 0, false), (60, 100, false), (201, 200, true)] {
        let budget = CountBudget {
            time: Duration::from_secs(5),
            entries,
        };
        let customer = samples::customer("acme");
        let request = recover(10);
        let counted = outage.recoveries.count(&customer, &to, &request, budget);
        let counted = now(counted).unwrap();
        assert_eq!((counted.count, counted.complete), (count, complete));
    }
}

/// Changes the event types of the subscription.
fn subscribe_to(outage: &Outage, event_type: &str) {
    let current = outage.stage.subscription_of(outage.stage.ids[0]).unwrap();
    let pattern = EventTypePattern::try_from(event_type.to_owned()).unwrap();
    let changed = Subscription {
        event_types: EventTypePatterns::try_from(vec![pattern]).unwrap(),
        version: current.version + 1,
        ..current
    };
    outage.stage.backend.store_subscription(&changed);
}

#[test]
fn a_replay_sends_messages_that_match_now_and_were_never_delivered() {
    let outage = failed(2);
    let backend = &outage.stage.backend;
    let stored_at = samples::NOW + Duration::from_hours(1);
    let mut missing = Vec::new();
    for (number, event_type) in ["invoice.paid", "order.created", "order.cancelled"]
        .into_iter()
        .cycle()
        .take(9)
        .enumerate()
    {
        let message = Message {
            event_type: event_type.parse().unwrap(),
            ..samples::message("acme", &format!("before {number}"))
        };
        if event_type.starts_with("order") {
            missing.push(message.id.to_string());
        }
        backend.record_message(message, stored_at + Duration::from_secs(1));
    }
    let strange = samples::message("bolt", "of another customer");
    backend.record_message(strange, stored_at);
    subscribe_to(&outage, "order.*");
    let replay = request(RecoveryKind::Replay, 10);
    let whole = outage.count(&replay, Duration::from_secs(5));
    assert_eq!((whole.count, whole.complete), (6, true));

    let recovery = outage.start(&replay).unwrap();
    outage.run(&recovery.key());
    outage.stage.drain();
    let requests = outage.requests();
    assert!(requests.values().all(|&times| times == 1));
    missing.sort();
    assert_eq!(requests.into_keys().collect::<Vec<_>>(), missing);
    assert_eq!(
        outage.status(0),
        FAILED,
        "a replay does not resend what was delivered"
    );
    let ended = outage.recovery(&recovery.key());
    // Two that were delivered, the first delivery of the stage, and three invoices.
    assert_eq!(counts(&ended), (12, 6, 6));

    let again = outage.start(&replay).unwrap();
    outage.run(&again.key());
    assert_eq!(counts(&outage.recovery(&again.key())), (12, 0, 12));
}

/// Adds a message that was stored an hour after the start, without a delivery.
fn missing_message(outage: &Outage, event: &str) -> DeliveryId {
    let message = samples::message("acme", event);
    let id = DeliveryId {
        message: message.id,
        subscription: outage.stage.ids[0].subscription,
    };
    let stored_at = samples::NOW + Duration::from_hours(1);
    outage.stage.backend.record_message(message, stored_at);
    id
}

#[test]
fn a_running_replay_that_reaches_a_cancelled_message_skips_it() {
    let outage = failed(0);
    let [kept, cancelled, late] =
        ["kept", "cancelled", "late"].map(|event| missing_message(&outage, event));
    let mut replay = request(RecoveryKind::Replay, 10);
    replay.range.since = samples::NOW + Duration::from_secs(1);
    let recovery = outage.start(&replay).unwrap();
    outage.stage.cancel(cancelled).unwrap();
    let count = outage.count(&replay, PAGE);
    assert_eq!((count.count, count.complete), (2, true));
    outage.page(&recovery.key());
    assert_eq!(counts(&outage.recovery(&recovery.key())), (3, 2, 1));
    assert_eq!(outage.stage.backend.delivery(&cancelled), None);
    // It is cancelled after the replay has queued it: its attempt finds that.
    assert_eq!(outage.mark_cancelled(late), WriteOutcome::Written);
    outage.run(&recovery.key());
    outage.stage.drain();
    let sent: Vec<_> = outage.requests().into_keys().collect();
    assert_eq!(sent, [kept.message.to_string()]);
    let requested = DeliveryStatus::Cancelled(CancelReason::Requested);
    assert_eq!(outage.stage.delivery_of(late).status, requested);
}

#[test]
fn no_recovery_sends_a_cancelled_message() {
    for statuses in [
        UndeliveredStatuses::Both,
        UndeliveredStatuses::Only(UndeliveredStatus::Failed),
    ] {
        let outage = outage([FAILED, samples::HELD, FAILED]);
        let message = samples::message("acme", "resent, then held");
        let resent = Delivery {
            trigger: DeliveryTrigger::Resend,
            status: samples::HELD,
            created_at: samples::NOW,
            expires_at: samples::NOW + Duration::from_hours(24 * 90),
            ..samples::delivery(&message, outage.stage.ids[0].subscription)
        };
        let held = resent.id;
        outage.stage.backend.record_call(message, resent);
        for id in [outage.ids[0], outage.ids[1], held] {
            assert_eq!(outage.mark_cancelled(id), WriteOutcome::Written);
        }
        let asked = request(RecoveryKind::Recover(statuses), 10);
        assert_eq!(outage.count(&asked, PAGE).count, 1);
        let recovery = outage.start(&asked).unwrap();
        outage.run(&recovery.key());
        outage.stage.drain();
        let sent: Vec<_> = outage.requests().into_keys().collect();
        assert_eq!(sent, [outage.ids[2].message.to_string()]);
        assert_eq!(outage.status(0), FAILED);
        let discarded = DeliveryStatus::Cancelled(CancelReason::Discarded);
        assert_eq!(outage.status(1), discarded);
        assert_eq!(outage.stage.delivery_of(held).status, discarded);
        // What it has cancelled was not sent.
        assert_eq!(counts(&outage.recovery(&recovery.key())), (4, 1, 3));
        // Somebody asks for this one.
        outage.stage.resend(outage.ids[0]).unwrap();
        outage.stage.drain();
        assert_eq!(outage.status(0), DeliveryStatus::Succeeded);
    }
}

#[test]
fn a_delivery_that_waits_for_its_time_again_is_counted_once() {
    let outage = failed(0);
    let backend = &outage.stage.backend;
    let message = Message {
        deliver_at: Some(backend.time() + Duration::from_hours(24)),
        ..samples::message("acme", "held, and for later")
    };
    let held = Delivery {
        status: samples::HELD,
        created_at: samples::NOW,
        expires_at: samples::NOW + Duration::from_hours(24 * 90),
        ..samples::delivery(&message, outage.stage.ids[0].subscription)
    };
    let (id, deliver_at) = (held.id, message.deliver_at);
    backend.record_call(message, held);
    for expected in [(1, 1, 0), (1, 0, 1), (1, 0, 1)] {
        let recovery = outage.start(&recover(10)).unwrap();
        outage.run(&recovery.key());
        assert_eq!(counts(&outage.recovery(&recovery.key())), expected);
        assert_eq!(outage.stage.delivery_of(id).next_attempt_at, deliver_at);
    }
}

#[test]
fn a_replay_does_not_count_a_delivery_that_waits_for_its_time() {
    let outage = failed(0);
    let stage = &outage.stage;
    let message = Message {
        deliver_at: Some(stage.backend.time() + Duration::from_hours(24)),
        ..samples::message("acme", "later")
    };
    let id = stage.record_message(&message);
    let replay = request(RecoveryKind::Replay, 10);
    let replay = RecoveryRequest {
        range: Range {
            until: stage.backend.time() + Duration::from_secs(1),
            ..replay.range
        },
        ..replay
    };
    stage.backend.set_now(replay.range.until);
    let recovery = outage.start(&replay).unwrap();
    outage.run(&recovery.key());
    // It, and the first delivery of the stage.
    assert_eq!(counts(&outage.recovery(&recovery.key())), (2, 0, 2));
    assert_eq!(stage.delivery_of(id).next_attempt_at, message.deliver_at);
}

#[test]
fn a_killed_page_of_a_replay_loses_nothing_and_sends_nothing_twice() {
    const CALLS: usize = 3 + 2 + 2 + 1 + 1;
    for (call, fault) in (0..CALLS).flat_map(|n| [(n, Fault::Before), (n, Fault::After)]) {
        let outage = failed(0);
        for number in 0..2 {
            let message = samples::message("acme", &format!("before {number}"));
            let stored_at = samples::NOW + Duration::from_secs(1);
            outage.stage.backend.record_message(message, stored_at);
        }
        let mut replay = request(RecoveryKind::Replay, 10);
        replay.range.since = samples::NOW + Duration::from_secs(1);
        let recovery = outage.start(&replay).unwrap();
        let faults = std::iter::repeat_n(Fault::None, call).chain([fault]);
        outage.stage.backend.plant(faults);
        outage.run(&recovery.key());
        assert!(!outage.stage.backend.clear_faults(), "the fault happened");
        outage.stage.drain();
        let requests = outage.requests();
        let place = format!("{fault:?} at {call}");
        assert_eq!(requests.len(), 2, "{place}");
        assert!(requests.values().all(|&times| times == 1), "{place}");
        assert_eq!(
            counts(&outage.recovery(&recovery.key())),
            (2, 2, 0),
            "{place}"
        );
    }
}
