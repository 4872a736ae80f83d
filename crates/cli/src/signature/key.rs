//! The keys with which a receiver verifies.

use anyhow::{Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use ring::signature::{ED25519, UnparsedPublicKey};
use standardwebhooks::Webhook;
use webhooks_domain::signing::{PublicKey, Secret};

use crate::input::SecretText;

/// A secret or a public key. It is never shown.
pub(crate) enum Key {
    /// `whsec_…`
    V1(Webhook),
    /// `whpk_…`, given or derived from `whsk_…`.
    V1a(PublicKey),
}

impl Key {
    /// Reads `whsec_…`, `whpk_…` or `whsk_…`.
    ///
    /// # Errors
    /// Explains what is wrong without showing the secret.
    pub(crate) fn parse(secret: &SecretText) -> Result<Self> {
        let text = secret.expose().trim();
        if let Some(base64) = text.strip_prefix("whpk_") {
            let bytes = BASE64_STANDARD.decode(base64).unwrap_or_default();
            let Ok(bytes) = bytes.try_into() else {
                bail!(
                    "the public key must be `whpk_` and base64 of {} bytes",
                    PublicKey::BYTES
                );
            };
            return Ok(Self::V1a(PublicKey::from_bytes(bytes)));
        }
        let secret: Secret = match text.parse() {
            Ok(secret) => secret,
            Err(error) if text.starts_with("whs") => bail!("the secret {error}"),
            Err(_) => bail!("the secret must begin with `whsec_` (v1), `whpk_` or `whsk_` (v1a)"),
        };
        match secret.public_key() {
            Some(public_key) => Ok(Self::V1a(public_key)),
            None => Ok(Self::V1(Webhook::new(text)?)),
        }
    }

    /// Returns the version of its signatures.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::V1(_) => "v1",
            Self::V1a(_) => "v1a",
        }
    }

    /// Returns true if a signature is valid for this content and key.
    pub(super) fn signs(&self, id: &str, seconds: i64, body: &[u8], signature: &[u8]) -> bool {
        match self {
            // A comparison in constant time is not needed: nobody can try signatures against
            // this program.
            Self::V1(webhook) => webhook.sign(id, seconds, body).is_ok_and(|expected| {
                expected == format!("v1,{}", BASE64_STANDARD.encode(signature))
            }),
            Self::V1a(key) => {
                let content = [format!("{id}.{seconds}.").as_bytes(), body].concat();
                UnparsedPublicKey::new(&ED25519, key.as_bytes())
                    .verify(&content, signature)
                    .is_ok()
            }
        }
    }
}
