//! Managing subscriptions.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::FutureExt;
use webhooks_domain::health::{Health, Hold};
use webhooks_domain::idempotency::{IdempotencyRecord, Once};
use webhooks_domain::manage::{Created, ExpectedVersion, ManageError};
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::ports::{
    Clock, HealthFate, Replacement, ReplacementOutcome, SubscriptionStore, SubscriptionTable,
    WriteOutcome,
};
use webhooks_domain::quota::Quota;
use webhooks_domain::signing::Secret;
use webhooks_domain::subscription::{DisabledReason, Subscription, SubscriptionStatus};
use webhooks_testkit::changes::{change, rotation};
use webhooks_testkit::{Fault, InMemoryBackend, InMemoryManage, samples};

fn create(manage: &InMemoryManage, body: &str) -> Result<(Subscription, Secret), ManageError> {
    let customer = samples::customer("acme");
    let created = manage.create(&customer, change(body), None);
    let created = created.now_or_never().unwrap()?;
    assert!(created.is_new);
    Ok((created.subscription, created.secret))
}

/// Creates with an idempotency key.
fn create_once(manage: &InMemoryManage, key: &str, body: &str) -> Result<Created, ManageError> {
    let once = Once {
        key: key.parse().unwrap(),
        content: body.as_bytes(),
    };
    let customer = samples::customer("acme");
    let created = manage.create(&customer, change(body), Some(&once));
    created.now_or_never().unwrap()
}

const BODY: &str = r#"{"url":"https://example.com/hook","eventTypes":["order.*"],"description":"d","payloadFormat":"event","metadata":{"plan":"gold"}}"#;

const PAUSE: &str = r#"{"status":"paused"}"#;

#[test]
fn a_created_subscription_can_be_read_and_its_secret_decrypted() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let (created, secret) = create(&manage, BODY).unwrap();
    let customer = samples::customer("acme");
    let read = manage
        .show(&customer, &created.id)
        .now_or_never()
        .unwrap()
        .unwrap();
    assert_eq!(read, created);
    let opened = manage.vault.open_all(&read, backend.now()).now_or_never();
    assert_eq!(opened.unwrap().unwrap(), [secret]);
    let strangers = manage
        .show(&samples::customer("bolt"), &created.id)
        .now_or_never()
        .unwrap();
    assert!(matches!(strangers, Err(ManageError::NotFound { .. })));
}

