//! Client certificates: which are accepted, what is kept and shown of them, and their life with a
//! subscription.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::FutureExt;
use proptest::prelude::*;
use serde_json::json;
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::outbound::authentication::{
    ClientCertificate, ClientCertificateError, ClientIdentity, IdentityId, Mtls,
};
use webhooks_domain::outbound::{
    Credential, EndpointAuthentication, EndpointUrl, SealedCredential,
};
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::client_certificates::{
    ClientAuthority, ENCRYPTED_KEYS, Issued, PAIRS, UNUSABLE_PAIRS, pem,
};
use webhooks_testkit::{ManagedSubscription, samples};

const DAY: Duration = Duration::from_hours(24);

fn issue(name: &str) -> Issued {
    let authority = ClientAuthority::new("Example CA");
    authority.issue(name, samples::NOW - DAY, samples::NOW + 365 * DAY)
}

fn read(
    certificate: &str,
    private_key: &str,
) -> Result<(Mtls, ClientCertificate), ClientCertificateError> {
    ClientCertificate::from_pem(certificate, private_key)
}

fn refused(certificate: &str, private_key: &str) -> String {
    read(certificate, private_key).unwrap_err().to_string()
}

fn mtls(stage: &ManagedSubscription) -> Mtls {
    match stage.stored().authentication.unwrap().authentication {
        EndpointAuthentication::Mtls(mtls) => mtls,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_kind_of_key_is_read_with_its_certificate() {
    for (name, certificate, key) in PAIRS {
        let (_, read) = read(certificate, key).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.chain().len(), 1, "{name}");
        let stored = read.to_stored();
        assert!(stored.len() < (certificate.len() + key.len()) * 4 / 5);
        assert_eq!(
            ClientCertificate::from_stored(&stored).as_ref(),
            Some(&read)
        );
    }
}

/// OpenSSL writes texts between the sections, and Windows other line ends.
#[test]
fn texts_around_the_sections_are_left_out() {
    let Issued {
        certificate,
        private_key,
    } = issue("webhooks");
    let with_texts = format!("Bag Attributes\n  friendlyName: a\nsubject=CN = a\n{certificate}\n");
    let with_returns = private_key.replace('\n', "\r\n");
    assert_eq!(
        read(&with_texts, &with_returns),
        read(&certificate, &private_key)
    );
}

#[test]
fn an_encrypted_key_is_refused_with_the_command_that_decrypts_it() {
    let (_, certificate, _) = PAIRS[0];
    for key in ENCRYPTED_KEYS {
        let refused = refused(certificate, key);
        assert!(refused.contains("openssl pkey"), "{refused}");
    }
}

#[test]
fn a_key_that_tls_cannot_use_is_refused() {
    for (name, certificate, key) in UNUSABLE_PAIRS {
        let refused = read(certificate, key);
        assert_eq!(refused, Err(ClientCertificateError::KeyType), "{name}");
    }
}

#[test]
fn a_refused_part_is_named_and_the_key_is_not_shown() {
    let authority = ClientAuthority::new("Example CA");
    let issued = issue("webhooks");
    let (certificate, key) = (issued.certificate.as_str(), issued.private_key.as_str());
    let other = issue("another");
    let ca = authority.certificate();
    let chain = format!("{ca}{certificate}");
    let five = certificate.repeat(5);
    let long = "x".repeat(12_289);
    let with_key = format!("{certificate}{key}");
    let two_keys = format!("{key}{}", other.private_key);
    let no_base64 = "-----BEGIN CERTIFICATE-----\n****\n-----END CERTIFICATE-----\n";
    let no_end = certificate.replace("-----END", "");
    let no_der = pem("CERTIFICATE", b"no certificate");
    let not_a_key = pem("PRIVATE KEY", b"s3cret");
    let rest = format!("{certificate}{no_der}");
    for (certificate, key, problem) in [
        (
            "",
            key,
            "certificate: must have a section `BEGIN CERTIFICATE`, has none",
        ),
        (
            key,
            key,
            "certificate: must not have a private key, which belongs into `privateKey`",
        ),
        (
            &with_key,
            key,
            "certificate: must not have a private key, which belongs into `privateKey`",
        ),
        (
            &five,
            key,
            "certificate: must have at most 4 certificates, has more",
        ),
        (
            &long,
            key,
            "certificate: must have at most 12288 bytes, has 12289",
        ),
        (
            no_base64,
            key,
            "certificate: must be PEM (RFC 7468), has a section that cannot be read",
        ),
        (
            &no_end,
            key,
            "certificate: must be PEM (RFC 7468), has a section that cannot be read",
        ),
        (
            &no_der,
            key,
            "certificate: must consist of X.509 certificates, number 1 is none",
        ),
        (
            &rest,
            key,
            "certificate: must consist of X.509 certificates, number 2 is none",
        ),
        (
            &chain,
            key,
            "privateKey: must belong to the first certificate, belongs to number 2",
        ),
        (
            certificate,
            &other.private_key,
            "privateKey: must belong to the first certificate, belongs to none",
        ),
        (
            certificate,
            certificate,
            "privateKey: must have one section `BEGIN PRIVATE KEY`, `BEGIN RSA PRIVATE KEY` or `BEGIN EC PRIVATE KEY`, has 0",
        ),
        (
            certificate,
            &two_keys,
            "privateKey: must have one section `BEGIN PRIVATE KEY`, `BEGIN RSA PRIVATE KEY` or `BEGIN EC PRIVATE KEY`, has 2",
        ),
        (
            certificate,
            &long,
            "privateKey: must have at most 4096 bytes, has 12289",
        ),
        (
            certificate,
            &not_a_key,
            "privateKey: must be RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384 with its public key, or Ed25519",
        ),
    ] {
        assert_eq!(refused(certificate, key), problem);
    }
    let chain = format!("{certificate}{ca}");
    assert_eq!(read(&chain, key).unwrap().1.chain().len(), 2);
}

#[test]
fn the_summary_has_bounded_and_legible_texts() {
    let issued = issue(&format!("a\u{1b}[31m\n{}", "ü".repeat(300)));
    let (mtls, _) = read(&issued.certificate, &issued.private_key).unwrap();
    assert!(mtls.subject().starts_with("CN=a [31m ü"), "{mtls:?}");
    assert!(mtls.subject().len() <= Mtls::MAX_NAME_BYTES);
    assert_eq!(mtls.issuer(), "CN=Example CA");
    assert_eq!(mtls.sha256_fingerprint().len(), 64);
    let whole_seconds = |at: Timestamp| at.as_secs();
    assert_eq!(
        whole_seconds(mtls.not_after()),
        whole_seconds(samples::NOW + 365 * DAY)
    );
    assert_eq!(
        whole_seconds(mtls.not_before()),
        whole_seconds(samples::NOW - DAY)
    );
}

/// The value that `openssl x509 -fingerprint -sha256` shows.
#[test]
fn the_fingerprint_is_that_of_the_certificate_in_der() {
    let (_, certificate, key) = PAIRS[6];
    let (mtls, read) = read(certificate, key).unwrap();
    let hash = ring_sha256(&read.chain()[0]);
    assert_eq!(mtls.sha256_fingerprint(), hash);
}

fn ring_sha256(der: &[u8]) -> String {
    use std::fmt::Write as _;
    let hash = ring::digest::digest(&ring::digest::SHA256, der);
    hash.as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_is_a_panic(certificate in "\\PC{0,200}|(-----(BEGIN|END) CERTIFICATE-----\n?|[A-Za-z0-9+/=\n]{0,60}){0,8}", key in "(-----(BEGIN|END) (EC |RSA |)PRIVATE KEY-----\n?|[A-Za-z0-9+/=\n]{0,60}){0,8}") {
        prop_assert!(read(&certificate, &key).is_err());
        let (_, good, good_key) = PAIRS[2];
        let _ = read(&certificate, good_key);
        let _ = read(good, &key);
    }

    /// Changed or cut certificates are refused, or have a changed part that nobody reads, such as
    /// the signature.
    #[test]
    fn a_changed_certificate_is_no_panic(at in 0_usize..2_000, bit in 0_u8..8, cut in 0_usize..2_000, which in 0..PAIRS.len()) {
        let (_, certificate, key) = PAIRS[which];
        let (_, good) = read(certificate, key).unwrap();
        let mut der = good.chain()[0].clone();
        let at = at % der.len();
        der[at] ^= 1 << bit;
        let changed = read(&pem("CERTIFICATE", &der), key);
        if let Ok((mtls, _)) = changed {
            prop_assert!(mtls.subject().len() <= Mtls::MAX_NAME_BYTES);
        }
        der.truncate(cut % der.len());
        prop_assert!(read(&pem("CERTIFICATE", &der), key).is_err());
    }

    #[test]
    fn a_changed_key_is_no_panic(at in 0_usize..2_000, bit in 0_u8..8, cut in 0_usize..2_000, which in 0..PAIRS.len()) {
        let (_, certificate, key) = PAIRS[which];
        let (_, good) = read(certificate, key).unwrap();
        let mut der = good.key().der().to_vec();
        let at = at % der.len();
        der[at] ^= 1 << bit;
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            let _ = read(certificate, &pem(label, &der));
        }
        der.truncate(cut % der.len());
        prop_assert!(read(certificate, &pem("PRIVATE KEY", &der)).is_err());
    }

    #[test]
    fn no_stored_form_is_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(read) = ClientCertificate::from_stored(&bytes) {
            prop_assert_eq!(read.to_stored(), bytes);
        }
    }
}

