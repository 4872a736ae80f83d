//! A client certificate and its private key, given by a customer.

use webhooks_domain::outbound::authentication::{ClientCertificate, Mtls};
use webhooks_testkit::client_certificates::{ENCRYPTED_KEYS, PAIRS, UNUSABLE_PAIRS};

use crate::law::check_law;
use crate::near::near;

const TOKENS: &[&str] = &[
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----END PRIVATE KEY-----\n",
    "MIIB",
    "\r\n",
    "=",
    "ü",
    "\0",
];

#[test]
fn laws_hold() {
    let pairs = || PAIRS.iter().chain(&UNUSABLE_PAIRS);
    let certificates = near(pairs().map(|(_, certificate, _)| *certificate), TOKENS);
    let keys = pairs().map(|(_, _, key)| *key).chain(ENCRYPTED_KEYS);
    check_law!((certificates, near(keys, TOKENS)), |(certificate, key)| {
        match ClientCertificate::from_pem(certificate, key) {
            Ok((mtls, read)) => {
                assert!((1..=ClientCertificate::MAX_CERTIFICATES).contains(&read.chain().len()));
                assert!(mtls.subject().len() <= Mtls::MAX_NAME_BYTES);
                assert!(mtls.issuer().len() <= Mtls::MAX_NAME_BYTES);
                assert!(mtls.not_before() < mtls.not_after());
                let stored = read.to_stored();
                assert!(stored.len() < certificate.len() + key.len());
                assert_eq!(ClientCertificate::from_stored(&stored), Some(read));
            }
            Err(error) => {
                let words = error.to_string();
                let mut lines = key.lines().filter(|line| line.len() > 30);
                assert!(!lines.any(|line| words.contains(line)), "{words}");
            }
        }
    });
}
