//! The index of unhealthy subscriptions.

use std::time::Duration;

use webhooks_domain::health::Health;
use webhooks_domain::ports::{
    HealthFate, ReplacementOutcome, SubscriptionStore, UnhealthyIndex, WriteOutcome,
};
use webhooks_domain::subscription::{
    DisabledReason, Subscription, SubscriptionStatus, UnhealthyPlace,
};

use super::DUE;
use super::subscriptions::{OPEN, insert, replace};
use crate::samples;

/// The unhealthy subscriptions of the customers of this suite, in pages of two.
async fn listed(store: &impl UnhealthyIndex, salt: &str) -> Vec<UnhealthyPlace> {
    let mut listed: Vec<UnhealthyPlace> = Vec::new();
    loop {
        let page = store.unhealthy(listed.last(), 2).await.expect("answers");
        assert!(page.entries.len() <= 2);
        listed.extend(page.entries);
        if !page.has_more {
            break;
        }
    }
    assert!(listed.is_sorted_by_key(|place| place.created_at));
    listed.retain(|place| place.customer.as_str().starts_with(&format!("{salt}-sick")));
    listed
}

/// A subscription is in the index exactly while it has a problem, whichever write begins or ends
/// it.
pub async fn unhealthy(store: &(impl SubscriptionStore + UnhealthyIndex), salt: &str) {
    let subscriptions: Vec<_> = (1..=5_u64)
        .map(|number| Subscription {
            created_at: samples::NOW - Duration::from_secs(number),
            ..samples::subscription(&format!("{salt}-sick-{}", number % 2), number.into())
        })
        .collect();
    for subscription in &subscriptions {
        insert(store, subscription).await;
    }
    assert_eq!(listed(store, salt).await, [], "all are healthy");
    let change = async |read: &Subscription, health: Health| {
        let changed = store.change_health(read, &health).await;
        assert_eq!(changed.expect("answers"), WriteOutcome::Written);
        Subscription {
            health,
            ..read.clone()
        }
    };
    let failing = Health {
        failing_since: Some(DUE),
        ..Health::default()
    };
    let open = Health {
        circuit: Some(OPEN),
        ..failing
    };
    let mut sick = Vec::new();
    for subscription in &subscriptions {
        sick.push(change(subscription, failing).await);
    }
    sick[0] = change(&sick[0], open).await;
    let all: Vec<_> = sick
        .iter()
        .rev()
        .map(Subscription::unhealthy_place)
        .collect();
    assert_eq!(
        listed(store, salt).await,
        all,
        "the oldest first, each once"
    );

    // A user's change keeps the problem, and a new endpoint ends it.
    let paused = Subscription {
        status: SubscriptionStatus::Paused,
        version: 2,
        ..sick[0].clone()
    };
    let written = replace(store, &sick[0], &paused, HealthFate::Kept).await;
    assert_eq!(written, ReplacementOutcome::Written);
    assert_eq!(listed(store, salt).await, all);
    let moved = Subscription {
        url: samples::url("https://example.com/moved"),
        health: Health::default(),
        version: 2,
        ..sick[1].clone()
    };
    let written = replace(store, &sick[1], &moved, HealthFate::Replaced).await;
    assert_eq!(written, ReplacementOutcome::Written);
    change(&sick[2], Health::default()).await;
    assert_eq!(
        store.remove(&sick[3], None).await.expect("answers"),
        WriteOutcome::Written
    );
    assert_eq!(listed(store, salt).await, [all[0].clone(), all[4].clone()]);

    // A late attempt to a disabled endpoint does not end its problem.
    let healthy = Subscription {
        health: Health::default(),
        ..moved
    };
    for (read, place) in [(&sick[4], &all[0]), (&healthy, &all[3])] {
        let disabled = store.disable(read, DisabledReason::Failing, DUE).await;
        assert_eq!(disabled.expect("answers"), WriteOutcome::Written);
        assert!(listed(store, salt).await.contains(place));
        let other = if read.health == failing {
            Health::default()
        } else {
            failing
        };
        let late = store.change_health(read, &other).await;
        assert_eq!(late.expect("answers"), WriteOutcome::Conflict);
        assert!(listed(store, salt).await.contains(place));
        let enabled = Subscription {
            status: SubscriptionStatus::Active,
            health: Health::default(),
            version: read.version + 2,
            ..read.clone()
        };
        let stored = store.get(&read.customer_id, &read.id).await;
        let stored = stored.expect("answers").expect("is there");
        let written = replace(store, &stored, &enabled, HealthFate::Replaced).await;
        assert_eq!(written, ReplacementOutcome::Written);
        assert!(!listed(store, salt).await.contains(place));
    }
}
