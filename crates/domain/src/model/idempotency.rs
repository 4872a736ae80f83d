//! Idempotent creation: a request that is repeated creates one subscription.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::ids::{CustomerId, SubscriptionId};
use crate::timestamp::Timestamp;

/// The client's name for one request: 1 to 255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdempotencyKey(String);

/// The text is not an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {max} printable ASCII characters", max = IdempotencyKey::MAX_BYTES)]
pub struct IdempotencyKeyError;

impl IdempotencyKey {
    /// The largest length.
    pub const MAX_BYTES: usize = 255;

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = IdempotencyKeyError;

    fn from_str(text: &str) -> Result<Self, IdempotencyKeyError> {
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if printable && (1..=Self::MAX_BYTES).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdempotencyKeyError)
        }
    }
}

/// Distinguishes the content of one request from that of another. It is a part of a keyed hash, so
/// that the content cannot be guessed from it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; Self::BYTES]);

impl Fingerprint {
    /// Its length.
    pub const BYTES: usize = 16;

    /// A stored digest, from [`as_bytes`](Self::as_bytes).
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

/// Shows nothing of the request.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

/// The identity of a request.
pub struct Once<'a> {
    /// The client's name for it.
    pub key: IdempotencyKey,
    /// Its content, which may contain secrets.
    pub content: &'a [u8],
}

/// The record of an idempotency key: the subscription that its request has created. It is written
/// with the subscription, and is valid until it expires or the subscription is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// The customer.
    pub customer_id: CustomerId,
    /// The key.
    pub key: IdempotencyKey,
    /// The fingerprint of the request's content.
    pub content: Fingerprint,
    /// The created subscription.
    pub subscription: SubscriptionId,
    /// The time at which it expires. Then it counts as absent.
    pub expires_at: Timestamp,
}

impl IdempotencyRecord {
    /// The time for which a request can be repeated.
    pub const KEPT: Duration = Duration::from_hours(7 * 24);

    /// The record of a request that creates a subscription now.
    pub fn new(
        customer: &CustomerId,
        key: &IdempotencyKey,
        content: Fingerprint,
        subscription: SubscriptionId,
        now: Timestamp,
    ) -> Self {
        Self {
            customer_id: customer.clone(),
            key: key.clone(),
            content,
            subscription,
            expires_at: now + Self::KEPT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_printable() {
        for good in ["k", "a b~!", &"x".repeat(255)] {
            assert!(good.parse::<IdempotencyKey>().is_ok(), "{good}");
        }
        for bad in ["", "é", "a\tb", "\x7f", &"x".repeat(256)] {
            assert!(bad.parse::<IdempotencyKey>().is_err(), "{bad:?}");
        }
    }
}
