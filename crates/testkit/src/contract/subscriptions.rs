//! Subscriptions, the records of their idempotency keys, and a customer's usage.

use std::time::Duration;

use webhooks_domain::health::{FailingStep, Health, Hold, OpenCircuit};
use webhooks_domain::idempotency::{Fingerprint, IdempotencyKey, IdempotencyRecord};
use webhooks_domain::ports::{
    Creation, CreationOutcome, HealthFate, Replacement, ReplacementOutcome, SubscriptionStore,
    WriteOutcome,
};
use webhooks_domain::quota::{CountedUsage, Quota, Usage};
use webhooks_domain::subscription::{
    CertificateWarned, Disabled, DisabledReason, Subscription, SubscriptionStatus,
};
use webhooks_domain::timestamp::Timestamp;

use super::{DUE, SWEEP};
use crate::samples;

/// Inserts a subscription whose id is new.
pub(super) async fn insert(store: &impl SubscriptionStore, subscription: &Subscription) {
    let creation = Creation::of(subscription, samples::QUOTA);
    let inserted = store.insert(&creation).await.expect("answers");
    assert_eq!(inserted, CreationOutcome::Created);
}

pub(super) async fn replace(
    store: &impl SubscriptionStore,
    read: &Subscription,
    changed: &Subscription,
    health: HealthFate,
) -> ReplacementOutcome {
    let replacement = Replacement {
        read,
        changed,
        former: None,
        health,
        quota: samples::QUOTA,
    };
    store.replace(&replacement).await.expect("answers")
}

/// Subscriptions are inserted once, read completely, and changed by version.
pub async fn subscriptions(store: &impl SubscriptionStore, salt: &str) {
    let first = Subscription {
        authentication: Some(samples::client_certificate()),
        ..samples::subscription(salt, 1)
    };
    let customer = first.customer_id.clone();
    let stored = async || store.get(&customer, &first.id).await.expect("answers");
    assert_eq!(stored().await, None);
    insert(store, &first).await;
    let again = store.insert(&Creation::of(&first, samples::QUOTA)).await;
    assert_eq!(again.expect("answers"), CreationOutcome::AlreadyThere);
    assert_eq!(stored().await, Some(first.clone()));
    let stranger = samples::customer(&format!("{salt}-stranger"));
    let strangers = store.get(&stranger, &first.id).await.expect("answers");
    assert_eq!(strangers, None);

    let second = Subscription {
        version: first.version + 1,
        status: SubscriptionStatus::Paused,
        secrets: samples::migrating_secrets(),
        secret_headers: samples::secret_headers(),
        authentication: Some(samples::authentication()),
        ..first.clone()
    };
    for _ in 0..2 {
        let written = replace(store, &first, &second, HealthFate::Kept).await;
        let expected = ReplacementOutcome::Written;
        assert_eq!(written, expected, "repeating a write is idempotent");
    }
    let other = Subscription {
        status: SubscriptionStatus::Active,
        ..second.clone()
    };
    let stale = replace(store, &first, &other, HealthFate::Kept).await;
    assert_eq!(stale, ReplacementOutcome::Conflict);
    assert_eq!(stored().await, Some(second.clone()));

    let disable = async |read: &Subscription| {
        let reason = DisabledReason::EndpointGone;
        store.disable(read, reason, DUE).await.expect("answers")
    };
    assert_eq!(disable(&second).await, WriteOutcome::Written);
    assert_eq!(disable(&second).await, WriteOutcome::Conflict);
    let disabled = stored().await.expect("is there");
    assert_eq!(disabled.status, SubscriptionStatus::Disabled);
    assert_eq!(
        (disabled.updated_at, disabled.version),
        (DUE, second.version + 1)
    );
    let why = Disabled {
        reason: DisabledReason::EndpointGone,
        at: DUE,
    };
    assert_eq!(disabled.disabled, Some(why));

    let stale = store.remove(&second, None).await.expect("answers");
    assert_eq!(stale, WriteOutcome::Conflict);
    let current = store.remove(&disabled, None).await.expect("answers");
    assert_eq!(current, WriteOutcome::Written);
    let gone = store.remove(&disabled, None).await.expect("answers");
    assert_eq!(gone, WriteOutcome::Conflict);
    assert_eq!(stored().await, None);
    let gone = "a removed subscription does not come back";
    assert_eq!(disable(&disabled).await, WriteOutcome::Conflict, "{gone}");
    let third = Subscription {
        version: disabled.version + 1,
        ..disabled.clone()
    };
    let replaced = replace(store, &disabled, &third, HealthFate::Kept).await;
    assert_eq!(replaced, ReplacementOutcome::Conflict, "{gone}");
}

