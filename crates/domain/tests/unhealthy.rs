//! Lists of unhealthy subscriptions.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt;
use webhooks_domain::delivery::{Delivery, DeliveryStatus, FailureReason};
use webhooks_domain::health::{Health, Hold, OpenCircuit};
use webhooks_domain::ids::SubscriptionId;
use webhooks_domain::subscription::{
    Disabled, DisabledReason, ProblemKind, Subscription, SubscriptionStatus,
};
use webhooks_domain::unhealthy::{
    ListedUnhealthy, MAX_COUNTED, MAX_READ, OwedDeliveries, UnhealthyLists,
};
use webhooks_testkit::{InMemoryBackend, samples};

const KINDS: [ProblemKind; 4] = [
    ProblemKind::Disabled,
    ProblemKind::CircuitOpen,
    ProblemKind::Failing,
    ProblemKind::Slow,
];

/// Stores a subscription with these problems.
fn store(backend: &InMemoryBackend, customer: &str, number: u64, kinds: &[ProblemKind]) {
    let since = samples::NOW + Duration::from_secs(number);
    let has = |kind| kinds.contains(&kind).then_some(since);
    let healthy = samples::subscription(customer, number.into());
    backend.store_subscription(&Subscription {
        status: match has(ProblemKind::Disabled) {
            Some(_) => SubscriptionStatus::Disabled,
            None => SubscriptionStatus::Active,
        },
        disabled: has(ProblemKind::Disabled).map(|at| Disabled {
            reason: DisabledReason::Failing,
            at,
        }),
        health: Health {
            failing_since: has(ProblemKind::Failing),
            circuit: has(ProblemKind::CircuitOpen).map(|since| OpenCircuit {
                since,
                until: since + OpenCircuit::LONGEST,
                cooldown: OpenCircuit::LONGEST,
            }),
            slow_since: has(ProblemKind::Slow),
            hold: has(ProblemKind::Holding).map(Hold::released),
            warned: None,
        },
        created_at: samples::NOW - Duration::from_secs(number),
        ..healthy
    });
}

fn id_of(listed: &ListedUnhealthy) -> SubscriptionId {
    match listed {
        Ok(found) => found.subscription.id,
        Err(broken) => broken.readable.id,
    }
}

fn all(backend: &InMemoryBackend, kind: Option<ProblemKind>, limit: u32) -> Vec<SubscriptionId> {
    let lists = UnhealthyLists {
        table: backend.clone(),
        counted: MAX_COUNTED,
    };
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = lists
            .all(kind, after.as_ref(), limit)
            .now_or_never()
            .unwrap();
        let page = page.unwrap();
        assert!(page.found.len() <= limit as usize);
        ids.extend(page.found.iter().map(id_of));
        after = page.next;
        if after.is_none() {
            return ids;
        }
    }
}

fn of_customer(
    backend: &InMemoryBackend,
    customer: &str,
    kind: Option<ProblemKind>,
    limit: u32,
) -> Vec<SubscriptionId> {
    let lists = UnhealthyLists {
        table: backend.clone(),
        counted: MAX_COUNTED,
    };
    let customer = samples::customer(customer);
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = lists.of_customer(&customer, kind, after.as_ref(), limit);
        let page = page.now_or_never().unwrap().unwrap();
        assert!(page.found.len() <= limit as usize);
        ids.extend(page.found.iter().map(id_of));
        after = page.next;
        if after.is_none() {
            return ids;
        }
    }
}

#[test]
fn each_unhealthy_subscription_is_listed_once_with_any_page_size() {
    let backend = InMemoryBackend::default();
    // Every set of problems, for two customers in turn.
    let kinds_of = |number: u64| -> Vec<_> {
        let has = |index: &usize| number >> index & 1 == 1;
        (0..4).filter(has).map(|index| KINDS[index]).collect()
    };
    let customer_of = |number: u64| if number < 16 { "acme" } else { "bolt" };
    for number in 0..32 {
        store(&backend, customer_of(number), number, &kinds_of(number));
    }
    let wanted = |customer: Option<&str>, kind: Option<ProblemKind>| -> BTreeSet<_> {
        (0..32)
            .filter(|&number| customer.is_none_or(|customer| customer == customer_of(number)))
            .filter(|&number| match kind {
                None => !kinds_of(number).is_empty(),
                Some(kind) => kinds_of(number).contains(&kind),
            })
            .map(|number| samples::subscription_id(number.into()))
            .collect()
    };
    for kind in KINDS.map(Some).into_iter().chain([None]) {
        for limit in [1, 3, 7, 100] {
            let listed = all(&backend, kind, limit);
            let set: BTreeSet<_> = listed.iter().copied().collect();
            assert_eq!(set.len(), listed.len(), "each once");
            assert_eq!(set, wanted(None, kind), "{kind:?}, {limit}");
            for customer in ["acme", "bolt"] {
                let listed = of_customer(&backend, customer, kind, limit);
                assert!(listed.is_sorted());
                let set: BTreeSet<_> = listed.iter().copied().collect();
                assert_eq!(set.len(), listed.len(), "each once");
                assert_eq!(set, wanted(Some(customer), kind), "{kind:?}, {limit}");
            }
        }
    }
    assert_eq!(of_customer(&backend, "nobody", None, 10), []);
}

