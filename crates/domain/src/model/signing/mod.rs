//! Signing secrets, and the signature of a request (Standard Webhooks 1.0.0).
//!
//! A [`Secret`] has one of two kinds. `v1` signs with HMAC-SHA256, and the receiver has the same
//! secret. `v1a` signs with ed25519, and the receiver has the [`PublicKey`]. A subscription has
//! [`SealedSecrets`]: a current one, and old ones that sign until they expire.

mod ed25519;
mod sealed;
mod secret;
mod signature;
mod symmetric;

pub use ed25519::{Ed25519Key, PublicKey};
pub use sealed::{Overlap, SealedSecret, SealedSecrets, TooManySecrets};
pub use secret::{Secret, SecretError, SecretKind};
pub use signature::signature_header;
pub use symmetric::SymmetricSecret;