/// An idempotency key creates one subscription until its record expires, and a customer's usage is
/// limited.
///
///
/// The store's clock must show [`samples::NOW`].
pub async fn creations(store: &impl SubscriptionStore, salt: &str) {
    let salt = &format!("{salt}-creations");
    let customer = samples::customer(salt);
    let subscription = |number| samples::subscription(salt, number);
    let key: IdempotencyKey = "a key: / # ~".parse().expect("a key");
    let content = Fingerprint::from_bytes([7; Fingerprint::BYTES]);
    let record = |number, expires_at: Timestamp| {
        let id = samples::subscription_id(number);
        IdempotencyRecord {
            expires_at,
            ..IdempotencyRecord::new(&customer, &key, content, id, samples::NOW)
        }
    };
    let create = async |record: &IdempotencyRecord, number, deleted| {
        let subscription = subscription(number);
        let creation = Creation {
            record: Some(record),
            deleted,
            ..Creation::of(&subscription, samples::QUOTA)
        };
        store.insert(&creation).await.expect("answers")
    };
    let there = async |number| {
        let id = samples::subscription_id(number);
        let found = store.get(&customer, &id).await.expect("answers");
        found.is_some()
    };
    let stored = async || {
        let stored = store.idempotency_record(&customer, &key).await;
        stored.expect("answers")
    };
    assert_eq!(stored().await, None);
    let second = Duration::from_secs(1);
    let in_force = record(1, samples::NOW + second);
    let created = create(&in_force, 1, None).await;
    assert_eq!(created, CreationOutcome::Created);
    let refused = create(&record(2, samples::NOW + second), 2, None).await;
    assert_eq!(refused, CreationOutcome::KeyInUse(in_force.clone()));
    assert!(
        !there(2).await,
        "record and subscription are written together or not at all"
    );
    let other = Some(samples::subscription_id(9));
    let refused = create(&record(2, samples::NOW), 2, other).await;
    assert_eq!(refused, CreationOutcome::KeyInUse(in_force.clone()));
    assert_eq!(stored().await, Some(in_force));

    // A record that names a deleted subscription does not count, nor does an expired one.
    let deleted = Some(samples::subscription_id(1));
    let created = create(&record(2, samples::NOW), 2, deleted).await;
    assert_eq!(created, CreationOutcome::Created);
    assert_eq!(stored().await, None, "it has expired");
    let created = create(&record(3, samples::NOW + second), 3, None).await;
    assert_eq!(created, CreationOutcome::Created);

    let all = (1..=3).map(|number| Usage::of(&subscription(number)));
    let all = all.fold(Usage::default(), std::ops::Add::add);
    let full = Quota { subscriptions: 3 };
    let fourth = subscription(4);
    let refused = store.insert(&Creation::of(&fourth, full)).await;
    let expected = CreationOutcome::Refused(counted(all));
    assert_eq!(refused.expect("answers"), expected);
    assert!(!there(4).await);
    let removed = store.remove(&subscription(1), None).await.expect("answers");
    assert_eq!(removed, WriteOutcome::Written);
    let inserted = store.insert(&Creation::of(&fourth, full)).await;
    assert_eq!(inserted.expect("answers"), CreationOutcome::Created);

    // The usage is corrected only if it has not changed since it was read.
    let beyond = Usage {
        bytes: Quota::MAX_BYTES,
        ..all
    };
    let correct = async |counted, actual| {
        let corrected = store.correct_usage(&customer, counted, actual).await;
        corrected.expect("answers")
    };
    assert_eq!(correct(beyond, all).await, WriteOutcome::Conflict);
    assert_eq!(correct(all, beyond).await, WriteOutcome::Written);
    let fifth = subscription(5);
    let refused = store.insert(&Creation::of(&fifth, samples::QUOTA)).await;
    let expected = CreationOutcome::Refused(counted(beyond));
    assert_eq!(refused.expect("answers"), expected);
    let larger = Subscription {
        secrets: samples::migrating_secrets(),
        version: 2,
        ..fourth.clone()
    };
    let refused = replace(store, &fourth, &larger, HealthFate::Kept).await;
    assert_eq!(refused, ReplacementOutcome::Refused(counted(beyond)));
    let paused = Subscription {
        status: SubscriptionStatus::Paused,
        version: 2,
        ..fourth.clone()
    };
    let written = replace(store, &fourth, &paused, HealthFate::Kept).await;
    assert_eq!(
        written,
        ReplacementOutcome::Written,
        "the subscription does not grow"
    );
}

