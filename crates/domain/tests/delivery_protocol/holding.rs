//! Deliveries to an endpoint that is unavailable for long are held, and sent once it answers.

use std::time::Duration;

use webhooks_domain::delivery::{
    CancelReason, Delivery, DeliveryStatus, DeliveryTask, DeliveryTrigger, FailureReason,
};
use webhooks_domain::health::{CircuitPolicy, Health, Hold, OpenCircuit};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::message::Message;
use webhooks_domain::ports::{DeliveryTable, RecoveryTable, SubscriptionTable, WriteOutcome};
use webhooks_domain::recovery::{HeldFate, Recovery, RecoveryStatus};
use webhooks_domain::subscription::{Subscription, SubscriptionStatus};
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::{Fault, samples};

use crate::stage::{NEVER, Stage, deliver, now, schedule, stage_with, unavailable};

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);
/// The attempts of a delivery.
const ATTEMPTS: usize = 5;

/// A stage with deliveries of one subscription, queued for their first attempts. Its endpoint is
/// down.
fn outage(deliveries: usize) -> (Stage, Vec<DeliveryId>) {
    let mut stage = stage_with(schedule(&[0, 60, 600, 3_600, 7_200]), &[None]);
    stage.deliver.health_monitor.policy.circuit = Some(CircuitPolicy::new(80, 5, 30).unwrap());
    stage.backend.answer_always(samples::response(503));
    let mut ids = vec![stage.ids[0]];
    for number in 1..deliveries {
        let id = stage.another_delivery(&format!("another {number}"));
        stage.queue_first(id);
        ids.push(id);
    }
    (stage, ids)
}

/// An outage in which this many deliveries are held, the oldest first. The circuit breaker is
/// half-open, and the check is due.
fn held(deliveries: usize) -> (Stage, Vec<DeliveryId>) {
    let (stage, ids) = outage(deliveries);
    let time = stage.backend.time();
    let circuit = OpenCircuit {
        since: time - HOUR,
        until: time + MINUTE,
        cooldown: OpenCircuit::LONGEST,
    };
    let hold = Hold {
        since: circuit.since,
        check_at: circuit.until,
    };
    stage.set_health(Health {
        failing_since: Some(circuit.since),
        circuit: Some(circuit),
        hold: Some(hold),
        slow_since: None,
        warned: None,
    });
    stage.handle_visible();
    assert!(stage.are(&ids, samples::AWAITING_ENDPOINT));
    stage.backend.set_now(circuit.until);
    (stage, ids)
}

impl Stage {
    fn subscription(&self) -> Subscription {
        self.subscription_of(self.ids[0]).unwrap()
    }

    fn health(&self) -> Health {
        self.subscription().health
    }

    fn set_health(&self, health: Health) {
        let written = now(self.backend.change_health(&self.subscription(), &health));
        assert_eq!(written.unwrap(), WriteOutcome::Written);
    }

    fn are(&self, ids: &[DeliveryId], status: DeliveryStatus) -> bool {
        ids.iter().all(|&id| self.delivery_of(id).status == status)
    }

    fn with_status(&self, ids: &[DeliveryId], status: DeliveryStatus) -> usize {
        let statuses = ids.iter().map(|&id| self.delivery_of(id).status);
        statuses.filter(|&found| found == status).count()
    }

    /// Lets everything work for a while: the queue, the sweep, the check, and the recoveries.
    fn work_for(&self, duration: Duration) {
        let end = self.backend.time() + duration;
        while self.backend.time() < end {
            self.sweep();
            self.check_unavailable();
            self.run_pages();
            let next = (self.backend.time() + MINUTE).min(end);
            while let Some(message) = self.backend.receive_before(next) {
                let _ = self.handle(message);
            }
            self.backend.set_now(next);
        }
    }

    /// Adds a delivery that awaits the endpoint, and whose event has this deadline.
    fn awaiting_until(&self, deadline: Timestamp) -> DeliveryId {
        let message = Message {
            deadline: Some(deadline),
            ..samples::message("acme", "with a deadline")
        };
        let delivery = self.kept(&message, samples::AWAITING_ENDPOINT);
        self.backend.record_call(message, delivery.clone());
        delivery.id
    }