#[test]
fn a_missing_field_is_named() {
    let manage = InMemoryBackend::default().manage();
    for (body, field) in [
        (r#"{"eventTypes":["*"]}"#, "url"),
        (r#"{"url":"https://example.com/"}"#, "eventTypes"),
    ] {
        match create(&manage, body) {
            Err(ManageError::Field(error)) => assert_eq!(error.field, field),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_change_keeps_the_fields_that_it_does_not_name() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let (created, _) = create(&manage, BODY).unwrap();
    let customer = samples::customer("acme");
    let update = |body: &str| {
        let change = change(body);
        manage
            .update(&customer, &created.id, &ExpectedVersion::Any, change)
            .now_or_never()
            .unwrap()
            .unwrap()
            .subscription
    };
    let changed = update(r#"{"description":null,"headers":{"x-team":"a"}}"#);
    assert_eq!(
        (changed.url, changed.event_types),
        (created.url, created.event_types)
    );
    assert_eq!((changed.description, changed.headers.len()), (None, 1));
    assert_eq!(changed.secrets, created.secrets);
    assert_eq!(changed.payload.format(), PayloadFormat::Event);
    assert_eq!(changed.metadata, created.metadata);
}

#[test]
fn a_timeout_above_the_stacks_is_refused_with_its_name_and_limit() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let with = |timeout: &str| BODY.replacen('{', &format!(r#"{{"timeoutSeconds":{timeout},"#), 1);
    let refused = create(&manage, &with("16")).unwrap_err().to_string();
    assert_eq!(
        refused,
        "timeoutSeconds: must be at most 15, the stack's RequestTimeoutSeconds, is 16"
    );
    let (created, _) = create(&manage, &with("15")).unwrap();

    let shorter = InMemoryManage {
        request_timeout: "3".parse().unwrap(),
        ..manage
    };
    let update = |body: &str| {
        let (customer, id) = (&created.customer_id, &created.id);
        let updated = shorter.update(customer, id, &ExpectedVersion::Any, change(body));
        let updated = updated.now_or_never().unwrap();
        updated.map(|updated| updated.subscription)
    };
    assert!(update(r#"{"timeoutSeconds":15}"#).is_err());
    let paused = update(r#"{"status":"paused"}"#).unwrap();
    assert_eq!(
        paused.timeout, created.timeout,
        "the stored value stays, and the stack's limit applies"
    );
    assert_eq!(update(r#"{"timeoutSeconds":null}"#).unwrap().timeout, None);
}

/// The policy was accepted while the stack had a longer retention.
#[test]
fn a_stored_retry_policy_that_is_now_too_long_blocks_no_other_change() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let policy = r#"{"retryPolicy":{"schedule":[0,604800,604800,604800]},"#;
    let (created, _) = create(&manage, &BODY.replacen('{', policy, 1)).unwrap();
    let forgetful = InMemoryManage {
        retention: Duration::from_hours(24 * 14),
        ..manage
    };
    let update = |body: &str| {
        let (customer, id) = (&created.customer_id, &created.id);
        let updated = forgetful.update(customer, id, &ExpectedVersion::Any, change(body));
        let updated = updated.now_or_never().unwrap();
        updated.map(|updated| updated.subscription)
    };
    let paused = update(PAUSE).unwrap();
    assert_eq!(paused.retry_policy, created.retry_policy);
    assert!(update(r#"{"retryPolicy":{"schedule":[0,604800,604800,604800]}}"#).is_err());
    assert_eq!(
        update(r#"{"retryPolicy":null}"#).unwrap().retry_policy,
        None
    );
}

/// A subscription whose stored health says that its endpoint fails.
fn failing(backend: &InMemoryBackend, manage: &InMemoryManage) -> Subscription {
    let (created, _) = create(manage, BODY).unwrap();
    let health = Health {
        failing_since: Some(backend.now()),
        ..Health::default()
    };
    let written = backend.change_health(&created, &health).now_or_never();
    assert_eq!(written.unwrap().unwrap(), WriteOutcome::Written);
    Subscription { health, ..created }
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let failing = failing(&backend, &manage);
    let disabled = backend.disable(&failing, DisabledReason::Failing, backend.now());
    disabled.now_or_never().unwrap().unwrap();
    let (customer, id) = (&failing.customer_id, &failing.id);
    let show = || manage.show(customer, id).now_or_never().unwrap().unwrap();
    let before = show();
    for refused in [
        r#"{"status":"active","timeoutSeconds":16}"#,
        r#"{"status":"active","headers":{"host":"x"}}"#,
        r#"{"status":"active","metadata":{"":"x"}}"#,
        r#"{"status":"active","retryPolicy":{"schedule":[0,604800,604800,604800,604800,604800,604800,604800,604800,604800,604800,604800,604800,604800]}}"#,
    ] {
        let updated = manage.update(customer, id, &ExpectedVersion::Any, change(refused));
        assert!(updated.now_or_never().unwrap().is_err(), "{refused}");
        assert_eq!(show(), before, "{refused}");
    }
}

#[test]
fn a_change_names_its_fields_and_no_other() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let (created, _) = create(&manage, BODY).unwrap();
    let changed = |body: &str| {
        let any = ExpectedVersion::Any;
        let updated = manage.update(&created.customer_id, &created.id, &any, change(body));
        updated.now_or_never().unwrap().unwrap().changed_fields()
    };
    for (name, value) in [
        ("url", r#""https://example.com/another""#),
        ("eventTypes", r#"["another"]"#),
        ("filter", r#"{"another":[1]}"#),
        ("payloadFormat", r#""detail""#),
        ("contentType", r#""text/plain""#),
        ("method", r#""PUT""#),
        ("queryParameters", r#"{"a":"1"}"#),
        ("description", r#""another""#),
        ("metadata", r#"{"another":"x"}"#),
        ("headers", r#"{"x-another":"x"}"#),
        ("secretHeaders", r#"{"x-secret":"x"}"#),
        ("authentication", r#"{"type":"bearer","token":"x"}"#),
        ("timeoutSeconds", "9"),
        ("rateLimitPerSecond", "9"),
        ("maxInFlight", "9"),
        ("retryPolicy", r#"{"schedule":[0,9]}"#),
        ("status", r#""paused""#),
    ] {
        let body = format!(r#"{{"{name}":{value}}}"#);
        assert_eq!(changed(&body), [name]);
        assert!(changed(&body).is_empty(), "{name} again");
    }
}

#[test]
fn enabling_an_active_subscription_resets_its_health_too() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let failing = failing(&backend, &manage);
    let (customer, id) = (&failing.customer_id, &failing.id);
    let update = |body| {
        let updated = manage.update(customer, id, &ExpectedVersion::Any, change(body));
        updated.now_or_never().unwrap().unwrap().subscription
    };
    assert_eq!(update(r#"{"description":"d2"}"#).health, failing.health);
    assert_eq!(update(r#"{"status":"active"}"#).health, Health::default());
    let stored = manage.show(customer, id).now_or_never().unwrap().unwrap();
    assert_eq!(stored.health, Health::default());
}

#[test]
fn enabling_a_subscription_resets_its_health() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let (created, _) = create(&manage, BODY).unwrap();
    let now = backend.now();
    let failing = Health {
        failing_since: Some(now),
        ..Health::default()
    };
    let written = backend.change_health(&created, &failing).now_or_never();
    assert_eq!(written.unwrap().unwrap(), WriteOutcome::Written);
    let read = Subscription {
        health: failing,
        ..created.clone()
    };
    let disabled = backend.disable(&read, DisabledReason::Failing, now);
    assert_eq!(
        disabled.now_or_never().unwrap().unwrap(),
        WriteOutcome::Written
    );
    let set = |body: &str| {
        let (customer, id) = (&created.customer_id, &created.id);
        let updated = manage.update(customer, id, &ExpectedVersion::Any, change(body));
        updated.now_or_never().unwrap().unwrap().subscription
    };
    let renamed = set(r#"{"description":"still disabled"}"#);
    assert_eq!(renamed.status, SubscriptionStatus::Disabled);
    assert!(renamed.disabled.is_some());
    assert_eq!(renamed.health, failing);
    let enabled = set(r#"{"status":"active"}"#);
    assert_eq!(
        (enabled.disabled, enabled.health),
        (None, Health::default())
    );
    assert_eq!(enabled.disabled_warned_at, Some(now), "it stays");
    let stored = manage.show(&created.customer_id, &created.id);
    assert_eq!(stored.now_or_never().unwrap().unwrap(), enabled);
}

#[test]
fn another_endpoint_gets_what_is_held_and_an_activation_decides_itself() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let (created, _) = create(&manage, BODY).unwrap();
    let now = backend.now();
    let holding = Health {
        failing_since: Some(now),
        hold: Some(Hold {
            since: now,
            check_at: now + Hold::AFTER,
        }),
        ..Health::default()
    };
    let hold = |read: &Subscription| {
        let written = backend.change_health(read, &holding).now_or_never();
        assert_eq!(written.unwrap().unwrap(), WriteOutcome::Written);
    };
    let set = |body: &str| {
        let (customer, id) = (&created.customer_id, &created.id);
        let updated = manage.update(customer, id, &ExpectedVersion::Any, change(body));
        updated.now_or_never().unwrap().unwrap();
        let stored = manage.show(customer, id).now_or_never().unwrap();
        stored.unwrap()
    };
    hold(&created);
    assert_eq!(set(r#"{"description":"renamed"}"#).health, holding);
    let released = Health {
        hold: Some(Hold::released(now)),
        ..Health::default()
    };
    for other in [
        r#"{"url":"https://example.com/corrected"}"#,
        r#"{"headers":{"x-version":"2"}}"#,
    ] {
        let changed = set(other);
        assert_eq!(changed.health, released, "{other}");
        hold(&changed);
    }
    assert_eq!(set(PAUSE).health, holding);
    assert_eq!(set(r#"{"status":"active"}"#).health, Health::default());
}

#[test]
fn one_of_two_concurrent_changes_gets_a_conflict() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let (created, _) = create(&manage, BODY).unwrap();
    let customer = samples::customer("acme");
    let stale = Subscription {
        version: 2,
        ..created.clone()
    };
    manage
        .update(&customer, &created.id, &ExpectedVersion::Any, change(PAUSE))
        .now_or_never()
        .unwrap()
        .unwrap();
    let replacement = Replacement {
        read: &created,
        changed: &stale,
        former: None,
        health: HealthFate::Kept,
        quota: samples::QUOTA,
    };
    let outcome = backend.replace(&replacement).now_or_never().unwrap();
    assert_eq!(outcome.unwrap(), ReplacementOutcome::Conflict);
}

#[test]
fn a_deleted_subscription_is_gone() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let (created, _) = create(&manage, BODY).unwrap();
    let customer = samples::customer("acme");
    manage
        .delete(&customer, &created.id, &ExpectedVersion::Any)
        .now_or_never()
        .unwrap()
        .unwrap();
    let again = manage
        .delete(&customer, &created.id, &ExpectedVersion::Any)
        .now_or_never()
        .unwrap();
    assert!(matches!(again, Err(ManageError::NotFound { .. })));
    let page = manage
        .list(&customer, None, 10)
        .now_or_never()
        .unwrap()
        .unwrap();
    assert!(page.subscriptions.is_empty());
}

#[test]
fn a_repeated_creation_returns_the_first_subscription() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let first = create_once(&manage, "k1", BODY).unwrap();
    assert!(first.is_new);
    let again = create_once(&manage, "k1", BODY).unwrap();
    assert!(!again.is_new);
    assert_eq!(again.subscription, first.subscription);
    assert_eq!(again.secret, first.secret);
    let other = create_once(&manage, "k2", BODY).unwrap();
    assert_ne!(other.subscription.id, first.subscription.id);
    let reused = create_once(
        &manage,
        "k1",
        r#"{"url":"https://example.com/","eventTypes":["*"]}"#,
    );
    match reused {
        Err(ManageError::KeyReused { subscription }) => {
            assert_eq!(subscription, first.subscription.id);
        }
        other => panic!("{other:?}"),
    }
}

/// Creates with an idempotency key, deletes, and creates with the same key again.
#[test]
fn a_subscription_recreated_after_its_deletion_is_a_new_one() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let customer = samples::customer("acme");
    let first = create_once(&manage, "k1", BODY).unwrap().subscription;
    let deleted = manage.delete(&customer, &first.id, &ExpectedVersion::Any);
    deleted.now_or_never().unwrap().unwrap();
    let second = create_once(&manage, "k1", BODY).unwrap();
    assert!(second.is_new);
    assert_ne!(second.subscription.id, first.id);
    let again = create_once(&manage, "k1", BODY).unwrap();
    assert_eq!(again.subscription, second.subscription);
    let deleted = manage.delete(&customer, &second.subscription.id, &ExpectedVersion::Any);
    deleted.now_or_never().unwrap().unwrap();
    // No record is left that could conflict with another body.
    let other = r#"{"url":"https://example.com/","eventTypes":["*"]}"#;
    let third = create_once(&manage, "k1", other).unwrap();
    assert!(third.is_new);
    let gone = manage.show(&customer, &first.id).now_or_never().unwrap();
    assert!(matches!(gone, Err(ManageError::NotFound { .. })));
}

#[test]
fn an_idempotency_key_is_valid_until_its_record_expires() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let first = create_once(&manage, "k1", BODY).unwrap();
    let end = backend.now() + IdempotencyRecord::KEPT;
    backend.set_now(end - Duration::from_secs(1));
    let again = create_once(&manage, "k1", BODY).unwrap();
    assert_eq!(again.subscription.id, first.subscription.id);
    backend.set_now(end);
    let later = create_once(&manage, "k1", BODY).unwrap();
    assert!(later.is_new);
    assert_ne!(later.subscription.id, first.subscription.id);
}

#[test]
fn a_change_without_effect_is_not_written() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let secret = r#""secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw","#;
    let body = BODY.replacen('{', &format!("{{{secret}"), 1);
    let (created, _) = create(&manage, &body).unwrap();
    let (customer, id) = (&created.customer_id, &created.id);
    backend.set_now(backend.now() + Duration::from_mins(1));
    for same in [
        "{}",
        r#"{"status":"active"}"#,
        &body,
        r#"{"headers":{"x-a":null}}"#,
    ] {
        let updated = manage.update(customer, id, &ExpectedVersion::Any, change(same));
        let updated = updated.now_or_never().unwrap().unwrap();
        assert_eq!(updated.subscription, created, "{same}");
        assert!(!updated.is_enabled() && !updated.has_new_secret(), "{same}");
        let stored = manage.show(customer, id).now_or_never().unwrap().unwrap();
        assert_eq!(stored, created, "{same}");
    }
    let changed = manage.update(customer, id, &ExpectedVersion::Any, change(PAUSE));
    let changed = changed.now_or_never().unwrap().unwrap().subscription;
    assert_eq!((changed.version, changed.updated_at), (2, backend.now()));
    let other = BODY.replacen(
        '{',
        r#"{"secret":"whsec_AAAQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw","#,
        1,
    );
    let replaced = manage.update(customer, id, &ExpectedVersion::Any, change(&other));
    assert!(replaced.now_or_never().unwrap().unwrap().has_new_secret());
}

#[test]
fn a_new_url_or_new_headers_reset_the_health() {
    for (body, starts_anew) in [
        (r#"{"url":"https://example.com/corrected"}"#, true),
        (r#"{"headers":{"x-api-key":"corrected"}}"#, true),
        (r#"{"secretHeaders":{"x-api-key":"corrected"}}"#, true),
        (r#"{"url":"https://example.com/hook"}"#, false),
        (r#"{"description":"d2","maxInFlight":1}"#, false),
    ] {
        let backend = InMemoryBackend::default();
        let manage = backend.manage();
        let failing = failing(&backend, &manage);
        let (customer, id) = (&failing.customer_id, &failing.id);
        let updated = manage.update(customer, id, &ExpectedVersion::Any, change(body));
        let updated = updated.now_or_never().unwrap().unwrap().subscription;
        let stored = manage.show(customer, id).now_or_never().unwrap().unwrap();
        assert_eq!(stored.version, updated.version);
        let expected = if starts_anew {
            Health::default()
        } else {
            failing.health
        };
        assert_eq!(stored.health, expected, "{body}");
    }
}

/// The attempt at the old URL was in flight, so its result says nothing about the new URL.
#[test]
fn an_observation_of_the_old_url_is_not_written_to_the_new_one() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let (created, _) = create(&manage, BODY).unwrap();
    let (customer, id) = (&created.customer_id, &created.id);
    let corrected = change(r#"{"url":"https://example.com/corrected"}"#);
    let updated = manage.update(customer, id, &ExpectedVersion::Any, corrected);
    updated.now_or_never().unwrap().unwrap();
    let seen = Health {
        failing_since: Some(backend.now()),
        ..Health::default()
    };
    let written = backend.change_health(&created, &seen).now_or_never();
    assert_eq!(written.unwrap().unwrap(), WriteOutcome::Conflict);
}

#[test]
fn a_customer_cannot_have_more_subscriptions_than_the_stack_allows() {
    let backend = InMemoryBackend::default();
    let manage = InMemoryManage {
        quota: Quota { subscriptions: 2 },
        ..backend.manage()
    };
    let customer = samples::customer("acme");
    let (first, _) = create(&manage, BODY).unwrap();
    create(&manage, BODY).unwrap();
    let refused = create(&manage, BODY).unwrap_err();
    assert!(
        matches!(refused, ManageError::TooMany { max: 2, .. }),
        "{refused}"
    );
    let bolt = samples::customer("bolt");
    let strangers = manage.create(&bolt, change(BODY), None);
    strangers.now_or_never().unwrap().unwrap();
    let deleted = manage.delete(&customer, &first.id, &ExpectedVersion::Any);
    deleted.now_or_never().unwrap().unwrap();
    create(&manage, BODY).unwrap();

    // A wrong count is corrected before it causes a refusal.
    let counted = backend.usage(&customer);
    let drifted = backend.correct_usage(&customer, counted, counted + counted);
    drifted.now_or_never().unwrap().unwrap();
    let more = InMemoryManage {
        quota: Quota { subscriptions: 3 },
        ..manage
    };
    create(&more, BODY).unwrap();
    assert_eq!(backend.usage(&customer).subscriptions, 3);
}

#[test]
fn the_bytes_of_a_customers_subscriptions_are_limited_each_and_in_total() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let pair = |n: usize| format!(r#""name-{n:02}":"{}""#, "\u{10348}".repeat(256));
    let with_metadata = |pairs: usize| {
        let pairs: Vec<_> = (0..pairs).map(pair).collect();
        BODY.replace(r#""plan":"gold""#, &pairs.join(","))
    };
    match create(&manage, &with_metadata(16)) {
        Err(ManageError::Field(error)) => assert_eq!(error.field, "body"),
        other => panic!("{other:?}"),
    }
    let customer = samples::customer("acme");
    let refused = loop {
        if let Err(refused) = create(&manage, &with_metadata(12)) {
            break refused;
        }
    };
    let are_too_large = |refused| matches!(refused, ManageError::TooLargeTogether { .. });
    assert!(are_too_large(refused));
    let usage = backend.usage(&customer);
    assert!(usage.subscriptions > 64, "{usage:?}");

    // A change that makes a subscription larger is refused too, but one that makes it smaller is
    // accepted.
    let page = manage.list(&customer, None, 10).now_or_never().unwrap();
    let subscriptions = page.unwrap().subscriptions;
    let update = |n: usize, body: &str| {
        let updated = manage.update(
            &customer,
            &subscriptions[n].id,
            &ExpectedVersion::Any,
            change(body),
        );
        updated.now_or_never().unwrap()
    };
    let grow = |n: usize| {
        let more: Vec<_> = (12..15).map(pair).collect();
        update(n, &format!(r#"{{"metadata":{{{}}}}}"#, more.join(",")))
    };
    let refused = (0..10).find_map(|n| grow(n).err());
    assert!(are_too_large(refused.unwrap()));
    assert!(backend.usage(&customer).bytes <= Quota::MAX_BYTES);
    update(9, r#"{"metadata":null}"#).unwrap();
    grow(8).unwrap();
}

#[test]
fn a_creation_whose_answer_was_lost_can_be_repeated_and_returns_its_secret() {
    for fault in [Fault::Before, Fault::After] {
        let backend = InMemoryBackend::default();
        let manage = backend.manage();
        // The data key exists, so the next effect is the write of the subscription.
        create(&manage, BODY).unwrap();
        backend.plant([fault]);
        let lost = create_once(&manage, "k1", BODY).unwrap_err();
        assert!(matches!(lost, ManageError::Store(_)), "{lost}");
        assert!(!backend.clear_faults(), "the fault happened");
        let again = create_once(&manage, "k1", BODY).unwrap();
        let customer = samples::customer("acme");
        let secrets = manage.secrets(&customer, &again.subscription.id);
        let (_, secrets) = secrets.now_or_never().unwrap().unwrap();
        assert_eq!(secrets[0].secret, again.secret);
        let all = manage.list(&customer, None, 10).now_or_never();
        assert_eq!(all.unwrap().unwrap().subscriptions.len(), 2);
    }
}

#[test]
fn the_signing_secrets_are_shown_with_their_expiry() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let (created, first) = create(&manage, BODY).unwrap();
    let customer = samples::customer("acme");
    let rotation = rotation(r#"{"overlapSeconds":60}"#);
    let rotated = manage.rotate(&customer, &created.id, &ExpectedVersion::Any, rotation);
    let (_, second) = rotated.now_or_never().unwrap().unwrap();
    let (first, second) = (first.expose(), second.expose());
    let shown = || {
        let secrets = manage.secrets(&customer, &created.id);
        let (_, secrets) = secrets.now_or_never().unwrap().unwrap();
        let shown = secrets.into_iter();
        shown
            .map(|active| (active.version, active.secret.expose(), active.expires_at))
            .collect::<Vec<_>>()
    };
    let end = backend.now() + Duration::from_mins(1);
    assert_eq!(shown(), [(2, second.clone(), None), (1, first, Some(end))]);
    backend.set_now(end);
    assert_eq!(shown(), [(2, second, None)]);
}

#[test]
fn a_change_applies_only_to_the_version_that_it_names() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let (created, _) = create(&manage, BODY).unwrap();
    let (customer, id) = (samples::customer("acme"), created.id);
    let version = |number: u64| ExpectedVersion::OneOf(vec![number]);
    let failed = |outcome: Result<(), ManageError>| {
        matches!(outcome, Err(ManageError::AnotherVersion { .. }))
    };
    let update = |expected| {
        let updated = manage.update(&customer, &id, &expected, change(PAUSE));
        updated.now_or_never().unwrap().map(drop)
    };
    let rotate = |expected| {
        let rotation = rotation("{}");
        let rotated = manage.rotate(&customer, &id, &expected, rotation);
        rotated.now_or_never().unwrap().map(drop)
    };
    let delete = |expected| {
        let deleted = manage.delete(&customer, &id, &expected);
        deleted.now_or_never().unwrap()
    };
    assert!(failed(update(version(2))));
    update(version(1)).unwrap();
    assert!(failed(rotate(version(1))));
    rotate(version(2)).unwrap();
    assert!(failed(delete(version(2))));
    delete(ExpectedVersion::OneOf(vec![1, 3])).unwrap();
    let gone = delete(version(3));
    assert!(matches!(gone, Err(ManageError::NotFound { .. })));
}

#[test]
fn an_unreadable_subscription_is_listed_as_broken_and_can_be_repaired_or_deleted() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let customer = samples::customer("acme");
    let (first, _) = create(&manage, BODY).unwrap();
    let (second, _) = create(&manage, BODY).unwrap();
    let (good, _) = create(&manage, BODY).unwrap();
    backend.break_subscription(&customer, first.id, "url");
    backend.break_subscription(&customer, second.id, "secret");
    let page = manage
        .list(&customer, None, 10)
        .now_or_never()
        .unwrap()
        .unwrap();
    let whole: Vec<_> = page.subscriptions.iter().map(|whole| whole.id).collect();
    assert_eq!(whole, [good.id]);
    assert_eq!(page.broken.len(), 2);
    assert_eq!(page.in_order().count(), 3);
    assert!(page.in_order().map(|(id, _)| id).is_sorted());

    let update = |id, expected: &ExpectedVersion, body: &str| {
        let updated = manage.update(&customer, id, expected, change(body));
        updated.now_or_never().unwrap()
    };
    match update(&first.id, &ExpectedVersion::Any, PAUSE) {
        Err(ManageError::Field(error)) => assert_eq!(error.field, "url"),
        other => panic!("{other:?}"),
    }
    let corrected = r#"{"url":"https://example.com/corrected"}"#;
    let stale = update(&first.id, &ExpectedVersion::OneOf(vec![7]), corrected);
    assert!(matches!(stale, Err(ManageError::AnotherVersion { .. })));
    let repaired = update(&first.id, &ExpectedVersion::Any, corrected).unwrap();
    let stored = manage.show(&customer, &first.id).now_or_never().unwrap();
    assert_eq!(stored.unwrap(), repaired.subscription);
    assert_eq!(repaired.subscription.version, 2);

    let deleted = manage.delete(&customer, &second.id, &ExpectedVersion::Any);
    deleted.now_or_never().unwrap().unwrap();
    let page = manage
        .list(&customer, None, 10)
        .now_or_never()
        .unwrap()
        .unwrap();
    assert_eq!((page.subscriptions.len(), page.broken.len()), (2, 0));
    assert_eq!(backend.usage(&customer).subscriptions, 2);
}

#[test]
fn the_parts_of_a_payload_format_change_with_it() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let (created, _) = create(&manage, BODY).unwrap();
    let changed = |body: &str| {
        let any = ExpectedVersion::Any;
        let updated = manage.update(&created.customer_id, &created.id, &any, change(body));
        updated.now_or_never().unwrap()
    };
    let fields = |body: &str| changed(body).unwrap().changed_fields();
    let problem = |body: &str| changed(body).unwrap_err().to_string();
    assert_eq!(
        problem(r#"{"payloadFields":["/a"]}"#),
        "payloadFields: requires `payloadFormat`: `fields`"
    );
    assert_eq!(
        problem(r#"{"payloadFormat":"fields"}"#),
        "payloadFields: is required with `payloadFormat`: `fields`"
    );
    assert_eq!(
        fields(r#"{"payloadFormat":"fields","payloadFields":["/a"]}"#),
        ["payloadFormat", "payloadFields"]
    );
    assert_eq!(fields(r#"{"payloadFields":["/b"]}"#), ["payloadFields"]);
    let transform = r#""transform":{"paths":{},"template":"<b>"}"#;
    assert_eq!(
        problem(&format!(r#"{{"payloadFormat":"transform",{transform}}}"#)),
        "transform: `template`, character 1: placeholder `<b>` must be in `paths`"
    );
    assert_eq!(
        fields(&format!(
            r#"{{"payloadFormat":"transform",{transform},"contentType":"text/html"}}"#
        )),
        ["payloadFormat", "payloadFields", "transform", "contentType"]
    );
    // The template is not JSON.
    assert!(problem(r#"{"contentType":null}"#).starts_with("transform: "));
    assert_eq!(
        fields(r#"{"payloadFormat":"detail","contentType":null}"#),
        ["payloadFormat", "transform", "contentType"]
    );
    assert_eq!(
        problem(r#"{"url":"https://example.com/?a=1","queryParameters":{"a":"2"}}"#),
        "queryParameters: `a` must not be in `url` too"
    );
    assert_eq!(
        fields(r#"{"queryParameters":{"a":"2"}}"#),
        ["queryParameters"]
    );
    assert_eq!(
        problem(r#"{"url":"https://example.com/?a=1"}"#),
        "queryParameters: `a` must not be in `url` too"
    );
    assert_eq!(fields(r#"{"queryParameters":null}"#), ["queryParameters"]);
}
