//! The vault: a sealed secret can be opened only in its own context, and KMS is called rarely.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::FutureExt;
use futures_util::future::join_all;
use ring::rand::SystemRandom;
use webhooks_domain::data_key::WrappedDataKey;
use webhooks_domain::ports::{Clock, DataKeyStore, InsertOutcome};
use webhooks_domain::signing::{Overlap, SealedSecret, SealedSecrets, Secret, SecretKind};
use webhooks_domain::subscription::Subscription;
use webhooks_domain::vault::{Vault, VaultError};
use webhooks_testkit::{Fault, InMemoryBackend, samples};

type TestVault = Vault<InMemoryBackend, InMemoryBackend, InMemoryBackend>;

fn vault(backend: &InMemoryBackend) -> TestVault {
    Vault::new(backend.clone(), backend.clone(), backend.clone())
}

fn generate(kind: SecretKind) -> Secret {
    Secret::generate(kind, &SystemRandom::new())
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
fn a_sealed_secret_opens_only_in_its_own_context() {
    let vault = vault(&InMemoryBackend::default());
    let open = |sealed: &SealedSecret, customer: &str, subscription: u128| {
        let id = samples::subscription_id(subscription);
        vault
            .open(sealed, &samples::customer(customer), &id)
            .now_or_never()
            .unwrap()
    };
    for kind in [SecretKind::V1, SecretKind::V1a] {
        let secret = generate(kind);
        let sealed = seal(&vault, &secret);
        assert_eq!(sealed.kind(), kind);
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
        let of_another_key = SealedSecret {
            public_key: generate(SecretKind::V1a).public_key(),
            ..sealed.clone()
        };
        for result in [
            open(&sealed, "bolt", 1),
            open(&sealed, "acme", 2),
            open(&later, "acme", 1),
            open(&changed, "acme", 1),
            open(&cut, "acme", 1),
            open(&of_another_key, "acme", 1),
        ] {
            assert!(
                matches!(result, Err(VaultError::NotOurs { .. })),
                "{result:?}"
            );
        }
    }
}

/// The same 32 bytes could be a secret of either kind: only the seal says which.
#[test]
fn a_sealed_secret_opens_as_its_own_kind_only() {
    let vault = vault(&InMemoryBackend::default());
    let key = generate(SecretKind::V1a);
    let seed = BASE64_STANDARD
        .decode(&key.expose()["whsk_".len()..])
        .unwrap();
    let symmetric = format!("whsec_{}", BASE64_STANDARD.encode(&seed[..32]));
    let as_v1a = SealedSecret {
        public_key: key.public_key(),
        ..seal(&vault, &symmetric.parse().unwrap())
    };
    let as_v1 = SealedSecret {
        public_key: None,
        ..seal(&vault, &key)
    };
    let (customer, id) = (samples::customer("acme"), samples::subscription_id(1));
    for sealed in [as_v1a, as_v1] {
        let result = vault.open(&sealed, &customer, &id).now_or_never().unwrap();
        assert!(
            matches!(result, Err(VaultError::NotOurs { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn a_sealed_secret_does_not_show_the_secret() {
    let text = format!("whsec_{}", BASE64_STANDARD.encode([7; 32]));
    let sealed = seal(&vault(&InMemoryBackend::default()), &text.parse().unwrap());
    assert!(!sealed.sealed.windows(8).any(|part| part == [7; 8]));
}

/// A header is bound to its name, its subscription, its customer and the origin of the URL. No seal
/// of a header opens as a secret, and none of a secret as a header.
#[test]
fn a_sealed_header_opens_only_in_its_own_context() {
    let vault = vault(&InMemoryBackend::default());
    let own = samples::subscription("acme", 1);
    let sealed = vault.seal_header("x-key", "s3cret", &own);
    let sealed = sealed.now_or_never().unwrap().unwrap();
    let open = |name: &str, sealed: &[u8], of: &Subscription| {
        let opened = vault.open_header(name, sealed, of);
        opened.now_or_never().unwrap()
    };
    let at = |url: &str| Subscription {
        url: samples::url(url),
        ..own.clone()
    };
    let elsewhere = at("https://example.com/elsewhere");
    assert_eq!(open("x-key", &sealed, &elsewhere).unwrap(), "s3cret");
    assert!(!sealed.windows(6).any(|part| part == b"s3cret"));
    let mut changed = sealed.clone();
    *changed.last_mut().unwrap() ^= 1;
    let secret = generate(SecretKind::V1);
    for result in [
        open("x-key2", &sealed, &own),
        open("", &sealed, &own),
        open("x-key", &sealed, &samples::subscription("bolt", 1)),
        open("x-key", &sealed, &samples::subscription("acme", 2)),
        open("x-key", &sealed, &at("https://example.org/hook")),
        open("x-key", &sealed, &at("https://example.com:8443/hook")),
        open("x-key", &changed, &own),
        open("x-key", &sealed[..8], &own),
        open("x-key", &seal(&vault, &secret).sealed, &own),
    ] {
        assert!(
            matches!(result, Err(VaultError::NotOurs { .. })),
            "{result:?}"
        );
    }
    // 32 bytes, as a secret of kind `v1` may have.
    let sealed = vault.seal_header("x-key", "0123456789abcdef0123456789abcdef", &own);
    let sealed = SealedSecret {
        version: 1,
        public_key: None,
        sealed: sealed.now_or_never().unwrap().unwrap(),
    };
    let opened = vault.open(&sealed, &own.customer_id, &own.id);
    let opened = opened.now_or_never().unwrap();
    assert!(matches!(opened, Err(VaultError::NotOurs { .. })));
}

/// The fingerprint of a body with a weak secret must not confirm a guess to a reader of the table.
#[test]
fn a_fingerprint_depends_on_the_data_key() {
    let backend = InMemoryBackend::default();
    let fingerprint = |vault: &TestVault, content: &str| {
        let fingerprint = vault.fingerprint(content.as_bytes());
        fingerprint.now_or_never().unwrap().unwrap()
    };
    let first = fingerprint(&vault(&backend), "body");
    let again = vault(&backend);
    assert_eq!(fingerprint(&again, "body"), first);
    assert_ne!(fingerprint(&again, "Body"), first);
    let digest = ring::digest::digest(&ring::digest::SHA256, b"body");
    assert_ne!(first.as_bytes(), &digest.as_ref()[..16]);
    let stranger = InMemoryBackend::default();
    let other_key = WrappedDataKey(vec![9; 32]);
    let inserted = stranger.insert(&other_key).now_or_never().unwrap();
    assert_eq!(inserted.unwrap(), InsertOutcome::Inserted);
    assert_ne!(fingerprint(&vault(&stranger), "body"), first);
}

/// A subscription with as many signing secrets as possible, alternating between both kinds.
fn subscription(vault: &TestVault, number: u128) -> Subscription {
    let base = samples::subscription("acme", number);
    let seal = |version: u32| {
        let secret = generate([SecretKind::V1, SecretKind::V1a][version as usize % 2]);
        let sealed = vault.seal(&secret, &base.customer_id, &base.id, version);
        sealed.now_or_never().unwrap().unwrap()
    };
    let mut secrets = SealedSecrets::only(seal(1));
    for version in 2..=5 {
        let rotated = secrets.rotate(seal(version), Overlap::default(), samples::NOW);
        secrets = rotated.unwrap();
    }
    Subscription { secrets, ..base }
}

#[test]
fn the_key_service_is_called_once_in_five_minutes_for_any_number_of_secrets() {
    let backend = InMemoryBackend::default();
    let sealing = vault(&backend);
    let subscriptions: Vec<_> = (0..100).map(|n| subscription(&sealing, n)).collect();
    assert_eq!(
        backend.key_service_calls(),
        1,
        "all are sealed with one data key"
    );

    let vault = vault(&backend);
    let open_all = || {
        let now = backend.now();
        let opens = subscriptions.iter().map(|one| vault.open_all(one, now));
        let opened = join_all(opens).now_or_never().unwrap();
        let secrets: usize = opened
            .iter()
            .map(|opened| opened.as_ref().unwrap().len())
            .sum();
        assert_eq!(secrets, 100 * SealedSecrets::MAX_SIGNING);
    };
    open_all();
    assert_eq!(backend.key_service_calls(), 2);
    let last = Duration::from_millis(1);
    backend.set_now(backend.now() + TestVault::DATA_KEY_TTL.saturating_sub(last));
    open_all();
    assert_eq!(backend.key_service_calls(), 2);
    backend.set_now(backend.now() + last);
    open_all();
    assert_eq!(backend.key_service_calls(), 3);
}

#[test]
fn an_expired_secret_is_not_opened() {
    let backend = InMemoryBackend::default();
    let vault = vault(&backend);
    let mut subscription = subscription(&vault, 1);
    let spoilt = subscription.secrets.iter().map(|(secret, expires_at)| {
        let sealed = expires_at.map_or_else(|| secret.sealed.clone(), |_| Vec::new());
        (
            SealedSecret {
                sealed,
                ..secret.clone()
            },
            expires_at,
        )
    });
    subscription.secrets = SealedSecrets::from_stored(spoilt.collect::<Vec<_>>()).unwrap();
    let open_at = |at| vault.open_all(&subscription, at).now_or_never().unwrap();
    assert!(open_at(samples::NOW).is_err());
    assert_eq!(
        open_at(samples::NOW + Duration::from_hours(24))
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn two_concurrent_creators_of_the_first_data_key_agree_on_one() {
    let backend = InMemoryBackend::default();
    let secret = generate(SecretKind::V1);
    let (first, second) = (vault(&backend), vault(&backend));
    let sealed = seal(&first, &secret);
    // When the second one starts, it cannot see the first one's key, so the insert decides.
    let also_sealed = seal(&second, &secret);
    let (customer, id) = (samples::customer("acme"), samples::subscription_id(1));
    for sealed in [sealed, also_sealed] {
        let opened = vault(&backend)
            .open(&sealed, &customer, &id)
            .now_or_never()
            .unwrap();
        assert_eq!(opened.unwrap(), secret);
    }
}

#[test]
fn a_failed_key_service_fails_the_call_and_not_the_next() {
    let backend = InMemoryBackend::default();
    let vault = vault(&backend);
    backend.plant([Fault::None, Fault::Before]);
    let (customer, id) = (samples::customer("acme"), samples::subscription_id(1));
    let secret = generate(SecretKind::V1);
    let failed = vault
        .seal(&secret, &customer, &id, 1)
        .now_or_never()
        .unwrap();
    assert!(matches!(failed, Err(VaultError::Keys(_))), "{failed:?}");
    seal(&vault, &secret);
}

#[test]
fn without_a_data_key_nothing_opens_and_no_key_is_created() {
    let backend = InMemoryBackend::default();
    let sealed = SealedSecret {
        version: 1,
        public_key: None,
        sealed: vec![0; 60],
    };
    let (customer, id) = (samples::customer("acme"), samples::subscription_id(1));
    let opened = vault(&backend)
        .open(&sealed, &customer, &id)
        .now_or_never()
        .unwrap();
    assert!(matches!(opened, Err(VaultError::NoDataKey)), "{opened:?}");
    assert_eq!(backend.key_service_calls(), 0);
}