    /// A delivery of the message with this status.
    fn kept(&self, message: &Message, status: DeliveryStatus) -> Delivery {
        Delivery {
            status,
            created_at: self.backend.time(),
            expires_at: self.backend.time() + 90 * 24 * HOUR,
            ..samples::delivery(message, self.ids[0].subscription)
        }
    }

    /// Processes the tasks that are visible now.
    fn handle_visible(&self) {
        let soon = self.backend.time() + Duration::from_millis(1);
        while let Some(message) = self.backend.receive_before(soon) {
            self.handle(message).unwrap();
        }
    }

    fn repair(&self) {
        self.backend.answer_always(samples::response(200));
    }

    /// The recoveries that were started.
    fn recoveries(&self) -> Vec<Recovery> {
        let keys = self.backend.started_recoveries();
        let stored = keys.iter().map(|key| self.backend.stored_recovery(key));
        stored.map(Option::unwrap).collect()
    }

    /// The number of attempts of all deliveries, each of which was sent.
    fn attempts(&self, ids: &[DeliveryId]) -> usize {
        let attempts = ids.iter().map(|&id| self.delivery_of(id).attempts.len());
        attempts.sum()
    }

    /// Everything was sent, nothing is left to do, and nothing was sent twice.
    fn assert_sent(&self, ids: &[DeliveryId], place: &str) {
        let others = ids.iter().map(|&id| self.delivery_of(id));
        let mut others = others.filter(|found| found.status != DeliveryStatus::Succeeded);
        assert_eq!(others.next(), None, "{place}");
        assert_eq!(self.health(), Health::default(), "{place}");
        assert_eq!(self.backend.next_sweep_at(), None, "{place}");
        let requests = self.backend.requests().len();
        assert_eq!(requests, self.attempts(ids), "{place}");
    }
}

#[test]
fn an_endpoint_that_is_down_for_an_hour_gets_everything_by_itself_when_it_is_back() {
    let (stage, mut ids) = outage(30);
    stage.work_for(40 * MINUTE);
    assert_eq!(stage.health().hold, None);
    assert!(stage.with_status(&ids, DeliveryStatus::Pending) > 0);
    stage.work_for(80 * MINUTE);
    assert!(stage.health().hold.is_some());
    let later = stage.another_delivery("while it is down");
    stage.queue_first(later);
    ids.push(later);
    stage.work_for(3 * HOUR);
    let held = stage.with_status(&ids, samples::AWAITING_ENDPOINT);
    assert!(held >= 28, "{held} are held, the others were probes");
    assert!(stage.delivery_of(ids[0]).attempts.len() < ATTEMPTS);
    stage.repair();
    stage.drain();
    stage.assert_sent(&ids, "at the end");
    let recoveries = stage.recoveries();
    let [recovery] = &recoveries[..] else {
        panic!("one recovery, {recoveries:?}")
    };
    assert_eq!(recovery.status, RecoveryStatus::Succeeded);
}

#[test]
fn a_held_delivery_has_every_attempt_that_its_policy_promises() {
    let (stage, ids) = outage(10);
    // It never answers: each delivery is attempted as a probe, and by its own schedule.
    for _ in 0..60 {
        stage.work_for(6 * HOUR);
    }
    let exhausted = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);
    for &id in &ids {
        let delivery = stage.delivery_of(id);
        let numbers: Vec<_> = delivery.attempts.iter().map(|made| made.number).collect();
        assert_eq!(delivery.earlier_attempts, 0);
        assert_eq!(delivery.trigger, DeliveryTrigger::Event);
        assert_eq!((delivery.status, numbers), (exhausted, vec![1, 2, 3, 4, 5]));
    }
    assert_eq!(stage.backend.requests().len(), ATTEMPTS * ids.len());
}