const FIELDS: &str = r#"{"url":"https://example.com/hook","eventTypes":["*"]}"#;

#[test]
fn a_certificate_is_sealed_with_its_key_and_shown_by_its_summary() {
    let stage = ManagedSubscription::create(FIELDS);
    let before = stage.stored().size_bytes();
    let issued = issue("webhooks");
    let updated = stage.update(&issued.change()).unwrap();
    assert_eq!(updated.changed_fields(), ["authentication"]);
    assert_eq!(mtls(&stage).subject(), "CN=webhooks");
    let stored = stage.stored();
    let sealed = stored.authentication.clone().unwrap();
    let (_, expected) = read(&issued.certificate, &issued.private_key).unwrap();
    // A nonce of 12 bytes and a tag of 16 bytes.
    assert_eq!(sealed.sealed.len(), expected.to_stored().len() + 28);
    assert!(stored.size_bytes() > before + sealed.sealed.len());
    let opened = stage.manage.vault.open_credential(&sealed, &stored);
    let opened = opened.now_or_never().unwrap().unwrap();
    assert_eq!(opened.certificate(), Some(&expected));
    assert_eq!((opened.header(), opened.secret()), (None, None));
    // The same again changes nothing.
    let again = stage.update(&issued.change()).unwrap();
    assert_eq!(again.subscription.version, stored.version);
}

