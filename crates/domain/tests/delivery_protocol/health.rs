//! Endpoint health, and its effect on the subscription and its deliveries.

use std::time::Duration;

use crate::stage::{Stage, schedule, stage_with};
use webhooks_domain::deliver::Report;
use webhooks_domain::health::{Health, HealthChange, HealthPolicy};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::subscription::{DisabledReason, Subscription, SubscriptionStatus};
use webhooks_testkit::{Fault, samples};

const DAY: Duration = Duration::from_hours(24);
/// The time after which a failing endpoint is disabled.
const BOUND: Duration = Duration::from_hours(5 * 24);

/// A stage that disables endpoints which fail for too long. Its delivery is not queued.
fn stage() -> Stage {
    let mut stage = stage_with(schedule(&[0, 60]), &[None]);
    stage.deliver.health_monitor.policy.disable_after = Some(BOUND);
    stage.backend.purge_queue();
    stage
}

fn subscription(stage: &Stage, id: DeliveryId) -> Subscription {
    stage.subscription_of(id).unwrap()
}

fn health(stage: &Stage) -> Health {
    subscription(stage, stage.ids[0]).health
}

/// The health changes that the attempts of a run have made.
fn changes(reports: &[Report]) -> Vec<HealthChange> {
    let changes = reports.iter().filter_map(|report| match report {
        Report::Attempted { changes, .. } => Some(changes.clone()),
        _ => None,
    });
    changes.flatten().collect()
}

/// Adds a delivery of the first one's subscription, and lets each of its attempts fail.
fn fail_another(stage: &Stage, event: &str) -> (DeliveryId, Vec<Report>) {
    let id = stage.another_delivery(event);
    stage.backend.answer([500, 500].map(samples::response));
    stage.queue_first(id);
    (id, stage.drain())
}

#[test]
fn an_endpoint_is_failing_from_the_first_failed_retry_until_a_success() {
    let stage = stage();
    stage.backend.answer([samples::response(500)]);
    stage.run_first();
    assert_eq!(
        health(&stage),
        Health::default(),
        "a single failed attempt changes nothing"
    );
    stage.backend.answer([samples::response(500)]);
    assert_eq!(changes(&stage.drain()), [HealthChange::Failing]);
    let since = stage.delivery().attempts[1].at;
    assert_eq!(health(&stage).failing_since, Some(since));
    let version = subscription(&stage, stage.ids[0]).version;
    assert_eq!(version, 1, "health is not part of the version");

    let (_, reports) = fail_another(&stage, "second");
    assert_eq!(changes(&reports), [], "the health is written once");
    assert_eq!(health(&stage).failing_since, Some(since));

    stage.queue_first(stage.another_delivery("third"));
    assert_eq!(changes(&stage.drain()), [HealthChange::Recovered]);
    assert_eq!(health(&stage), Health::default());
}

#[test]
fn an_endpoint_that_fails_for_too_long_is_disabled_and_its_deliveries_are_held() {
    let stage = stage();
    fail_another(&stage, "begins to fail");
    let since = health(&stage).failing_since.unwrap();
    stage.backend.set_now(since + BOUND - DAY);
    let (_, reports) = fail_another(&stage, "still in time");
    assert_eq!(changes(&reports), []);
    stage.backend.set_now(since + BOUND);
    let (id, reports) = fail_another(&stage, "too long");
    let disabled = HealthChange::Disabled(DisabledReason::Failing);
    assert_eq!(changes(&reports), [disabled]);
    let after = subscription(&stage, id);
    assert_eq!(after.status, SubscriptionStatus::Disabled);
    let why = after.disabled.unwrap();
    assert_eq!(why.reason, DisabledReason::Failing);
    assert_eq!(why.at, after.updated_at);
    assert_eq!(stage.delivery_of(id).status, samples::HELD);
}

#[test]
fn one_success_restarts_the_time() {
    let stage = stage();
    fail_another(&stage, "begins to fail");
    let since = health(&stage).failing_since.unwrap();
    stage.backend.set_now(since + BOUND - DAY);
    stage.queue_first(stage.another_delivery("succeeds"));
    stage.drain();
    stage.backend.set_now(since + BOUND);
    let (id, _) = fail_another(&stage, "fails again");
    assert_eq!(subscription(&stage, id).status, SubscriptionStatus::Active);
}

#[test]
fn without_a_bound_nothing_is_disabled() {
    let mut stage = stage();
    stage.deliver.health_monitor.policy = HealthPolicy::NONE;
    fail_another(&stage, "begins to fail");
    stage.backend.set_now(stage.backend.time() + 100 * DAY);
    // By then the sample's first deliveries have expired.
    let (id, _) = fail_another(&stage, "fails still");
    assert_eq!(subscription(&stage, id).status, SubscriptionStatus::Active);
}

#[test]
fn a_concurrent_change_by_a_user_overrides_the_observed_health() {
    let stage = stage();
    fail_another(&stage, "begins to fail");
    let since = health(&stage).failing_since.unwrap();
    stage.backend.set_now(since + BOUND);
    let first = stage.ids[0];
    let read = subscription(&stage, first);
    stage.backend.during_requests(move |backend| {
        let enabled = Subscription {
            version: read.version + 1,
            health: Health::default(),
            ..read.clone()
        };
        backend.store_subscription(&enabled);
    });
    let id = stage.another_delivery("fails under way");
    stage.backend.answer([samples::response(500)]);
    stage.queue_first(id);
    let reports = stage.handle(stage.backend.receive().unwrap()).unwrap();
    assert_eq!(changes(&[reports]), []);
    assert_eq!(subscription(&stage, id).status, SubscriptionStatus::Active);
}

#[test]
fn a_crash_before_the_health_is_written_costs_no_attempt_and_no_delivery() {
    let stage = stage();
    stage.backend.answer((0..4).map(|_| samples::response(500)));
    stage.run_first();
    // Load, subscription, customer, queue nothing, record: the fifth call writes the health.
    let faults = std::iter::repeat_n(Fault::None, 4).chain([Fault::Before]);
    stage.backend.plant(faults);
    let message = stage.backend.receive().unwrap();
    assert!(stage.handle(message).is_err());
    assert!(
        !stage.backend.clear_faults(),
        "the write of the health failed"
    );
    stage.drain();
    assert_eq!(stage.delivery().attempts.len(), 2);
    assert_eq!(health(&stage), Health::default());
    fail_another(&stage, "the next one writes it");
    assert!(health(&stage).failing_since.is_some());
}
