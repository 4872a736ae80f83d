//! Attempts are counted by batch, and shown by subscription and customer.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use webhooks_domain::count_attempts::CountedAttempts;
use webhooks_domain::deliver::{DeliverySummary, Recorded, Report};
use webhooks_domain::delivery::{Attempt, DeliveryStatus, DeliveryTrigger, HoldReason, Verdict};
use webhooks_domain::ids::{DeliveryId, MessageId, SubscriptionId};
use webhooks_domain::outbound::AttemptOutcome;
use webhooks_domain::ports::{StatisticsTable, StoreError};
use webhooks_domain::show_statistics::{MAX_SUMMED, ShowStatistics, StatisticsError};
use webhooks_domain::statistics::{Hour, OutcomeClass, Statistics, Summary};
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::{Fault, InMemoryBackend, samples};

fn id(event: u32, subscription: u128) -> DeliveryId {
    DeliveryId {
        message: MessageId::from_event_id(&samples::customer("acme"), &event.to_string()),
        subscription: samples::subscription_id(subscription),
    }
}

fn report(outcome: AttemptOutcome, at: Timestamp) -> Report {
    Report::Attempted {
        attempt: Attempt {
            at,
            outcome,
            ..samples::failed_attempt(1)
        },
        verdict: Verdict::Ended(DeliveryStatus::Succeeded),
        recorded: Recorded::Written,
        event_at: None,
        summary: DeliverySummary {
            customer_id: samples::customer("acme"),
            event_type: "order.created".parse().unwrap(),
            trigger: DeliveryTrigger::Event,
        },
        changes: Vec::new(),
        warning: None,
        health_failure: None,
    }
}

fn failure() -> Report {
    report(AttemptOutcome::TimedOut, samples::NOW)
}

/// Counts writes.
#[derive(Default)]
struct Writes(AtomicU32);

impl StatisticsTable for Writes {
    async fn add_statistics(
        &self,
        _: &SubscriptionId,
        _: Hour,
        _: &Statistics,
    ) -> Result<(), StoreError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn statistics(
        &self,
        _: &SubscriptionId,
        _: Hour,
        _: Hour,
    ) -> Result<BTreeMap<Hour, Statistics>, StoreError> {
        Ok(BTreeMap::new())
    }
}

/// The failures of a subscription, by hour.
fn timed_out(backend: &InMemoryBackend, subscription: u128) -> Vec<(Hour, u64)> {
    let last = Hour::of(samples::NOW + Duration::from_hours(1));
    let first = Summary::first_hour(samples::NOW);
    let id = samples::subscription_id(subscription);
    let read = backend.statistics(&id, first, last);
    let read = read.now_or_never().unwrap().unwrap();
    let read = read.into_iter();
    read.map(|(hour, counted)| (hour, counted.count(OutcomeClass::TimedOut)))
        .collect()
}

#[test]
fn the_failures_of_a_batch_are_one_write_for_each_subscription_and_hour() {
    let mut counted = CountedAttempts::default();
    let (hour, next) = (samples::NOW, samples::NOW + Duration::from_hours(1));
    for (event, subscription, at) in [(1, 1, hour), (2, 1, hour), (3, 1, next), (4, 2, hour)] {
        let failure = report(AttemptOutcome::TimedOut, at);
        counted.add(&id(event, subscription), &failure);
    }
    assert_eq!(counted.attempts(), 4);
    let writes = Writes::default();
    counted.write(&writes).now_or_never().unwrap().unwrap();
    assert_eq!(writes.0.into_inner(), 3);

    let backend = InMemoryBackend::default();
    counted.write(&backend).now_or_never().unwrap().unwrap();
    let (hour, next) = (Hour::of(hour), Hour::of(next));
    assert_eq!(timed_out(&backend, 1), [(hour, 2), (next, 1)]);
    assert_eq!(timed_out(&backend, 2), [(hour, 1)]);
}

#[test]
fn a_test_and_an_attempt_that_is_not_recorded_are_not_counted() {
    let mut counted = CountedAttempts::default();
    for not_recorded in [Recorded::Conflict, Recorded::LeftToNextTask] {
        let mut lost = failure();
        let Report::Attempted { recorded, .. } = &mut lost else {
            unreachable!()
        };
        *recorded = not_recorded;
        counted.add(&id(1, 1), &lost);
    }
    let mut test = failure();
    let Report::Attempted { summary, .. } = &mut test else {
        unreachable!()
    };
    summary.trigger = DeliveryTrigger::Test;
    let held = DeliveryStatus::Held(HoldReason::NotActive);
    let settled = Report::Settled(held, summary.clone());
    counted.add(&id(2, 1), &test);
    counted.add(&id(3, 1), &settled);
    assert_eq!(counted.attempts(), 0);
}