/// A million deliveries would cost the same each.
#[test]
fn a_delivery_to_a_dead_endpoint_costs_a_few_tasks_and_writes_for_however_long_it_is_dead() {
    const DELIVERIES: u64 = 1_000;
    const TASKS: u64 = 10;
    const WRITES: u64 = 3;
    let (stage, mut ids) = outage(usize::try_from(DELIVERIES).unwrap() / 2);
    stage.work_for(2 * HOUR);
    let at_two_hours = (stage.backend.tasks_sent(), stage.backend.delivery_writes());
    for number in ids.len()..usize::try_from(DELIVERIES).unwrap() {
        let id = stage.another_delivery(&format!("later {number}"));
        stage.queue_first(id);
        ids.push(id);
    }
    stage.work_for(70 * HOUR);
    let (tasks, writes) = (stage.backend.tasks_sent(), stage.backend.delivery_writes());
    assert!(tasks <= TASKS * DELIVERIES, "{tasks} tasks");
    assert!(writes <= WRITES * DELIVERIES, "{writes} writes");
    // After the first hour a delivery costs its first task and one write. Probes come on top.
    let (before_tasks, before_writes) = at_two_hours;
    let probes = 70 * 5;
    let later = DELIVERIES / 2;
    let more = tasks - before_tasks;
    assert!(more <= later + 3 * probes, "{more} tasks in 70 hours");
    let more = writes - before_writes;
    assert!(more <= later + 4 * probes, "{more} writes in 70 hours");
    stage.repair();
    stage.drain();
    let (tasks, writes) = (stage.backend.tasks_sent(), stage.backend.delivery_writes());
    println!("{DELIVERIES} deliveries: {tasks} tasks, {writes} writes");
    assert!(tasks <= (TASKS + 2) * DELIVERIES, "{tasks} tasks");
    assert!(writes <= (WRITES + 2) * DELIVERIES, "{writes} writes");
    assert_eq!(stage.health(), Health::default());
    assert_eq!(stage.with_status(&ids, samples::AWAITING_ENDPOINT), 0);
}

#[test]
fn two_checks_release_one_probe_and_a_failed_one_is_followed_by_another() {
    let (stage, ids) = held(3);
    let probes = |stage: &Stage| stage.check_unavailable().probes;
    assert_eq!([probes(&stage), probes(&stage)], [1, 0]);
    assert_eq!(stage.with_status(&ids, DeliveryStatus::Pending), 1);
    stage.handle_visible();
    assert_eq!(stage.backend.requests().len(), 1);
    let health = stage.health();
    let until = health.circuit.unwrap().until;
    assert_eq!(until, stage.backend.time() + OpenCircuit::LONGEST);
    assert_eq!(health.hold.unwrap().check_at, until);
    assert_eq!(probes(&stage), 0);
    stage.backend.set_now(until);
    assert_eq!(probes(&stage), 1);
}

#[test]
fn two_checks_that_overlap_release_one_probe() {
    let (stage, ids) = held(3);
    let beside = unavailable(&stage.backend);
    stage
        .backend
        .before_health_change(move |_| assert_eq!(now(beside.run(NEVER)).probes, 1));
    assert_eq!(stage.check_unavailable().probes, 0);
    assert_eq!(stage.with_status(&ids, DeliveryStatus::Pending), 1);
}

#[test]
fn probes_do_not_use_up_the_attempts_of_a_single_delivery() {
    let (stage, ids) = held(20);
    stage.work_for(4 * HOUR);
    let attempts: Vec<_> = ids.iter().map(|&id| stage.attempts(&[id])).collect();
    assert!(attempts.iter().sum::<usize>() >= 10, "{attempts:?}");
    assert!(attempts.iter().all(|&made| made <= 1), "{attempts:?}");
}

#[test]
fn a_probe_that_gets_lost_is_followed_by_another() {
    let (stage, ids) = held(3);
    stage.check_unavailable();
    stage.backend.purge_queue();
    stage
        .backend
        .set_now(stage.backend.time() + Hold::PROBE_TIME);
    assert_eq!(stage.check_unavailable().probes, 1);
    stage.repair();
    stage.drain();
    stage.assert_sent(&ids, "at the end");
}

#[test]
fn any_delivery_that_comes_due_is_a_probe_too() {
    let (stage, mut ids) = held(3);
    stage.repair();
    let id = stage.another_delivery("a new one");
    stage.queue_first(id);
    stage.handle_visible();
    assert_eq!(stage.delivery_of(id).status, DeliveryStatus::Succeeded);
    assert_eq!(stage.health().circuit, None);
    ids.push(id);
    stage.drain();
    stage.assert_sent(&ids, "at the end");
}

