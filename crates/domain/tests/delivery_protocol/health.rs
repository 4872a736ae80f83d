//! Endpoint health, and its effect on the subscription and its deliveries.

use std::time::Duration;

use crate::stage::{Stage, schedule, stage_with};
use webhooks_domain::deliver::{Recorded, Report};
use webhooks_domain::delivery::{Attempt, DeliveryStatus, FailureReason, Verdict};
use webhooks_domain::health::{
    FailingStep, Health, HealthChange, HealthPolicy, Warning, WarningStep,
};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::operational::{Kind, OperationalEvent};
use webhooks_domain::outbound::EndpointUrl;
use webhooks_domain::ports::{SubscriptionTable, WriteOutcome};
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
fn an_attempt_is_reported_although_the_health_cannot_be_written() {
    let stage = stage();
    stage.backend.answer((0..4).map(|_| samples::response(500)));
    stage.run_first();
    // Load, subscription, customer, queue nothing, record: the fifth call writes the health.
    let faults = std::iter::repeat_n(Fault::None, 4).chain([Fault::Before]);
    stage.backend.plant(faults);
    let message = stage.backend.receive().unwrap();
    let report = stage.handle(message).unwrap();
    assert!(
        matches!(
            &report,
            Report::Attempted {
                attempt: Attempt { number: 2, .. },
                verdict: Verdict::Ended(DeliveryStatus::Failed(FailureReason::AttemptsExhausted)),
                recorded: Recorded::Written,
                health_failure: Some(_),
                ..
            }
        ),
        "{report:#?}"
    );
    let event = OperationalEvent::of_report(&stage.ids[0], &report).unwrap();
    assert_eq!(event.kind, Kind::DeliveryFailed);
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

/// The warnings of the attempts of a run.
fn warnings(reports: &[Report]) -> Vec<Warning> {
    let warnings = reports.iter().filter_map(|report| match report {
        Report::Attempted { warning, .. } => warning.as_ref().map(|warning| warning.warning),
        _ => None,
    });
    warnings.collect()
}

fn steps(reports: &[Report]) -> Vec<&'static str> {
    let warnings = warnings(reports).into_iter();
    warnings.map(|warning| warning.step.as_str()).collect()
}

#[test]
fn the_owner_is_warned_once_for_each_step_of_a_failing_period() {
    let stage = stage();
    let (_, reports) = fail_another(&stage, "begins to fail");
    assert_eq!(steps(&reports), [""; 0]);
    let since = health(&stage).failing_since.unwrap();
    for (hours, step) in [
        (1, "failingForAnHour"),
        (24, "failingForADay"),
        (60, "halfTimeToDisabling"),
        (120, "disabled"),
    ] {
        stage
            .backend
            .set_now(since + Duration::from_hours(hours) - Duration::from_mins(3));
        let (_, reports) = fail_another(&stage, &format!("shortly before {step}"));
        assert_eq!(steps(&reports), [""; 0], "before {step}");
        stage.backend.set_now(since + Duration::from_hours(hours));
        let (_, reports) = fail_another(&stage, step);
        assert_eq!(steps(&reports), [step], "of two attempts");
        let warning = warnings(&reports)[0];
        assert_eq!(warning.failing_since, Some(since));
        let disabled_at = (step != "disabled").then(|| since + BOUND);
        assert_eq!(warning.disabled_at, disabled_at);
    }
}

#[test]
fn a_recovery_is_published_only_after_a_warning() {
    let stage = stage();
    fail_another(&stage, "fails for minutes");
    stage.queue_first(stage.another_delivery("succeeds"));
    let reports = stage.drain();
    assert_eq!(changes(&reports), [HealthChange::Recovered]);
    assert_eq!(steps(&reports), [""; 0]);

    fail_another(&stage, "fails again");
    let since = health(&stage).failing_since.unwrap();
    stage.backend.set_now(since + Duration::from_hours(2));
    let (_, reports) = fail_another(&stage, "fails for hours");
    assert_eq!(steps(&reports), ["failingForAnHour"]);
    stage.queue_first(stage.another_delivery("succeeds again"));
    let reports = stage.drain();
    assert_eq!(warnings(&reports)[0].step, WarningStep::Recovered);
    assert_eq!(warnings(&reports)[0].failing_since, Some(since));
    assert_eq!(health(&stage), Health::default());
}

