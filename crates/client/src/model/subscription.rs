//! Subscriptions and their secrets.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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

impl fmt::Display for SubscriptionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        })
    }
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
    /// What a body holds: `standard`, `detail` or `event`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_format: Option<String>,
    /// How long one attempt may take, if not as the stack says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// The most webhooks a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit_per_second: Option<u32>,
    /// The most requests at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// Names and values for the customer's own use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// The current secret and then the old ones, without what signs.
    pub secrets: Vec<SecretSummary>,
    /// Whether it is sent to.
    pub status: SubscriptionStatus,
    /// Why the system has disabled it: `endpointGone` or `failing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// Since when it is disabled; RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<String>,
    /// How its endpoint fares, where it is not well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Counts its changes; what `If-Match` takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC.
    pub updated_at: String,
}

/// How an endpoint fares. All are RFC 3339, UTC.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Since when every attempt has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
    /// Until when nothing is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_open_until: Option<String>,
    /// Since when its attempts take long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_since: Option<String>,
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

/// A new subscription with its secret.
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

/// The new secret of a subscription.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotatedSecret {
    /// `whsec_…` or `whsk_…`
    pub secret: String,
    /// `whpk_…`, when the secret is `whsk_…`.
    pub public_key: Option<String>,
}

/// The secrets that sign now.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveSecrets {
    /// The current one first.
    pub secrets: Vec<ActiveSecret>,
}

/// A secret that signs now.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveSecret {
    /// Counts the secrets of the subscription, from 1.
    pub version: u32,
    /// `v1` or `v1a`.
    pub kind: String,
    /// `whsec_…` or `whsk_…`
    pub secret: String,
    /// `whpk_…`, when the secret is `whsk_…`.
    pub public_key: Option<String>,
    /// Until when an old one signs, RFC 3339, UTC. The current one has no end.
    pub expires_at: Option<String>,
}