/// The usage of a customer without a limit of its own.
fn counted(usage: Usage) -> CountedUsage {
    CountedUsage {
        usage,
        ..CountedUsage::default()
    }
}

/// An open circuit breaker.
pub(super) const OPEN: OpenCircuit = OpenCircuit {
    since: DUE,
    until: SWEEP,
    cooldown: Duration::from_mins(2),
};

/// The health of an endpoint is stored beside the user's settings of its subscription. Neither
/// write overwrites the other, except that a new URL has a new health.
pub async fn health(store: &impl SubscriptionStore, salt: &str) {
    let read = samples::subscription(&format!("{salt}-health"), 1);
    let change = async |read: &Subscription, health: &Health| {
        let changed = store.change_health(read, health).await;
        changed.expect("answers")
    };
    let stored = async || {
        let stored = store.get(&read.customer_id, &read.id).await;
        stored.expect("answers")
    };
    let failing = Health {
        failing_since: Some(DUE),
        ..Health::default()
    };
    let gone = change(&read, &failing).await;
    assert_eq!(
        gone,
        WriteOutcome::Conflict,
        "a health change creates no subscription"
    );
    assert_eq!(stored().await, None);
    insert(store, &read).await;

    assert_eq!(change(&read, &failing).await, WriteOutcome::Written);
    let stale = change(&read, &Health::default()).await;
    assert_eq!(
        stale,
        WriteOutcome::Conflict,
        "the health has changed since it was read"
    );
    let now = stored().await.expect("is there");
    let expected = Subscription {
        health: failing,
        ..read.clone()
    };
    assert_eq!(now, expected, "only the health changes");
    let worse = Health {
        failing_since: Some(DUE),
        circuit: Some(OPEN),
        slow_since: Some(SWEEP),
        hold: Some(Hold::released(DUE)),
        warned: Some(FailingStep::FailingForADay),
    };
    assert_eq!(change(&now, &worse).await, WriteOutcome::Written);

    // A user writes a change of an older copy.
    let paused = Subscription {
        status: SubscriptionStatus::Paused,
        version: read.version + 1,
        ..read.clone()
    };
    for _ in 0..2 {
        let written = replace(store, &read, &paused, HealthFate::Kept).await;
        let expected = ReplacementOutcome::Written;
        assert_eq!(written, expected, "repeating a write is idempotent");
    }
    let now = stored().await.expect("is there");
    assert_eq!((now.status, now.health), (paused.status, worse));

    let disable = async |read: &Subscription| {
        let disabled = store.disable(read, DisabledReason::Failing, DUE).await;
        disabled.expect("answers")
    };
    let before = Subscription {
        health: failing,
        ..now.clone()
    };
    let stale = disable(&before).await;
    assert_eq!(stale, WriteOutcome::Conflict, "its health has changed");
    assert_eq!(
        change(&now, &Health::default()).await,
        WriteOutcome::Written
    );
    let well = stored().await.expect("is there");
    assert_eq!(well.health, Health::default());
    assert_eq!(disable(&well).await, WriteOutcome::Written);
    let disabled = stored().await.expect("is there");
    let enabled = Subscription {
        disabled: None,
        version: disabled.version + 1,
        status: SubscriptionStatus::Active,
        ..disabled.clone()
    };
    let written = replace(store, &disabled, &enabled, HealthFate::Kept).await;
    assert_eq!(written, ReplacementOutcome::Written);
    let now = stored().await.expect("is there");
    assert_eq!(now, enabled, "the reason is removed");

    let now = disabled_again(store, now).await;

    // With a new URL the new health replaces whatever was stored. A later observation of the old
    // URL is not written.
    assert_eq!(change(&now, &worse).await, WriteOutcome::Written);
    let moved = Subscription {
        url: samples::url("https://example.com/moved"),
        version: now.version + 1,
        ..now.clone()
    };
    let written = replace(store, &now, &moved, HealthFate::Replaced).await;
    assert_eq!(written, ReplacementOutcome::Written);
    assert_eq!(stored().await, Some(moved));
    let old = change(&now, &failing).await;
    assert_eq!(
        old,
        WriteOutcome::Conflict,
        "the observation belongs to the old URL"
    );
}