#[test]
fn of_two_environments_that_reach_a_step_at_once_one_tells_it() {
    let stage = stage();
    fail_another(&stage, "begins to fail");
    let since = health(&stage).failing_since.unwrap();
    stage.backend.set_now(since + Duration::from_hours(1));
    // The other environment writes the step after this one has read the subscription.
    let id = stage.another_delivery("fails under way");
    stage.backend.during_requests(move |backend| {
        let acme = samples::customer("acme");
        let read = SubscriptionTable::get(backend, &acme, &id.subscription);
        let read = crate::stage::now(read).unwrap().unwrap();
        let warned = Health {
            warned: Some(FailingStep::FailingForAnHour),
            ..read.health
        };
        let written = crate::stage::now(backend.change_health(&read, &warned));
        assert_eq!(written.unwrap(), WriteOutcome::Written);
    });
    stage.backend.answer([500].map(samples::response));
    stage.queue_first(id);
    let report = stage.handle(stage.backend.receive().unwrap()).unwrap();
    assert_eq!(steps(&[report]), [""; 0]);
    assert_eq!(health(&stage).warned, Some(FailingStep::FailingForAnHour));
}

#[test]
fn no_crash_tells_a_step_twice_and_only_one_after_its_write_loses_it() {
    let mut lost = Vec::new();
    for calls in 0..8 {
        for crash in [Fault::Before, Fault::After] {
            let stage = stage();
            fail_another(&stage, "begins to fail");
            let since = health(&stage).failing_since.unwrap();
            stage.backend.set_now(since + Duration::from_hours(1));
            let id = stage.another_delivery("fails");
            stage.backend.answer([500; 6].map(samples::response));
            stage.queue_first(id);
            let faults = std::iter::repeat_n(Fault::None, calls).chain([crash]);
            stage.backend.plant(faults);
            let first = stage.handle(stage.backend.receive().unwrap());
            stage.backend.clear_faults();
            let mut reports: Vec<_> = first.into_iter().collect();
            reports.extend(stage.drain());
            let (_, later) = fail_another(&stage, "fails still");
            reports.extend(later);
            match steps(&reports)[..] {
                ["failingForAnHour"] => {}
                [] => lost.push((calls, crash)),
                ref steps => panic!("crash {crash:?} after {calls} calls: {steps:?}"),
            }
        }
    }
    assert!(matches!(lost[..], [(_, Fault::After)]), "{lost:?}");
}

#[test]
fn a_subscription_that_is_enabled_again_and_again_tells_its_owner_once_in_some_hours() {
    let stage = stage();
    let began = stage.backend.time();
    let mut warned = Vec::new();
    for hour in 0..=18 {
        for half in [0, 30] {
            let minutes = Duration::from_mins(60 * hour + half);
            stage.backend.set_now(began + minutes);
            let id = stage.another_delivery(&format!("at {minutes:?}"));
            stage.backend.answer([samples::response(410)]);
            stage.queue_first(id);
            let report = stage.handle(stage.backend.receive().unwrap()).unwrap();
            let gone = HealthChange::Disabled(DisabledReason::EndpointGone);
            assert_eq!(changes(std::slice::from_ref(&report)), [gone]);
            warned.extend(steps(&[report]).into_iter().map(|step| (hour, half, step)));
            stage.change(id, |subscription| {
                subscription.status = SubscriptionStatus::Active;
                subscription.disabled = None;
            });
        }
    }
    assert_eq!(
        warned,
        [0, 6, 12, 18].map(|hour| (hour, 0, "disabled")),
        "nothing else bounds the messages to its contacts"
    );
}

#[test]
fn the_endpoint_is_named_without_its_query() {
    let stage = stage();
    stage.change(stage.ids[0], |subscription| {
        let url = "https://example.com/a/b?token=secret";
        subscription.url = EndpointUrl::from_stored(url).unwrap();
    });
    stage.backend.answer([samples::response(410)]);
    let report = stage.run_first();
    let Report::Attempted {
        warning: Some(warning),
        ..
    } = report
    else {
        panic!("{report:?}")
    };
    let disabled = WarningStep::Disabled(DisabledReason::EndpointGone);
    assert_eq!(warning.warning.step, disabled);
    assert_eq!(warning.warning.failing_since, None);
    assert_eq!(warning.endpoint, "https://example.com/a/b");
}
