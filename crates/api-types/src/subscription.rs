//! Subscriptions and their secrets, as they are shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::RawValue;

use crate::{Authentication, AuthenticationType, Filter, Recovery, RetryPolicy, Transform};

/// The status of a subscription. Only the system sets `disabled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SubscriptionStatus {
    /// Deliveries are sent.
    Active,
    /// New deliveries are held until it is active again, or somebody resends or recovers them.
    Paused,
    /// As paused: the endpoint is gone, or has failed for too long.
    Disabled,
}

/// Why the system has disabled a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DisabledReason {
    /// The endpoint answered 410.
    EndpointGone,
    /// Everything has failed for longer than the stack allows.
    Failing,
}

/// The content of a webhook's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PayloadFormat {
    /// `{"type", "timestamp", "data"}`
    Standard,
    /// The event's detail.
    Detail,
    /// The whole event.
    Event,
    /// `{"type", "timestamp", "data"}`, where `data` has the ids of message and customer and, if the
    /// stack has a template for it, a link.
    Thin,
    /// `CloudEvents` 1.0 in structured mode.
    CloudEvents,
    /// `{"type", "timestamp", "data"}`, where `data` has the `payloadFields` of the event's detail.
    Fields,
    /// The `transform`'s result.
    Transform,
}

impl PayloadFormat {
    /// All formats.
    pub const ALL: [Self; 7] = [
        Self::Standard,
        Self::Detail,
        Self::Event,
        Self::Thin,
        Self::CloudEvents,
        Self::Fields,
        Self::Transform,
    ];
}

/// The HTTP method of a subscription's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RequestMethod {
    /// The default.
    #[default]
    Post,
    /// For a receiver that takes nothing else.
    Put,
    /// For a receiver that takes nothing else.
    Patch,
}

impl RequestMethod {
    /// Returns true for the default.
    pub fn is_post(&self) -> bool {
        *self == Self::Post
    }
}

/// The kind of a secret: HMAC-SHA256 or ed25519.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SecretKind {
    /// HMAC-SHA256.
    V1,
    /// ed25519.
    V1a,
}

/// A subscription: all but its secrets' private parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Subscription {
    /// The subscription's id.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "sub_70e79b2df96dcca5a0a362236c8d86f4")
    )]
    pub id: String,
    /// Its customer.
    #[cfg_attr(feature = "openapi", schema(example = "cust_1001"))]
    pub customer_id: String,
    /// In canonical form.
    #[cfg_attr(feature = "openapi", schema(example = "https://example.com/webhooks"))]
    pub url: String,
    /// Exact types, everything below a prefix (`order.*`), or `*`.
    #[cfg_attr(feature = "openapi", schema(example = json!(["order.*", "invoice.paid"])))]
    pub event_types: Vec<String>,
    /// An EventBridge pattern that selects some of these events. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// The content of a webhook's body.
    pub payload_format: PayloadFormat,
    /// JSON pointers to the fields of the event's detail that a body has, with the format `fields`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false, example = json!(["/order/id"])))]
    pub payload_fields: Vec<String>,
    /// The template of a body, with the format `transform`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transform>,
    /// The content type of each request. Default: that of the format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "text/plain"))]
    pub content_type: Option<String>,
    /// The method of each request. Default: `POST`.
    #[serde(default, skip_serializing_if = "RequestMethod::is_post")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub method: RequestMethod,
    /// Added to the URL of each request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false, example = json!({"channel": "orders"})))]
    pub query_parameters: BTreeMap<String, String>,
    /// A note for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Your own; shown only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Sent with each request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The names of the secret headers, which are sent with each request too. No answer has their
    /// values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false, example = json!(["authorization"])))]
    pub secret_headers: Vec<String>,
    /// The names of the secret headers that this request has removed, because it changed the
    /// scheme, host or port of `url` and did not give them. Only in the answer to such a request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub cleared_secret_headers: Vec<String>,
    /// The authentication of each request, without its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// The type of the authentication that this request has removed, because it changed the scheme,
    /// host or port of `url` and did not give it. Only in the answer to such a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared_authentication: Option<AuthenticationType>,
    /// Without one, as the stack says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// The most webhooks a second. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit_per_second: Option<u64>,
    /// The most requests at once. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u64>,
    /// Without one, as the stack says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
    /// The current one first.
    pub secrets: Vec<SecretSummary>,
    /// `paused` and `disabled` hold new deliveries.
    pub status: SubscriptionStatus,
    /// Why the system has disabled it, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<DisabledReason>,
    /// Since when the system has disabled it, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub disabled_at: Option<String>,
    /// The health of its endpoint, unless it is well.
    #[serde(default, skip_serializing_if = "EndpointHealth::is_well")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub health: EndpointHealth,
    /// The recovery that sends or discards the deliveries that were held. Only in the answer to a
    /// request that makes the subscription active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Box<Recovery>>,
    /// Event types that this request has added and that are not in the event catalogue. Only in the
    /// answer to such a request, and only if the catalogue has any type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub warnings: Vec<Warning>,
    /// The number of its current version, from 1. The same as the `ETag`.
    pub version: u64,
    /// When it was created.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub created_at: String,
    /// When it was last changed.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub updated_at: String,
}

