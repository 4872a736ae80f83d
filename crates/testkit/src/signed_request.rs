//! Verifies a request as a receiver does. It shares no code with the signing.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};

/// The parts of a request that a signature covers, and the signatures.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// `webhook-id`
    pub id: &'a str,
    /// `webhook-timestamp`; its age is not checked.
    pub timestamp: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
    /// `webhook-signature`
    pub signatures: &'a str,
}

impl SignedRequest<'_> {
    /// Returns true if a receiver with this key, `whsec_…` or `whpk_…`, accepts the request as ours
    /// (Standard Webhooks 1.0.0).
    pub fn verifies_with(&self, key: &str) -> bool {
        let content = [self.id, ".", self.timestamp, "."].concat();
        let content = [content.as_bytes(), self.body].concat();
        let (version, key) = match key.split_once('_') {
            Some(("whsec", key)) => ("v1", key),
            Some(("whpk", key)) => ("v1a", key),
            _ => panic!("not a key that a receiver holds"),
        };
        let key = BASE64_STANDARD.decode(key).expect("a key is base64");
        let entries = self.signatures.split(' ');
        entries
            .filter_map(|entry| entry.split_once(','))
            .filter(|(of_version, _)| *of_version == version)
            .filter_map(|(_, signature)| BASE64_STANDARD.decode(signature).ok())
            .any(|signature| match version {
                "v1" => {
                    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
                    hmac::verify(&key, &content, &signature).is_ok()
                }
                _ => UnparsedPublicKey::new(&ED25519, &key)
                    .verify(&content, &signature)
                    .is_ok(),
            })
    }
}
