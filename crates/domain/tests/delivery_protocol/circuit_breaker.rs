//! The circuit breaker of a subscription in the delivery protocol.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::stage::{NEVER, Stage, deliver, now, schedule, stage_with};
use webhooks_domain::deliver::{DeferReason, Report};
use webhooks_domain::delivery::{Deferral, DeliveryStatus, DeliveryTask, DiscardReason};
use webhooks_domain::due::OVERDUE_AFTER;
use webhooks_domain::health::{CircuitPolicy, HealthChange, OpenCircuit};
use webhooks_domain::ids::DeliveryId;
use webhooks_testkit::{Fault, samples};

const COOLDOWN: Duration = Duration::from_secs(30);
const MINIMUM: usize = 5;

/// A stage with queued deliveries of one subscription. Its circuit breaker opens after five failed
/// attempts.
fn stage(deliveries: usize) -> (Stage, Vec<DeliveryId>) {
    // With so many attempts no test reaches the last one.
    let delays = [vec![0], vec![60; 30]].concat();
    let mut stage = stage_with(schedule(&delays), &[None]);
    stage.deliver.health_monitor.policy.circuit = Some(CircuitPolicy::new(80, 5, 30).unwrap());
    let others = (1..deliveries).map(|n| stage.another_delivery(&format!("another {n}")));
    let ids: Vec<_> = std::iter::once(stage.ids[0]).chain(others).collect();
    for &id in &ids[1..] {
        stage.queue_first(id);
    }
    (stage, ids)
}

fn circuit(stage: &Stage) -> Option<OpenCircuit> {
    stage.subscription_of(stage.ids[0]).unwrap().health.circuit
}

/// A stage whose circuit breaker has just opened, with this many deliveries that have no attempt.
fn opened(untried: usize) -> (Stage, Vec<DeliveryId>) {
    let (stage, ids) = stage(MINIMUM + untried);
    stage.backend.answer([500; MINIMUM].map(samples::response));
    for &id in &ids[..MINIMUM] {
        stage.run(&DeliveryTask::first(id)).unwrap();
    }
    stage.backend.purge_queue();
    for &id in &ids[MINIMUM..] {
        stage.queue_first(id);
    }
    (stage, ids[MINIMUM..].to_vec())
}

#[test]
fn a_circuit_breaker_opens_then_defers_without_attempts_and_closes_after_a_probe() {
    let (stage, untried) = opened(10);
    let open = circuit(&stage).unwrap();
    assert_eq!(open.until, stage.backend.time() + COOLDOWN);
    for _ in &untried {
        let message = stage.backend.receive_before(open.until).unwrap();
        let report = stage.handle(message).unwrap();
        assert_eq!(report, Report::Deferred(DeferReason::CircuitBreakerOpen));
    }
    assert_eq!(stage.backend.requests().len(), MINIMUM);
    assert!(stage.backend.receive_before(open.until).is_none());
    assert!(
        untried
            .iter()
            .all(|&id| stage.delivery_of(id).attempts.is_empty())
    );

    let reports = stage.drain();
    let closed = |report: &&Report| matches!(report, Report::Attempted { changes, .. } if changes.contains(&HealthChange::CircuitClosed));
    assert_eq!(reports.iter().filter(closed).count(), 1);
    assert_eq!(circuit(&stage), None);
    for id in untried {
        let delivery = stage.delivery_of(id);
        assert_eq!(delivery.status, DeliveryStatus::Succeeded);
        assert_eq!(delivery.attempts.len(), 1, "a deferral uses up no attempt");
    }
}

#[test]
fn only_one_attempt_probes_while_the_others_wait_for_its_outcome() {
    let (mut stage, untried) = opened(2);
    stage.backend.purge_queue();
    let open = circuit(&stage).unwrap();
    stage.backend.set_now(open.until);
    let (probe, other) = (
        DeliveryTask::first(untried[0]),
        DeliveryTask::first(untried[1]),
    );
    let beside = deliver(&stage.backend, schedule(&[0, 60]));
    stage.backend.during_requests(move |_| {
        let report = now(beside.run(&other, NEVER)).unwrap();
        assert_eq!(report, Report::Deferred(DeferReason::CircuitBreakerOpen));
    });
    stage.deliver.health_monitor.policy.disable_after = None;
    stage.backend.answer([samples::response(500)]);
    stage.run(&probe).unwrap();
    assert_eq!(stage.backend.requests().len(), MINIMUM + 1);
    let longer = circuit(&stage).unwrap();
    assert_eq!(longer.until, stage.backend.time() + 2 * COOLDOWN);
}

