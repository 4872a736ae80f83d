//! In which form a subscription gets its events.

use serde::{Deserialize, Serialize};

/// What the body of a delivery's requests is made of.
///
/// A delivery keeps the one it was prepared with: its body is the same on every attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PayloadFormat {
    /// `{"type","timestamp","data"}` (Standard Webhooks 1.0.0, "Payload structure").
    #[default]
    Standard,
    /// The event's `detail`, byte for byte.
    Detail,
    /// The whole event, byte for byte.
    Event,
}

impl PayloadFormat {
    /// Whether it is the default, which is not written out.
    pub fn is_standard(&self) -> bool {
        *self == Self::Standard
    }
}
