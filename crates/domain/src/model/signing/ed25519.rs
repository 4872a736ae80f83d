//! Secrets of kind `v1a`: an ed25519 key, whose public half the receiver has.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _, Signature};

use super::SecretError;

/// An ed25519 key for signing.
pub struct Ed25519Key {
    seed: [u8; Self::SEED_BYTES],
    pair: Ed25519KeyPair,
}

impl Ed25519Key {
    const SEED_BYTES: usize = 32;
    /// The length of the seed and the public half together, in bytes.
    pub const BYTES: usize = Self::SEED_BYTES + PublicKey::BYTES;

    /// A new key, from the system's random source.
    pub(super) fn generate(random: &SystemRandom) -> Self {
        let mut seed = [0; Self::SEED_BYTES];
        random
            .fill(&mut seed)
            .expect("the system's random source answers once the process runs");
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed is 32 bytes");
        Self { seed, pair }
    }

    /// A key from the seed followed by the public half.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        if bytes.len() != Self::BYTES {
            return Err(SecretError::KeyLength { len: bytes.len() });
        }
        let (seed, public_key) = bytes.split_at(Self::SEED_BYTES);
        Self::from_halves(seed, public_key)
    }

    /// A key from its seed and its public half, which must belong together.
    pub(super) fn from_halves(seed: &[u8], public_key: &[u8]) -> Result<Self, SecretError> {
        let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public_key)
            .map_err(|_| SecretError::Halves)?;
        let seed = seed.try_into().map_err(|_| SecretError::Halves)?;
        Ok(Self { seed, pair })
    }

    pub(super) fn seed(&self) -> &[u8] {
        &self.seed
    }

    pub(super) fn public_key(&self) -> PublicKey {
        let bytes = self.pair.public_key().as_ref();
        PublicKey(bytes.try_into().expect("a public key is 32 bytes"))
    }

    pub(super) fn sign(&self, content: &[u8]) -> Signature {
        self.pair.sign(content)
    }
}

/// The public half of an ed25519 key, `whpk_` and base64. Receivers verify with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; Self::BYTES]);

impl PublicKey {
    /// The length, in bytes.
    pub const BYTES: usize = 32;

    /// From its bytes.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "whpk_{}", BASE64_STANDARD.encode(self.0))
    }
}
