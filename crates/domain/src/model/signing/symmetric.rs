//! Secrets of kind `v1`, which the sender and the receiver share.

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::SecretError;

/// 24 to 64 bytes that the sender and the receiver share.
#[derive(PartialEq, Eq)]
pub struct SymmetricSecret(Vec<u8>);

impl SymmetricSecret {
    const GENERATED_BYTES: usize = 32;
    /// The smallest length, in bytes (Standard Webhooks 1.0.0).
    pub const MIN_BYTES: usize = 24;
    /// The largest length, in bytes (Standard Webhooks 1.0.0).
    pub const MAX_BYTES: usize = 64;

    /// A new secret of 32 bytes, from the system's random source.
    pub(super) fn generate(random: &SystemRandom) -> Self {
        let mut bytes = vec![0; Self::GENERATED_BYTES];
        random
            .fill(&mut bytes)
            .expect("the system's random source answers once the process runs");
        Self(bytes)
    }

    pub(super) fn from_bytes(bytes: Vec<u8>) -> Result<Self, SecretError> {
        match bytes.len() {
            Self::MIN_BYTES..=Self::MAX_BYTES => Ok(Self(bytes)),
            len => Err(SecretError::Length { len }),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn sign(&self, content: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), content)
    }
}