/// A value of a request that was accepted, and is probably a mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Warning {
    /// The field.
    #[cfg_attr(feature = "openapi", schema(example = "eventTypes"))]
    pub field: String,
    /// The value.
    #[cfg_attr(feature = "openapi", schema(example = "order.creatd"))]
    pub value: String,
    /// The value that was probably meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "order.created"))]
    pub nearest: Option<String>,
    /// The problem, for people.
    pub detail: String,
}

/// The health of an endpoint that is not well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EndpointHealth {
    /// Since when every attempt has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub failing_since: Option<String>,
    /// The time since which the circuit breaker is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub circuit_open_since: Option<String>,
    /// No attempt begins before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub circuit_open_until: Option<String>,
    /// Since when its attempts take long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub slow_since: Option<String>,
    /// Since when deliveries are held because the endpoint is unavailable. They are sent once it
    /// answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub holding_since: Option<String>,
}

impl EndpointHealth {
    /// Returns true if no problem of the endpoint is known.
    pub fn is_well(&self) -> bool {
        *self == Self::default()
    }
}

/// A secret without its private part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretSummary {
    /// The number of the secret in this subscription, from 1.
    pub version: u32,
    /// Its signature algorithm.
    pub kind: SecretKind,
    /// `whpk_…`, of kind `v1a`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// The time at which a previous secret stops signing. Absent for the current secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub expires_at: Option<String>,
}

/// A new secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewSecret {
    /// `whsec_…`, or `whsk_…` of kind `v1a`.
    pub secret: String,
    /// `whpk_…`, of kind `v1a`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

/// A new subscription with its secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedSubscription {
    /// The subscription.
    #[serde(flatten)]
    pub subscription: Subscription,
    /// `whsec_…`, or `whsk_…` of kind `v1a`.
    pub secret: String,
    /// `whpk_…`, of kind `v1a`.
    #[serde(rename = "publicKey", skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

/// Reads the parts one after the other: `serde(flatten)` would read them from a copy that does
/// not keep the text of a filter.
impl<'de> Deserialize<'de> for CreatedSubscription {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        let subscription = serde_json::from_str(json.get()).map_err(D::Error::custom)?;
        let NewSecret { secret, public_key } =
            serde_json::from_str(json.get()).map_err(D::Error::custom)?;
        Ok(Self {
            subscription,
            secret,
            public_key,
        })
    }
}

/// A secret that signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActiveSecret {
    /// The number of the secret in this subscription, from 1.
    pub version: u32,
    /// Its signature algorithm.
    pub kind: SecretKind,
    /// `whsec_…`, or `whsk_…` of kind `v1a`.
    pub secret: String,
    /// `whpk_…`, of kind `v1a`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// The time at which a previous secret stops signing. Absent for the current secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub expires_at: Option<String>,
}

/// All secrets that sign, the current one first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActiveSecrets {
    /// The current one first.
    pub secrets: Vec<ActiveSecret>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_subscription_is_read_with_the_text_of_its_filter() {
        let json = r#"{"id":"sub_1","customerId":"c","url":"https://a.example/","eventTypes":["*"],
            "filter":{"a":[12345678901234567890.10]},"payloadFormat":"standard","secrets":[],
            "status":"active","version":1,"createdAt":"","updatedAt":"","secret":"whsec_x"}"#;
        let created: CreatedSubscription = serde_json::from_str(json).unwrap();
        assert_eq!(created.secret, "whsec_x");
        let filter = created.subscription.filter.unwrap();
        assert_eq!(filter.as_json(), r#"{"a":[12345678901234567890.10]}"#);
    }
}
