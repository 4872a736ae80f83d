//! What the API returns.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One page of a list.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items of this page.
    pub data: Vec<T>,
    /// Where the next page starts. `None` on the last one.
    pub next_cursor: Option<String>,
}

/// Whether a subscription is sent to.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum SubscriptionStatus {
    /// Deliveries are sent.
    Active,
    /// Deliveries are held until the subscription is active again.
    Paused,
    /// The endpoint said that it is gone.
    Disabled,
}

/// A customer's endpoint, and what it is sent.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// `sub_…`
    pub id: String,
    /// Whose subscription it is.
    pub customer_id: String,
    /// Where deliveries are sent, in canonical form.
    pub url: String,
    /// Exact types, `prefix.*` or `*`.
    pub event_types: Vec<String>,
    /// An EventBridge pattern over the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    /// A text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Headers that each request carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// How its deliveries are retried, if not as the stack says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<Value>,
    /// The current secret and then the old ones, without what signs.
    pub secrets: Vec<SecretSummary>,
    /// Whether it is sent to.
    pub status: SubscriptionStatus,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC.
    pub updated_at: String,
}

/// What the API shows of a secret at any time.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretSummary {
    /// Counts the secrets of the subscription, from 1.
    pub version: u32,
    /// `v1` or `v1a`.
    pub kind: String,
    /// `whpk_…`, of one of kind `v1a`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Until when an old one signs, RFC 3339, UTC. The current one has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// A new subscription with its secret, which the API shows this once.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedSubscription {
    /// The subscription.
    #[serde(flatten)]
    pub subscription: Subscription,
    /// `whsec_…` or `whsk_…`
    pub secret: String,
    /// `whpk_…`, when the secret is `whsk_…`.
    pub public_key: Option<String>,
}

/// The new secret of a subscription, which the API shows this once.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotatedSecret {
    /// `whsec_…` or `whsk_…`
    pub secret: String,
    /// `whpk_…`, when the secret is `whsk_…`.
    pub public_key: Option<String>,
}

/// The stack's copy of one event, and what is owed for it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// `msg_…`
    pub id: String,
    /// Whose event it is.
    pub customer_id: String,
    /// The event's `detail-type`.
    pub event_type: String,
    /// When the event happened, RFC 3339.
    pub time: String,
    /// One for each matching subscription.
    pub deliveries: Vec<Delivery>,
}

impl Message {
    /// The delivery owed to a subscription.
    pub fn delivery_to(&self, subscription_id: &str) -> Option<&Delivery> {
        self.deliveries
            .iter()
            .find(|delivery| delivery.subscription_id == subscription_id)
    }
}

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
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
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