/// The time of the last warning about a certificate is written once, by one of those who read the
/// same, and a change of the subscription keeps it.
pub async fn certificate_warnings(store: &impl SubscriptionStore, salt: &str) {
    let read = samples::subscription(&format!("{salt}-certificate"), 1);
    let warned = |at: Timestamp| CertificateWarned {
        at,
        not_after: SWEEP,
    };
    let note = async |read: &Subscription, at: Timestamp| {
        let noted = store.note_certificate_warning(read, warned(at)).await;
        noted.expect("answers")
    };
    let gone = note(&read, DUE).await;
    assert_eq!(gone, WriteOutcome::Conflict, "no subscription is created");
    insert(store, &read).await;
    assert_eq!(note(&read, DUE).await, WriteOutcome::Written);
    assert_eq!(note(&read, SWEEP).await, WriteOutcome::Conflict);
    let stored = store.get(&read.customer_id, &read.id).await;
    let stored = stored.expect("answers").expect("is there");
    let expected = Subscription {
        certificate_warned: Some(warned(DUE)),
        ..read.clone()
    };
    assert_eq!(stored, expected, "nothing else changes");
    let paused = Subscription {
        status: SubscriptionStatus::Paused,
        version: read.version + 1,
        ..stored.clone()
    };
    let written = replace(store, &stored, &paused, HealthFate::Replaced).await;
    assert_eq!(written, ReplacementOutcome::Written);
    let old = note(&stored, SWEEP).await;
    assert_eq!(old, WriteOutcome::Conflict, "it has changed since");
    assert_eq!(note(&paused, SWEEP).await, WriteOutcome::Written);
}

/// The time at which the owner was warned stays, and for some hours also when the subscription is
/// disabled again. Returns the subscription, which is enabled.
async fn disabled_again(store: &impl SubscriptionStore, read: Subscription) -> Subscription {
    let mut now = read;
    assert_eq!(now.disabled_warned_at, Some(DUE));
    let again_after = Subscription::WARNED_AGAIN_AFTER;
    for (at, warned_at) in [
        (DUE + again_after / 2, DUE),
        (DUE + again_after, DUE + again_after),
    ] {
        let disabled = store.disable(&now, DisabledReason::EndpointGone, at).await;
        assert_eq!(disabled.expect("answers"), WriteOutcome::Written);
        let disabled = store.get(&now.customer_id, &now.id).await.expect("answers");
        let disabled = disabled.expect("is there");
        assert_eq!(disabled.disabled_warned_at, Some(warned_at));
        now = Subscription {
            disabled: None,
            version: disabled.version + 1,
            status: SubscriptionStatus::Active,
            ..disabled.clone()
        };
        let written = replace(store, &disabled, &now, HealthFate::Kept).await;
        assert_eq!(written, ReplacementOutcome::Written);
    }
    now
}