#[test]
fn a_write_that_fails_loses_its_own_attempts_only() {
    let mut counted = CountedAttempts::default();
    for (event, subscription) in [(1, 1), (2, 2), (3, 2), (4, 3)] {
        counted.add(&id(event, subscription), &failure());
    }
    let backend = InMemoryBackend::default();
    backend.plant([Fault::Before, Fault::None, Fault::Before]);
    let lost = counted.write(&backend).now_or_never().unwrap().unwrap_err();
    assert_eq!(lost.attempts, 2);
    let written = [1, 2, 3].map(|subscription| timed_out(&backend, subscription).len());
    assert_eq!(written, [0, 1, 0]);
}

#[test]
fn a_delivery_that_succeeds_costs_a_tenth_of_a_write_at_most() {
    const DELIVERIES: u32 = 20_000;
    let success = report(AttemptOutcome::Succeeded, samples::NOW);
    for (subscriptions, batch, at_most) in [
        (1, 1, 0.1),
        (1, 10, 0.066),
        (10, 10, 0.1),
        (10_000, 10, 0.1),
    ] {
        let writes = Writes::default();
        for first in (0..DELIVERIES).step_by(batch) {
            let mut counted = CountedAttempts::default();
            for event in (first..).take(batch) {
                counted.add(&id(event, u128::from(event % subscriptions)), &success);
            }
            counted.write(&writes).now_or_never().unwrap().unwrap();
        }
        let each = f64::from(writes.0.into_inner()) / f64::from(DELIVERIES);
        println!("{subscriptions} subscriptions, batches of {batch}: {each} writes for a delivery");
        // Three standard errors of the sample.
        assert!(each <= at_most + 0.0064, "{each}");
    }
}

fn show(backend: &InMemoryBackend) -> ShowStatistics<InMemoryBackend, InMemoryBackend> {
    ShowStatistics {
        table: backend.clone(),
        clock: backend.clone(),
    }
}

fn count_one_failure(backend: &InMemoryBackend, subscription: u128) {
    let mut counted = CountedAttempts::default();
    counted.add(&id(1, subscription), &failure());
    counted.write(backend).now_or_never().unwrap().unwrap();
}

#[test]
fn a_customer_has_the_sum_of_its_subscriptions() {
    let backend = InMemoryBackend::default();
    for (customer, number) in [("acme", 1), ("acme", 2), ("acme", 3), ("bolt", 4)] {
        backend.store_subscription(&samples::subscription(customer, number));
        count_one_failure(&backend, number);
    }
    let acme = samples::customer("acme");
    backend.break_subscription(&acme, samples::subscription_id(2), "url");
    let show = show(&backend);
    let first = samples::subscription_id(1);
    let one = show.of_subscription(&first);
    let one = one.now_or_never().unwrap().unwrap();
    assert_eq!(one.last_hour.statistics.attempts(), 1);
    let all = show.of_customer(&acme).now_or_never().unwrap().unwrap();
    assert_eq!(all.last_hour.statistics.attempts(), 3);
    assert_eq!(all.hours.last().unwrap().1.attempts(), 3);
    let nobody = samples::customer("nobody");
    let none = show.of_customer(&nobody);
    let none = none.now_or_never().unwrap().unwrap();
    assert_eq!(none.last_7_days.statistics, Statistics::default());
}

#[test]
fn a_customer_with_too_many_subscriptions_is_refused() {
    let backend = InMemoryBackend::default();
    let acme = samples::customer("acme");
    let summed = || {
        let summed = show(&backend).of_customer(&acme).now_or_never();
        summed
            .unwrap()
            .map(|all| all.last_day.statistics.attempts())
    };
    for number in 1..=u128::from(MAX_SUMMED) {
        backend.store_subscription(&samples::subscription("acme", number));
        count_one_failure(&backend, number);
    }
    assert_eq!(summed().unwrap(), u64::from(MAX_SUMMED));
    let one_more = samples::subscription("acme", 1_000);
    backend.store_subscription(&one_more);
    let refused = summed();
    let is_refused = matches!(refused, Err(StatisticsError::TooManySubscriptions { .. }));
    assert!(is_refused, "{refused:?}");
}
