//! Signing secrets, and the signature of a request (Standard Webhooks 1.0.0).

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::ids::MessageId;
use crate::timestamp::Timestamp;

/// The symmetric secret of a subscription: 24 to 64 bytes, `whsec_` and base64.
///
/// Its text leaves only by [`expose`](Self::expose); `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// A text that is no secret. It never repeats what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not `whsec_` and base64.
    #[error("must be `whsec_` followed by base64")]
    Form,
    /// The length is out of bounds.
    #[error(
        "must hold {min} to {max} bytes, holds {len}",
        min = Secret::MIN_BYTES,
        max = Secret::MAX_BYTES
    )]
    Length {
        /// The length that was given, in bytes after base64.
        len: usize,
    },
}

impl Secret {
    const PREFIX: &str = "whsec_";
    const GENERATED_BYTES: usize = 32;
    /// The least length, in bytes (Standard Webhooks 1.0.0).
    pub const MIN_BYTES: usize = 24;
    /// The greatest length, in bytes (Standard Webhooks 1.0.0).
    pub const MAX_BYTES: usize = 64;

    /// A new secret of 32 bytes, from the system's random source.
    pub fn generate(random: &SystemRandom) -> Self {
        let mut bytes = vec![0; Self::GENERATED_BYTES];
        random
            .fill(&mut bytes)
            .expect("the system's random source answers once the process runs");
        Self(bytes)
    }

    /// From its bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SecretError> {
        match bytes.len() {
            Self::MIN_BYTES..=Self::MAX_BYTES => Ok(Self(bytes)),
            len => Err(SecretError::Length { len }),
        }
    }

    /// Its bytes, to seal them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text to show to the customer, once: `whsec_…`.
    pub fn expose(&self) -> String {
        format!("{}{}", Self::PREFIX, BASE64_STANDARD.encode(&self.0))
    }

    /// The v1 signature of a request: `v1,` and base64 of HMAC-SHA256 over
    /// `{id}.{timestamp}.{body}`, the timestamp in whole seconds.
    pub fn sign(&self, id: &MessageId, at: Timestamp, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        sign_v1(&key, &id.to_string(), at.as_secs(), body)
    }
}

/// A secret as the table keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Counts the secrets of one subscription, from 1.
    pub version: u32,
    /// The nonce, then the ciphertext with its tag.
    pub sealed: Vec<u8>,
}

fn sign_v1(key: &hmac::Key, id: &str, timestamp_secs: i64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(format!("{id}.{timestamp_secs}.").as_bytes());
    context.update(body);
    format!("v1,{}", BASE64_STANDARD.encode(context.sign()))
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let base64 = text.strip_prefix(Self::PREFIX).ok_or(SecretError::Form)?;
        let bytes = BASE64_STANDARD
            .decode(base64)
            .map_err(|_| SecretError::Form)?;
        Self::from_bytes(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(serde::Deserialize)]
    struct Vectors {
        v1: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        secret: String,
        id: String,
        timestamp: i64,
        body: String,
        signature: String,
    }

    #[test]
    fn signatures_are_those_of_the_standard_webhooks_libraries() {
        let vectors: Vectors =
            serde_json::from_str(include_str!("../vectors/standard-webhooks.json")).unwrap();
        assert!(!vectors.v1.is_empty());
        for vector in vectors.v1 {
            let secret: Secret = vector.secret.parse().unwrap();
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            let signature = sign_v1(&key, &vector.id, vector.timestamp, vector.body.as_bytes());
            assert_eq!(signature, vector.signature);
        }
    }

    #[test]
    fn secrets_outside_the_bounds_are_refused_and_not_repeated() {
        let text = |len: usize| format!("whsec_{}", BASE64_STANDARD.encode(vec![7; len]));
        assert_eq!(
            text(23).parse::<Secret>(),
            Err(SecretError::Length { len: 23 })
        );
        assert!(text(24).parse::<Secret>().is_ok());
        assert!(text(64).parse::<Secret>().is_ok());
        assert_eq!(
            text(65).parse::<Secret>(),
            Err(SecretError::Length { len: 65 })
        );
        for bad in [
            "",
            "whsec_",
            "whsec_*",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsk_AAAA",
        ] {
            let error = bad.parse::<Secret>().unwrap_err().to_string();
            assert!(
                bad.is_empty() || !error.contains(bad) || bad == "whsec_",
                "{error}"
            );
        }
    }

    #[test]
    fn debug_hides_the_secret() {
        let secret = Secret::generate(&SystemRandom::new());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    proptest! {
        #[test]
        fn a_secret_survives_its_text(bytes in proptest::collection::vec(any::<u8>(), 24..=64)) {
            let secret = Secret::from_bytes(bytes).unwrap();
            prop_assert_eq!(secret.expose().parse::<Secret>().unwrap(), secret);
        }

        #[test]
        fn any_change_changes_the_signature(body in proptest::collection::vec(any::<u8>(), 1..200), at in 0..200_usize) {
            let secret = Secret::from_bytes(vec![7; 32]).unwrap();
            let id = MessageId::from_event_id(&"acme".parse().unwrap(), "e");
            let now = Timestamp::from_millis(1_700_000_000_000);
            let signature = secret.sign(&id, now, &body);
            let mut tampered = body.clone();
            let at = at % body.len();
            tampered[at] ^= 1;
            prop_assert_ne!(&secret.sign(&id, now, &tampered), &signature);
            let later = Timestamp::from_millis(1_700_000_001_000);
            prop_assert_ne!(&secret.sign(&id, later, &body), &signature);
            let other = Secret::from_bytes(vec![8; 32]).unwrap();
            prop_assert_ne!(&other.sign(&id, now, &body), &signature);
        }
    }
}