#[test]
fn a_certificate_that_is_not_valid_now_is_refused() {
    let authority = ClientAuthority::new("Example CA");
    let now = samples::NOW;
    for (not_before, not_after, problem) in [
        (
            now - 2 * DAY,
            now - DAY,
            "authentication: certificate: must be valid now, expired at 2023-11-13T22:13:20.000Z",
        ),
        (
            now + DAY,
            now + 2 * DAY,
            "authentication: certificate: must be valid now, begins at 2023-11-15T22:13:20.000Z",
        ),
    ] {
        let stage = ManagedSubscription::create(FIELDS);
        let issued = authority.issue("webhooks", not_before, not_after);
        let refused = stage.update(&issued.change()).unwrap_err();
        assert_eq!(refused.to_string(), problem);
        assert_eq!(stage.stored(), stage.created);
    }
}

/// Other fields can be changed after its end, and the certificate stays.
#[test]
fn the_end_of_a_certificate_blocks_no_other_change() {
    let authority = ClientAuthority::new("Example CA");
    let stage = ManagedSubscription::create(FIELDS);
    let issued = authority.issue("webhooks", samples::NOW - DAY, samples::NOW + DAY);
    stage.update(&issued.change()).unwrap();
    stage.backend.set_now(samples::NOW + 2 * DAY);
    stage.update(r#"{"description":"d"}"#).unwrap();
    assert_eq!(mtls(&stage).subject(), "CN=webhooks");
}

/// Development networks permit plain http.
#[test]
fn plain_http_has_no_client_certificate() {
    let networks = "127.0.0.0/8".parse().unwrap();
    let local = |text| EndpointUrl::parse(text, &networks).unwrap();
    let issued = issue("webhooks");
    let given = Credential::client_certificate(&issued.certificate, &issued.private_key);
    let given = given.unwrap();
    let refused = given
        .authentication()
        .check_url(&local("http://127.0.0.1:3030/"));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "`mtls` requires a `url` with the scheme https, because plain http has no certificate"
    );
    let accepted = given
        .authentication()
        .check_url(&local("https://127.0.0.1:3030/"));
    assert_eq!(accepted, Ok(()));
}

