//! The vault: what is sealed opens where it belongs, and KMS is asked rarely.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use ring::rand::SystemRandom;
use webhooks_domain::ports::Clock;
use webhooks_domain::secret::{SealedSecret, Secret};
use webhooks_domain::vault::{Vault, VaultError};
use webhooks_testkit::{Fault, World, samples};

type TestVault = Vault<World, World, World>;

fn vault(world: &World) -> TestVault {
    Vault::new(world.clone(), world.clone(), world.clone())
}

fn seal(vault: &TestVault, secret: &Secret) -> SealedSecret {
    let id = samples::subscription_id(1);
    vault
        .seal(secret, &samples::customer("acme"), &id, 1)
        .now_or_never()
        .unwrap()
        .unwrap()
}

#[test]
fn a_sealed_secret_opens_only_where_it_belongs() {
    let vault = vault(&World::default());
    let secret = Secret::generate(&SystemRandom::new());
    let sealed = seal(&vault, &secret);
    let open = |sealed: &SealedSecret, customer: &str, subscription: u128| {
        let id = samples::subscription_id(subscription);
        vault
            .open(sealed, &samples::customer(customer), &id)
            .now_or_never()
            .unwrap()
    };
    assert_eq!(open(&sealed, "acme", 1).unwrap(), secret);
    let later = SealedSecret {
        version: 2,
        ..sealed.clone()
    };
    let mut changed = sealed.clone();
    *changed.sealed.last_mut().unwrap() ^= 1;
    let cut = SealedSecret {
        sealed: sealed.sealed[..8].to_vec(),
        ..sealed.clone()
    };
    for result in [
        open(&sealed, "bolt", 1),
        open(&sealed, "acme", 2),
        open(&later, "acme", 1),
        open(&changed, "acme", 1),
        open(&cut, "acme", 1),
    ] {
        assert!(
            matches!(result, Err(VaultError::NotOurs { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn a_sealed_secret_does_not_show_the_secret() {
    let secret = Secret::generate(&SystemRandom::new());
    let sealed = seal(&vault(&World::default()), &secret);
    assert!(
        !sealed
            .sealed
            .windows(8)
            .any(|part| secret.as_bytes().windows(8).any(|s| s == part))
    );
}

#[test]
fn the_key_service_is_asked_once_in_five_minutes_for_any_number_of_secrets() {
    let world = World::default();
    let sealed = seal(&vault(&world), &Secret::generate(&SystemRandom::new()));
    let asked_before = world.key_service_calls();

    let vault = vault(&world);
    let (customer, id) = (samples::customer("acme"), samples::subscription_id(1));
    let open_all = || {
        let opens = (0..100).map(|_| vault.open(&sealed, &customer, &id));
        join_all(opens)
            .now_or_never()
            .unwrap()
            .into_iter()
            .for_each(|opened| {
                opened.unwrap();
            });
    };
    open_all();
    assert_eq!(world.key_service_calls() - asked_before, 1);
    let last = Duration::from_millis(1);
    world.set_now(world.now() + TestVault::DATA_KEY_TTL.saturating_sub(last));
    open_all();
    assert_eq!(world.key_service_calls() - asked_before, 1);
    world.set_now(world.now() + last);
    open_all();
    assert_eq!(world.key_service_calls() - asked_before, 2);
}

#[test]
fn two_that_make_the_first_data_key_at_once_agree_on_one() {
    let world = World::default();
    let secret = Secret::generate(&SystemRandom::new());
    let (first, second) = (vault(&world), vault(&world));
    let sealed = seal(&first, &secret);
    // The second has not seen the first's key when it starts: the insert decides.
    let also_sealed = seal(&second, &secret);
    let (customer, id) = (samples::customer("acme"), samples::subscription_id(1));
    for sealed in [sealed, also_sealed] {
        let opened = vault(&world)
            .open(&sealed, &customer, &id)
            .now_or_never()
            .unwrap();
        assert_eq!(opened.unwrap(), secret);
    }
}

#[test]
fn a_failed_key_service_fails_the_call_and_not_the_next() {
    let world = World::default();
    let vault = vault(&world);
    world.plant([Fault::None, Fault::Before]);
    let (customer, id) = (samples::customer("acme"), samples::subscription_id(1));
    let secret = Secret::generate(&SystemRandom::new());
    let failed = vault
        .seal(&secret, &customer, &id, 1)
        .now_or_never()
        .unwrap();
    assert!(matches!(failed, Err(VaultError::Keys(_))), "{failed:?}");
    seal(&vault, &secret);
}

#[test]
fn without_a_data_key_nothing_opens_and_none_is_made() {
    let world = World::default();
    let sealed = SealedSecret {
        version: 1,
        sealed: vec![0; 60],
    };
    let (customer, id) = (samples::customer("acme"), samples::subscription_id(1));
    let opened = vault(&world)
        .open(&sealed, &customer, &id)
        .now_or_never()
        .unwrap();
    assert!(matches!(opened, Err(VaultError::NoDataKey)), "{opened:?}");
    assert_eq!(world.key_service_calls(), 0);
}