#[test]
fn while_nothing_is_held_the_next_delivery_is_the_probe() {
    let (stage, ids) = held(1);
    let discarded = now(stage.backend.discard(&stage.delivery()));
    assert_eq!(discarded.unwrap(), WriteOutcome::Written);
    assert_eq!(stage.check_unavailable().probes, 0);
    let check_at = stage.health().hold.unwrap().check_at;
    assert_eq!(check_at, stage.backend.time() + Hold::RECHECK);
    stage.repair();
    let id = stage.another_delivery("a new one");
    stage.queue_first(id);
    stage.drain();
    let cancelled = DeliveryStatus::Cancelled(CancelReason::Discarded);
    assert!(stage.are(&ids, cancelled));
    stage.assert_sent(&[id], "at the end");
    assert_eq!(stage.recoveries(), [], "nothing was held");
}

#[test]
fn a_delivery_whose_deadline_has_passed_is_no_probe_and_ends_with_the_others() {
    let (stage, ids) = held(2);
    let expiring = stage.awaiting_until(stage.backend.time());
    stage.backend.set_now(stage.backend.time() + MINUTE);
    assert_eq!(stage.check_unavailable().probes, 1);
    assert!(stage.are(&[expiring], samples::AWAITING_ENDPOINT));
    stage.repair();
    stage.drain();
    stage.assert_sent(&ids, "at the end");
    let expired = DeliveryStatus::Failed(FailureReason::Expired);
    assert!(stage.are(&[expiring], expired));
}

#[test]
fn if_every_deadline_has_passed_the_deliveries_end_without_a_probe() {
    let (stage, ids) = held(1);
    let expiring = stage.awaiting_until(stage.backend.time() - Duration::from_millis(1));
    now(stage.backend.discard(&stage.delivery_of(ids[0]))).unwrap();
    stage.work_for(10 * MINUTE);
    let expired = DeliveryStatus::Failed(FailureReason::Expired);
    assert!(stage.are(&[expiring], expired));
    assert_eq!(stage.backend.requests().len(), 0);
}

/// Runs the story of a recovered endpoint, with a fault at this call of the checks. Returns true if
/// the fault happened.
fn crashes(call: usize, fault: Fault, is_up: bool) -> bool {
    let place = format!("{fault:?} at {call}, up: {is_up}");
    let (stage, ids) = held(4);
    if is_up {
        stage.repair();
        stage.check_unavailable();
        stage.handle_visible();
        assert_eq!(stage.health().circuit, None);
        stage.backend.set_now(stage.backend.time() + Hold::SETTLING);
    }
    let faults = std::iter::repeat_n(Fault::None, call).chain([fault]);
    stage.backend.plant(faults);
    let report = stage.check_unavailable();
    let happened = !stage.backend.clear_faults();
    // A task that the queue does not take is left to the sweep.
    assert!(report.failures.len() <= usize::from(happened), "{place}");
    let released = stage.with_status(&ids, DeliveryStatus::Pending);
    assert!(released <= 1, "{place}: {released} probes");
    stage.repair();
    stage.drain();
    stage.assert_sent(&ids, &place);
    happened
}

#[test]
fn a_crash_at_any_call_of_a_check_loses_nothing_and_sends_nothing_twice() {
    for is_up in [false, true] {
        for fault in [Fault::Before, Fault::After] {
            let calls = (0..50).take_while(|&call| crashes(call, fault, is_up));
            let calls = calls.count();
            assert!((6..12).contains(&calls), "{calls} calls, up: {is_up}");
        }
    }
}

#[test]
fn a_crash_at_any_call_of_a_page_loses_nothing() {
    let mut calls = 0;
    loop {
        let (stage, ids) = held(4);
        stage.repair();
        stage.check_unavailable();
        stage.handle_visible();
        stage.backend.set_now(stage.backend.time() + Hold::SETTLING);
        stage.check_unavailable();
        let faults = std::iter::repeat_n(Fault::None, calls).chain([Fault::After]);
        stage.backend.plant(faults);
        stage.run_pages();
        let happened = !stage.backend.clear_faults();
        stage.drain();
        stage.assert_sent(&ids, &format!("fault at {calls}"));
        if !happened {
            break;
        }
        calls += 1;
    }
    assert!(calls > 10, "{calls} calls");
}