#[test]
fn the_problems_are_shown_with_their_times_the_most_serious_first() {
    let backend = InMemoryBackend::default();
    store(&backend, "acme", 7, &KINDS);
    let lists = UnhealthyLists {
        table: backend,
        counted: MAX_COUNTED,
    };
    let page = lists.all(None, None, 10).now_or_never().unwrap().unwrap();
    let found = page.found[0].as_ref().unwrap();
    let kinds: Vec<_> = found.problems.iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, KINDS);
    let since = samples::NOW + Duration::from_secs(7);
    assert!(found.problems.iter().all(|problem| problem.since == since));
    let none = OwedDeliveries {
        count: 0,
        complete: true,
    };
    assert_eq!(found.owed, none);
}

#[test]
fn a_subscription_that_cannot_be_read_hides_no_other() {
    let backend = InMemoryBackend::default();
    for number in 1..=3 {
        store(&backend, "acme", number, &[ProblemKind::Failing]);
    }
    let broken = samples::subscription_id(2);
    backend.break_subscription(&samples::customer("acme"), broken, "filter");
    for kind in [None, Some(ProblemKind::Slow)] {
        let ids = [
            all(&backend, kind, 2),
            of_customer(&backend, "acme", kind, 2),
        ];
        for ids in ids {
            assert!(ids.contains(&broken));
            assert_eq!(ids.len(), if kind.is_none() { 3 } else { 1 });
        }
    }
}

#[test]
fn a_page_of_a_customer_reads_a_bounded_number_of_subscriptions() {
    let backend = InMemoryBackend::default();
    let last = u64::from(MAX_READ) + 1;
    for number in 1..last {
        store(&backend, "acme", number, &[]);
    }
    store(&backend, "acme", last, &[ProblemKind::Slow]);
    let lists = UnhealthyLists {
        table: backend.clone(),
        counted: MAX_COUNTED,
    };
    let customer = samples::customer("acme");
    let page = lists.of_customer(&customer, None, None, 10);
    let page = page.now_or_never().unwrap().unwrap();
    assert_eq!(page.found, [], "an empty page is not the last one");
    assert_eq!(
        page.next,
        Some(samples::subscription_id(u128::from(MAX_READ)))
    );
    let rest = lists.of_customer(&customer, None, page.next.as_ref(), 10);
    let rest = rest.now_or_never().unwrap().unwrap();
    assert_eq!((rest.found.len(), rest.next), (1, None));
}

#[test]
fn only_held_and_pending_deliveries_are_owed_and_the_count_is_bounded() {
    let backend = InMemoryBackend::default();
    store(&backend, "acme", 1, &[ProblemKind::Failing]);
    let given_up = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);
    let record = |number: u32, status: DeliveryStatus| {
        let message = samples::message("acme", &format!("owed-{number}"));
        let delivery = Delivery {
            status,
            created_at: samples::NOW + Duration::from_secs(number.into()),
            attempts: vec![samples::failed_attempt(1)],
            ..samples::delivery(&message, samples::subscription_id(1))
        };
        backend.record_call(message, delivery);
    };
    let owed = || {
        let lists = UnhealthyLists {
            table: backend.clone(),
            counted: MAX_COUNTED,
        };
        let page = lists.all(None, None, 10).now_or_never().unwrap().unwrap();
        page.found[0].as_ref().unwrap().owed
    };
    for number in 0..10 {
        record(number, samples::HELD);
    }
    for number in 10..13 {
        record(number, given_up);
    }
    let count = |count, complete| OwedDeliveries { count, complete };
    assert_eq!(owed(), count(10, true));
    for number in 13..=MAX_COUNTED {
        record(number, samples::HELD);
    }
    // The oldest one is not read.
    assert_eq!(owed(), count(MAX_COUNTED - 3, false));
}