#[test]
fn a_probe_lost_in_a_crash_is_followed_by_another() {
    let (stage, untried) = opened(2);
    let open = circuit(&stage).unwrap();
    stage.backend.set_now(open.until);
    // Load, subscription, claim: the fourth call decrypts the secrets or records.
    let faults = std::iter::repeat_n(Fault::None, 3).chain([Fault::Before]);
    stage.backend.plant(faults);
    let message = stage.backend.receive().unwrap();
    assert!(stage.handle(message).is_err());
    assert!(
        circuit(&stage).unwrap().until > open.until,
        "the probe was claimed"
    );
    stage.drain();
    assert_eq!(circuit(&stage), None);
    let statuses = untried.iter().map(|&id| stage.delivery_of(id).status);
    assert!(
        statuses
            .into_iter()
            .all(|status| status == DeliveryStatus::Succeeded)
    );
}

#[test]
fn deferred_tasks_return_at_a_bounded_rate() {
    let (stage, untried) = opened(100);
    stage.drain();
    let mut by_second = BTreeMap::<i64, usize>::new();
    for (at, _) in &stage.backend.requests()[MINIMUM..] {
        *by_second.entry(at.as_secs()).or_default() += 1;
    }
    // They include the five that failed before, after the sweep has queued them.
    assert_eq!(by_second.values().sum::<usize>(), untried.len() + MINIMUM);
    // The queue delays by whole seconds.
    assert!(
        by_second.values().all(|&count| count <= 11),
        "{by_second:?}"
    );
}

#[test]
fn the_sweep_multiplies_no_tasks_while_a_circuit_breaker_is_open() {
    const DELIVERIES: usize = 60;
    let (mut stage, ids) = stage(DELIVERIES);
    stage
        .backend
        .answer((0..1_000).map(|_| samples::response(500)));
    let circuit = stage.deliver.health_monitor.policy.circuit.take();
    for &id in &ids {
        stage.run(&DeliveryTask::first(id)).unwrap();
    }
    stage.deliver.health_monitor.policy.circuit = circuit;
    // The queue hands out its messages, and the sweep finds all of them overdue every hour.
    let minute = Duration::from_mins(1);
    let mut most = 0;
    for _ in 0..12 * 60 {
        let next = stage.backend.time() + minute;
        stage.sweep();
        stage.check_unavailable();
        while let Some(message) = stage.backend.receive_before(next) {
            let _ = stage.handle(message);
        }
        stage.backend.set_now(next);
        most = most.max(stage.backend.queue().len());
    }
    assert!(
        most <= 2 * DELIVERIES,
        "{most} tasks for {DELIVERIES} deliveries"
    );
    // After the longest cooldown is reached, there is one probe every 15 minutes.
    let probes = stage.backend.requests().len() - DELIVERIES - MINIMUM;
    assert!((40..70).contains(&probes), "{probes}");
}

#[test]
fn an_overdue_task_is_left_to_the_sweep_and_a_deferred_one_stays_deferred() {
    let (stage, _) = opened(0);
    let id = stage.ids[0];
    let due_at = stage.delivery().next_attempt_at;
    let late = due_at.unwrap() + OVERDUE_AFTER;
    stage.backend.set_now(late);
    stage.reopen_circuit(id, late + COOLDOWN);
    let swept = DeliveryTask::new(id, 2, due_at);
    let report = stage.run(&swept).unwrap();
    assert_eq!(report, Report::Discarded(DiscardReason::LeftToSweep));
    assert!(stage.backend.queue().is_empty());
    let deferred = DeliveryTask {
        deferral: Some(Deferral::CircuitBreaker),
        ..swept
    };
    let report = stage.run(&deferred).unwrap();
    assert_eq!(report, Report::Deferred(DeferReason::CircuitBreakerOpen));
    let [queued] = stage.backend.queue()[..] else {
        panic!("one task, {:?}", stage.backend.queue())
    };
    assert_eq!(queued.task, deferred);
    stage.queue(&swept, Duration::ZERO);
}