#[test]
fn a_run_that_read_the_open_circuit_breaker_before_it_closed_strands_no_delivery() {
    let (stage, mut ids) = held(3);
    let late = stage.another_delivery("late");
    ids.push(late);
    stage.repair();
    stage.check_unavailable();
    stage.handle_visible();
    assert_eq!(stage.health().circuit, None);
    // It decided while the circuit breaker was open, and writes afterwards.
    let settled = stage.backend.settle(&late, 0, samples::AWAITING_ENDPOINT);
    assert_eq!(now(settled).unwrap(), WriteOutcome::Written);
    stage.drain();
    stage.assert_sent(&ids, "at the end");
}

#[test]
fn an_endpoint_that_fails_again_during_the_recovery_holds_the_rest() {
    let (stage, ids) = held(700);
    stage.repair();
    stage.work_for(2 * MINUTE);
    let sent = stage.with_status(&ids, DeliveryStatus::Succeeded);
    assert!((1..600).contains(&sent), "{sent} were sent");
    stage.backend.answer_always(samples::response(503));
    stage.work_for(5 * HOUR);
    let [recovery] = &stage.recoveries()[..] else {
        panic!("one recovery, {:?}", stage.recoveries())
    };
    assert_eq!(recovery.status, RecoveryStatus::Stopped);
    assert!(stage.health().hold.is_some());
    let held = stage.with_status(&ids, samples::AWAITING_ENDPOINT);
    assert!(held > 50, "{held} are held");
    assert!(stage.backend.queue().len() < 50, "few tasks circulate");
    stage.repair();
    stage.drain();
    stage.assert_sent(&ids, "at the end");
    assert_eq!(stage.recoveries().len(), 2);
}

#[test]
fn a_recovery_that_is_cut_off_or_fails_is_followed_by_another_and_a_stopped_one_is_not() {
    for (status, pages, continues) in [
        (RecoveryStatus::Stopped, Recovery::MAX_PAGES, true),
        (RecoveryStatus::Failed, 1, true),
        (RecoveryStatus::Stopped, 1, false),
    ] {
        let (stage, ids) = held(3);
        stage.repair();
        stage.check_unavailable();
        stage.handle_visible();
        stage.backend.set_now(stage.backend.time() + Hold::SETTLING);
        assert_eq!(stage.check_unavailable().started.len(), 1);
        let [started] = &stage.recoveries()[..] else {
            panic!("{:?}", stage.recoveries())
        };
        let mut ended = Recovery {
            status,
            version: started.version + 1,
            ..started.clone()
        };
        ended.progress.pages = pages;
        now(stage.backend.replace_recovery(&ended)).unwrap();
        stage.drain();
        if continues {
            stage.assert_sent(&ids, &format!("{status}"));
            assert_eq!(stage.recoveries().len(), 2);
        } else {
            assert_eq!(stage.with_status(&ids, samples::AWAITING_ENDPOINT), 2);
            assert_eq!(stage.health(), Health::default());
        }
    }
}

#[test]
fn a_corrected_url_gets_what_was_held() {
    let (stage, ids) = held(3);
    let health = stage.health().of_new_endpoint(stage.backend.time());
    stage.change(stage.ids[0], |subscription| {
        subscription.url = samples::url("https://example.com/corrected");
        subscription.health = health;
    });
    stage.repair();
    stage.drain();
    stage.assert_sent(&ids, "at the end");
    assert_eq!(stage.recoveries().len(), 1);
}

/// A search for one that is held reads only the ends of a list.
#[test]
fn what_is_held_in_the_middle_of_a_long_list_is_sent_too() {
    let (stage, ids) = held(3);
    let middle = stage.delivery_of(ids[0]).created_at;
    for number in 0..600 {
        for (end, created_at) in [("old", middle - HOUR), ("new", middle + HOUR)] {
            let message = samples::message("acme", &format!("{end} {number}"));
            let failed = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);
            let failed = Delivery {
                created_at,
                ..stage.kept(&message, failed)
            };
            stage.backend.record_call(message, failed);
        }
    }
    let health = stage.health().of_new_endpoint(stage.backend.time());
    stage.change(stage.ids[0], |subscription| subscription.health = health);
    stage.repair();
    stage.drain();
    stage.assert_sent(&ids, "at the end");
    assert_eq!(stage.health(), Health::default());
}

