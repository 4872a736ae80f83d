//! The payload formats of a subscription.

use serde::{Deserialize, Serialize};

/// The content of the body of a delivery's requests.
///
/// A delivery keeps the format with which it was prepared, so its body is the same for every
/// attempt. [`PayloadShape`](crate::payload_shape::PayloadShape) has the rest of what some formats
/// need.
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
    /// As `standard`, with ids and a link instead of the event's `detail`.
    Thin,
    /// `CloudEvents` 1.0 in structured mode.
    CloudEvents,
    /// As `standard`, with the fields of the event's `detail` that the subscription names.
    Fields,
    /// The subscription's own template.
    Transform,
}

impl PayloadFormat {
    /// Returns true for the default, which is not written out.
    pub fn is_standard(&self) -> bool {
        *self == Self::Standard
    }
}
