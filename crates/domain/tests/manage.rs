//! Managing subscriptions.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::FutureExt;
use ring::rand::SystemRandom;
use webhooks_domain::manage::{Manage, ManageError, SubscriptionChange};
use webhooks_domain::outbound::DevelopmentNetworks;
use webhooks_domain::ports::Clock;
use webhooks_domain::signing::Secret;
use webhooks_domain::subscription::Subscription;
use webhooks_domain::vault::Vault;
use webhooks_testkit::{World, samples};

type TestManage = Manage<World, Vault<World, World, World>, World>;

fn manage(world: &World) -> TestManage {
    Manage {
        table: world.clone(),
        vault: Vault::new(world.clone(), world.clone(), world.clone()),
        clock: world.clone(),
        random: SystemRandom::new(),
        retention: Duration::from_hours(24 * 90),
    }
}

fn change(body: &str) -> SubscriptionChange {
    SubscriptionChange::parse(body.as_bytes(), &DevelopmentNetworks::none()).unwrap()
}

fn create(manage: &TestManage, body: &str) -> Result<(Subscription, Secret), ManageError> {
    manage
        .create(&samples::customer("acme"), change(body))
        .now_or_never()
        .unwrap()
}

const BODY: &str =
    r#"{"url":"https://example.com/hook","eventTypes":["order.*"],"description":"d"}"#;

#[test]
fn what_is_created_can_be_read_and_its_secret_opens() {
    let world = World::default();
    let manage = manage(&world);
    let (created, secret) = create(&manage, BODY).unwrap();
    let customer = samples::customer("acme");
    let read = manage
        .show(&customer, &created.id)
        .now_or_never()
        .unwrap()
        .unwrap();
    assert_eq!(read, created);
    let opened = manage.vault.open_all(&read, world.now()).now_or_never();
    assert_eq!(opened.unwrap().unwrap(), [secret]);
    let strangers = manage
        .show(&samples::customer("bolt"), &created.id)
        .now_or_never()
        .unwrap();
    assert!(matches!(strangers, Err(ManageError::NotFound { .. })));
}

#[test]
fn what_is_required_is_named() {
    let manage = manage(&World::default());
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
fn a_change_leaves_what_it_does_not_name() {
    let world = World::default();
    let manage = manage(&world);
    let (created, _) = create(&manage, BODY).unwrap();
    let customer = samples::customer("acme");
    let update = |body: &str| {
        let change = change(body);
        manage
            .update(&customer, &created.id, change)
            .now_or_never()
            .unwrap()
            .unwrap()
    };
    let changed = update(r#"{"description":null,"headers":{"x-team":"a"}}"#);
    assert_eq!(
        (changed.url, changed.event_types),
        (created.url, created.event_types)
    );
    assert_eq!((changed.description, changed.headers.len()), (None, 1));
    assert_eq!(changed.secrets, created.secrets);
}

#[test]
fn of_two_changes_at_once_one_is_told() {
    let world = World::default();
    let manage = manage(&world);
    let (created, _) = create(&manage, BODY).unwrap();
    let customer = samples::customer("acme");
    let stale = Subscription {
        version: 2,
        ..created.clone()
    };
    manage
        .update(&customer, &created.id, change(r#"{"status":"paused"}"#))
        .now_or_never()
        .unwrap()
        .unwrap();
    let outcome = webhooks_domain::ports::SubscriptionStore::replace(&world, &stale);
    let outcome = outcome.now_or_never().unwrap().unwrap();
    assert_eq!(outcome, webhooks_domain::ports::WriteOutcome::Overtaken);
}

#[test]
fn what_is_deleted_is_gone() {
    let world = World::default();
    let manage = manage(&world);
    let (created, _) = create(&manage, BODY).unwrap();
    let customer = samples::customer("acme");
    manage
        .delete(&customer, &created.id)
        .now_or_never()
        .unwrap()
        .unwrap();
    let again = manage
        .delete(&customer, &created.id)
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