#[test]
fn a_paused_subscription_is_not_probed_and_its_activation_decides() {
    let release = |fate| {
        let (stage, ids) = held(3);
        stage.set_status(stage.ids[0], Some(SubscriptionStatus::Paused));
        stage.repair();
        stage.work_for(2 * HOUR);
        assert_eq!(stage.backend.requests().len(), 0);
        assert!(stage.are(&ids, samples::AWAITING_ENDPOINT));
        stage.change(stage.ids[0], |subscription| {
            subscription.status = SubscriptionStatus::Active;
            subscription.health = Health::default();
        });
        let released = stage.release(fate);
        assert_eq!(released.is_some(), fate != HeldFate::Keep);
        stage.drain();
        (stage, ids)
    };
    let (stage, ids) = release(HeldFate::Send);
    stage.assert_sent(&ids, "sent");
    assert!(
        ids.iter()
            .all(|&id| stage.delivery_of(id).trigger == DeliveryTrigger::Event),
        "they continue"
    );
    let (stage, ids) = release(HeldFate::Discard);
    let cancelled = DeliveryStatus::Cancelled(CancelReason::Discarded);
    assert!(stage.are(&ids, cancelled));
    let (stage, ids) = release(HeldFate::Keep);
    assert!(stage.are(&ids, samples::AWAITING_ENDPOINT));
    assert_eq!(stage.backend.requests().len(), 0);
}

#[test]
fn what_was_held_by_a_pause_and_kept_stays_held_when_the_endpoint_recovers() {
    let (stage, ids) = held(3);
    let message = samples::message("acme", "held by a pause");
    let kept = stage.kept(&message, samples::HELD);
    stage.backend.record_call(message, kept.clone());
    stage.repair();
    stage.drain();
    stage.assert_sent(&ids, "at the end");
    assert_eq!(stage.delivery_of(kept.id), kept);
}

#[test]
fn a_deleted_or_disabled_subscription_is_not_checked() {
    let (stage, ids) = held(3);
    stage.set_status(stage.ids[0], None);
    assert_eq!(stage.check_unavailable().probes, 0);
    assert!(stage.are(&ids, samples::AWAITING_ENDPOINT));
    let (mut stage, ids) = held(3);
    stage.deliver.health_monitor.policy.disable_after = Some(5 * HOUR);
    stage.work_for(6 * HOUR);
    assert_eq!(stage.subscription().status, SubscriptionStatus::Disabled);
    let requests = stage.backend.requests().len();
    stage.work_for(6 * HOUR);
    assert_eq!(stage.backend.requests().len(), requests);
    let ended = |status: &DeliveryStatus| !status.is_undelivered();
    let statuses = ids.iter().map(|&id| stage.delivery_of(id).status);
    assert_eq!(statuses.filter(ended).count(), 0, "nothing is lost");
}

#[test]
fn an_unreadable_subscription_does_not_hide_the_others() {
    let (stage, _) = held(3);
    let subscription = stage.subscription();
    let (customer, id) = (&subscription.customer_id, subscription.id);
    stage.backend.break_subscription(customer, id, "url");
    let report = stage.check_unavailable();
    assert_eq!((report.unreadable.len(), report.failures.len()), (1, 0));
}

#[test]
fn a_run_beside_the_probe_holds_its_delivery() {
    let (stage, ids) = held(2);
    let beside = deliver(&stage.backend, schedule(&[0, 60]));
    let new = stage.another_delivery("a new one");
    stage.backend.during_requests(move |_| {
        now(beside.run(&DeliveryTask::first(new), NEVER)).unwrap();
    });
    stage.check_unavailable();
    stage.handle_visible();
    assert_eq!(stage.backend.requests().len(), 1);
    assert_eq!(stage.delivery_of(new).status, samples::AWAITING_ENDPOINT);
    assert_eq!(stage.with_status(&ids, samples::AWAITING_ENDPOINT), 1);
}