#[test]
fn another_origin_clears_a_certificate_that_is_not_given() {
    let issued = issue("webhooks");
    let moved = |fields: serde_json::Value| {
        let stage = ManagedSubscription::create(FIELDS);
        stage.update(&issued.change()).unwrap();
        let updated = stage.update(&fields.to_string()).unwrap();
        let is_cleared = updated.cleared_authentication().is_some();
        (is_cleared, stage.stored().authentication.is_some())
    };
    let url = "https://example.org/";
    assert_eq!(moved(json!({"url": url})), (true, false));
    let given = json!({"url": url, "authentication": issued.fields()});
    assert_eq!(moved(given), (false, true));
    let same = json!({"url": "https://example.com/other"});
    assert_eq!(moved(same), (false, true));
}

/// A writer of the table cannot show one certificate and send another.
#[test]
fn a_sealed_key_opens_only_with_its_summary() {
    let stages = ["one", "two"].map(|name| {
        let stage = ManagedSubscription::create(FIELDS);
        stage.update(&issue(name).change()).unwrap();
        stage
    });
    let [one, two] = stages
        .each_ref()
        .map(webhooks_testkit::ManagedSubscription::stored);
    let mixed = SealedCredential {
        authentication: two.authentication.unwrap().authentication,
        ..one.authentication.clone().unwrap()
    };
    let vault = &stages[0].manage.vault;
    let open = |sealed: &SealedCredential| {
        let opened = vault.open_credential(sealed, &one);
        opened.now_or_never().unwrap().is_ok()
    };
    assert!(open(&one.authentication.clone().unwrap()));
    assert!(!open(&mixed));
}

fn id(
    customer: &CustomerId,
    subscription: &SubscriptionId,
    url: &EndpointUrl,
    certificate: &ClientCertificate,
) -> IdentityId {
    ClientIdentity::new(customer, subscription, url, certificate.clone()).id()
}

/// Connections are shared by id.
#[test]
fn an_identity_is_of_one_subscription_origin_and_certificate() {
    let (_, one) = read(PAIRS[0].1, PAIRS[0].2).unwrap();
    let (_, two) = read(PAIRS[2].1, PAIRS[2].2).unwrap();
    let (acme, other) = (samples::customer("acme"), samples::customer("other"));
    let [first, second] = [1, 2].map(samples::subscription_id);
    let url = samples::url("https://example.com/a");
    let base = id(&acme, &first, &url, &one);
    assert_eq!(
        base,
        id(
            &acme,
            &first,
            &samples::url("https://example.com/b?c"),
            &one
        )
    );
    for different in [
        id(&other, &first, &url, &one),
        id(&acme, &second, &url, &one),
        id(&acme, &first, &url, &two),
        id(
            &acme,
            &first,
            &samples::url("https://example.com:8443/a"),
            &one,
        ),
        id(&acme, &first, &samples::url("https://example.org/a"), &one),
    ] {
        assert_ne!(base, different);
    }
}

#[test]
fn no_debug_form_shows_the_key() {
    let issued = issue("webhooks");
    let credential = Credential::client_certificate(&issued.certificate, &issued.private_key);
    let certificate = credential.as_ref().unwrap().certificate().unwrap().clone();
    let identity = ClientIdentity::new(
        &samples::customer("acme"),
        &samples::subscription_id(1),
        &samples::url("https://example.com/"),
        certificate.clone(),
    );
    let texts = format!("{credential:?} {identity:?}");
    let key = format!("{:?}", &certificate.key().der()[30..40]);
    let key = key.trim_matches(['[', ']']);
    assert!(texts.contains("CN=webhooks"), "{texts}");
    assert!(!texts.contains(key), "{texts}");
}
