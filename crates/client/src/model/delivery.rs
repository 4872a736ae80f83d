//! Deliveries and their attempts.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryStatus {
    /// An attempt is due, now or later.
    Pending,
    /// The subscription is paused.
    Held,
    /// An attempt was answered with 200 to 299.
    Succeeded,
    /// All attempts failed, or the endpoint is gone.
    Failed,
    /// Nobody wants it any more.
    Cancelled,
}

impl DeliveryStatus {
    /// Whether no attempt will follow of itself.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for DeliveryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}

/// One message owed to one subscription.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// `dlv_…`
    pub id: String,
    /// The message.
    pub message_id: String,
    /// The subscription.
    pub subscription_id: String,
    /// Whose event it is.
    pub customer_id: String,
    /// The event's `detail-type`.
    pub event_type: String,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// Why it ended as it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// When the next attempt is due, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<String>,
    /// How many attempts were made before it was last sent again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub earlier_attempts: u32,
    /// What its body holds: `standard`, `detail` or `event`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_format: Option<String>,
    /// The body that is signed, when it alone was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Why there is no body, when it alone was asked for: what of its message cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_problem: Option<String>,
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands it over like this"
)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum AttemptOutcome {
    /// Answered with 200 to 299.
    Succeeded,
    /// Answered with another status.
    HttpError,
    /// No whole answer within the deadline.
    TimedOut,
    /// No connection, or it broke.
    Unreachable,
    /// The address policy refused the endpoint.
    Blocked,
}

impl fmt::Display for AttemptOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Succeeded => "succeeded",
            Self::HttpError => "http error",
            Self::TimedOut => "timed out",
            Self::Unreachable => "unreachable",
            Self::Blocked => "blocked",
        })
    }
}

/// One HTTP request made for a delivery.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it started, RFC 3339, UTC, milliseconds.
    pub at: String,
    /// How long it took.
    pub duration_ms: u64,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The HTTP status, when there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong, when there was no whole answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The addresses that were dialled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// A few headers of the answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub response_headers: BTreeMap<String, String>,
    /// The start of the answer's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_excerpt: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_read_as_the_api_writes_it() {
        let delivery: Delivery = serde_json::from_str(
            r#"{"id": "dlv_1", "messageId": "msg_1", "subscriptionId": "sub_1", "customerId": "c",
                "eventType": "order.created", "status": "pending",
                "createdAt": "2026-01-01T00:00:00.000Z", "nextAttemptAt": "2026-01-01T00:00:05.000Z",
                "attempts": [{"number": 1, "at": "2026-01-01T00:00:00.000Z", "durationMs": 12,
                              "outcome": "httpError", "status": 500, "responseExcerpt": "no"}]}"#,
        )
        .unwrap();
        assert_eq!(delivery.status, DeliveryStatus::Pending);
        assert_eq!(delivery.attempts[0].outcome, AttemptOutcome::HttpError);
        assert_eq!(delivery.attempts[0].status, Some(500));
    }
}
