//! Deliveries and their attempts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::PayloadFormat;

/// The status of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DeliveryStatus {
    /// An attempt is due, now or later.
    Pending,
    /// The subscription is paused or disabled, or its endpoint is unavailable.
    Held,
    /// An attempt was answered with 200 to 299.
    Succeeded,
    /// No further attempt is made.
    Failed,
    /// The subscription was deleted, or somebody cancelled it.
    Cancelled,
}

/// The status of an undelivered delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum UndeliveredFilter {
    /// An attempt is due, now or later.
    Pending,
    /// The subscription is paused or disabled, or its endpoint is unavailable.
    Held,
    /// No further attempt is made.
    Failed,
}

impl From<UndeliveredFilter> for DeliveryStatus {
    fn from(status: UndeliveredFilter) -> Self {
        match status {
            UndeliveredFilter::Pending => Self::Pending,
            UndeliveredFilter::Held => Self::Held,
            UndeliveredFilter::Failed => Self::Failed,
        }
    }
}

impl DeliveryStatus {
    /// Returns true if no attempt follows unless somebody resends the delivery.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// Why a delivery exists, or why it is attempted again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DeliveryTrigger {
    /// An event matched the subscription.
    #[default]
    Event,
    /// It had ended or was held, and a user or a recovery resent it.
    Resend,
    /// A replay sends a message that the subscription never got.
    Replay,
    /// A user tests the subscription.
    Test,
}

/// Why a delivery has ended or is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DeliveryReason {
    /// The retry policy has no further attempt.
    AttemptsExhausted,
    /// The endpoint answered 410.
    EndpointGone,
    /// The next attempt would come too late.
    Expired,
    /// It was a test, which is attempted once.
    TestFailed,
    /// The subscription cannot be read.
    SubscriptionUnreadable,
    /// The subscription's transform makes a body that is too large.
    BodyTooLarge,
    /// The subscription was deleted.
    SubscriptionDeleted,
    /// It was held, and then discarded.
    Discarded,
    /// Its message was cancelled.
    Requested,
    /// It is held until its endpoint is available again.
    EndpointUnavailable,
}

/// The outcome of an attempt.
// Its text form is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AttemptOutcome {
    /// Answered with 200 to 299.
    Succeeded,
    /// Answered with another status.
    #[strum(to_string = "http error")]
    HttpError,
    /// No status and headers within the time limit.
    #[strum(to_string = "timed out")]
    TimedOut,
    /// No connection, or it broke.
    Unreachable,
    /// The address is not public.
    Blocked,
    /// No access token was granted.
    #[strum(to_string = "no token")]
    NoToken,
}

/// A delivery, with all its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Delivery {
    /// The delivery's id.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "dlv_9d621ecde980c9e89ef2b0fa0f4cc7e6_70e79b2df96dcca5a0a362236c8d86f4")
    )]
    pub id: String,
    /// Its message.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "msg_9d621ecde980c9e89ef2b0fa0f4cc7e6")
    )]
    pub message_id: String,
    /// Its subscription.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "sub_70e79b2df96dcca5a0a362236c8d86f4")
    )]
    pub subscription_id: String,
    /// The customer of the event.
    #[cfg_attr(feature = "openapi", schema(example = "cust_1001"))]
    pub customer_id: String,
    /// The event's `detail-type`.
    #[cfg_attr(feature = "openapi", schema(example = "order.created"))]
    pub event_type: String,
    /// The content of its body.
    pub payload_format: PayloadFormat,
    /// The reason why it exists, or why it is attempted again.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub trigger: DeliveryTrigger,
    /// Its status.
    pub status: DeliveryStatus,
    /// The reason for the status `failed` or `cancelled`, or for `held` if the endpoint is
    /// unavailable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<DeliveryReason>,
    /// When it was prepared.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub created_at: String,
    /// While it is pending, after a failed attempt or a resend, or while it waits for its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub next_attempt_at: Option<String>,
    /// The number of attempts before the last resend.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub earlier_attempts: u32,
    /// The attempts, in order.
    pub attempts: Vec<Attempt>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A delivery with the body of its requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeliveryWithBody {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// The text that is signed and sent, the same bytes on every attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Why there is no body: what of its message cannot be read, or that it is too long for an
    /// answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_problem: Option<String>,
}

/// One HTTP request made for a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it began.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub at: String,
    /// Its duration in milliseconds.
    pub duration_ms: u64,
    /// Its outcome.
    pub outcome: AttemptOutcome,
    /// The HTTP status, when there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error, such as `connect: connection refused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The address that answered; without an answer, those that were dialled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(example = json!(["203.0.113.10"])))]
    pub addresses: Vec<String>,
    /// `content-type`, `retry-after`, `server` and `x-request-id` of the answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(example = json!({"content-type": "text/plain"})))]
    pub response_headers: BTreeMap<String, String>,
    /// The beginning of the answer's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_excerpt: Option<String>,
    /// The durations of its parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timings: Option<AttemptTimings>,
    /// The request. Only in the answer for one delivery; absent if it is not known any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<AttemptRequest>,
    /// The answer, when there was one. Only in the answer for one delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<AttemptResponse>,
}

/// The durations of the parts of an attempt, in milliseconds. A part that did not take place or did
/// not end is absent: a kept connection has `firstByteMs` only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttemptTimings {
    /// The name resolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_ms: Option<u64>,
    /// The TCP connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<u64>,
    /// The TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ms: Option<u64>,
    /// From the start of the request to the first byte of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u64>,
}

/// The request of an attempt, without its body. Signatures and the values of secret headers are
/// masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttemptRequest {
    /// The method.
    #[cfg_attr(feature = "openapi", schema(example = "POST"))]
    pub method: String,
    /// The URL.
    #[cfg_attr(feature = "openapi", schema(example = "https://example.com/webhooks"))]
    pub url: String,
    /// The headers, but `host`, `content-length` and `accept`.
    #[cfg_attr(feature = "openapi", schema(example = json!({"webhook-signature": "***"})))]
    pub headers: BTreeMap<String, String>,
}

/// The answer to an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttemptResponse {
    /// The HTTP status.
    #[cfg_attr(feature = "openapi", schema(example = 503))]
    pub status: u16,
    /// `content-type`, `retry-after`, `server` and `x-request-id` of the answer.
    pub headers: BTreeMap<String, String>,
    /// The kept part of the body.
    pub body: String,
    /// True if the body is longer than the kept part.
    pub body_truncated: bool,
    /// The number of bytes of the body that were read, at most about 64 KiB.
    pub size_bytes: u64,
}
