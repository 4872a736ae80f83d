//! Bodies of requests, for the document only: [`webhooks_domain::manage`] reads them field by
//! field, so that a problem can name the one that is not valid. A test holds the two together.

#![expect(
    dead_code,
    reason = "nobody makes one: the document is made of their fields"
)]

use std::collections::BTreeMap;

use utoipa::ToSchema;
use webhooks_api_types::{Filter, PayloadFormat, RetryPolicy, SecretKind, UndeliveredStatus};

/// Where a delivery stands that is owed.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum OwedStatus {
    Pending,
    Held,
    Failed,
}

/// What a request may ask a subscription to be.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum WantedStatus {
    Active,
    Paused,
}

/// A new subscription.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"url": "https://example.com/webhooks", "eventTypes": ["order.*", "invoice.paid"]}))]
pub(crate) struct NewSubscription {
    /// Absolute, `https`, of a public host name. Stored in canonical form.
    #[schema(
        format = "uri",
        max_length = 2048,
        example = "https://example.com/webhooks"
    )]
    url: String,
    /// Exact types, everything below a prefix (`order.*`), or `*`.
    #[schema(inline, min_items = 1, max_items = 50)]
    event_types: Vec<EventTypePattern>,
    filter: Option<Filter>,
    /// A note for people, without control characters.
    #[schema(max_length = 512)]
    description: Option<String>,
    /// Sent with each request: at most 20, names of 1 to 64 and values of at most 2,048
    /// printable ASCII characters, 4,096 bytes together. A `null` is no header.
    #[schema(example = json!({"x-api-key": "k3y"}))]
    headers: Option<BTreeMap<String, Option<String>>>,
    /// What the body of a request holds. Fixed for a delivery when it is prepared.
    #[schema(required = false)]
    payload_format: PayloadFormat,
    /// For people and your own code; never sent. At most 20, names of 1 to 64 and values of at
    /// most 256 characters.
    #[schema(example = json!({"team": "blue"}))]
    metadata: Option<BTreeMap<String, Option<String>>>,
    /// How long the endpoint may take for one request. Not more than the stack's
    /// `RequestTimeoutSeconds`.
    #[schema(minimum = 1, maximum = 30)]
    timeout_seconds: Option<u32>,
    /// The most webhooks a second. What is more waits, and uses up no attempt.
    #[schema(minimum = 1, maximum = 200)]
    rate_limit_per_second: Option<u32>,
    /// The most requests at once. What is more waits, and uses up no attempt.
    #[schema(minimum = 1, maximum = 50)]
    max_in_flight: Option<u32>,
    retry_policy: Option<RetryPolicy>,
    /// One that exists already. Without one, a new one of kind `v1`.
    #[schema(required = false)]
    secret: SecretText,
    #[schema(required = false)]
    status: WantedStatus,
}

/// The fields to change, as a merge patch (RFC 7396): what is absent stays, `null` removes.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"status": "paused", "headers": {"x-api-key": null}}))]
pub(crate) struct SubscriptionPatch {
    /// Absolute, `https`, of a public host name. Stored in canonical form.
    #[schema(
        required = false,
        format = "uri",
        max_length = 2048,
        example = "https://example.com/webhooks"
    )]
    url: String,
    /// Exact types, everything below a prefix (`order.*`), or `*`. Replaced as a whole.
    #[schema(required = false, inline, min_items = 1, max_items = 50)]
    event_types: Vec<EventTypePattern>,
    /// Replaced as a whole.
    filter: Option<Filter>,
    /// A note for people, without control characters.
    #[schema(max_length = 512)]
    description: Option<String>,
    /// Merged header by header; `null` removes one.
    #[schema(example = json!({"x-api-key": "k3y"}))]
    headers: Option<BTreeMap<String, Option<String>>>,
    /// What the body of a request holds. Fixed for a delivery when it is prepared.
    #[schema(required = false)]
    payload_format: PayloadFormat,
    /// For people and your own code; never sent. At most 20, names of 1 to 64 and values of at
    /// most 256 characters.
    #[schema(example = json!({"team": null}))]
    metadata: Option<BTreeMap<String, Option<String>>>,
    /// How long the endpoint may take for one request. Not more than the stack's
    /// `RequestTimeoutSeconds`.
    #[schema(minimum = 1, maximum = 30)]
    timeout_seconds: Option<u32>,
    /// The most webhooks a second. What is more waits, and uses up no attempt.
    #[schema(minimum = 1, maximum = 200)]
    rate_limit_per_second: Option<u32>,
    /// The most requests at once. What is more waits, and uses up no attempt.
    #[schema(minimum = 1, maximum = 50)]
    max_in_flight: Option<u32>,
    retry_policy: Option<RetryPolicy>,
    /// Takes the place of all that sign, at once.
    #[schema(required = false)]
    secret: SecretText,
    #[schema(required = false)]
    status: WantedStatus,
}

/// A type, or `prefix.*`, or `*`.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 128,
    pattern = r"^(\*|[^*\u0000-\u001f\u007f-\u009f]+(\.\*)?)$",
    example = "order.*"
)]
pub(crate) struct EventTypePattern(String);

/// `whsec_` and base64 of 24 to 64 bytes, or `whsk_` and base64 of an ed25519 key of 64 bytes.
#[derive(ToSchema)]
#[schema(
    pattern = "^whs(ec|k)_[A-Za-z0-9+/]+=*$",
    example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)]
pub(crate) struct SecretText(String);

/// No body, or `{}`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// No body, or `{}`, takes every default.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"eventType": "order.created"}))]
pub(crate) struct Test {
    /// What the example event says that it is, without control characters.
    #[schema(
        required = false,
        min_length = 1,
        max_length = 128,
        default = "webhook.test"
    )]
    event_type: String,
}

/// A filter and an event to try it on.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "filter": {"order": {"total": [{"numeric": [">", 100]}]}},
    "event": {"detail-type": "order.created", "detail": {"order": {"total": 120}}},
}))]
pub(crate) struct FilterTest {
    filter: Filter,
    event: Event,
}

/// An event as `EventBridge` gives it. Of its fields only `detail` counts.
#[derive(ToSchema)]
pub(crate) struct Event {
    #[schema(value_type = Object)]
    detail: (),
}

/// `{}` takes every default.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"overlapSeconds": 86400}))]
pub(crate) struct Rotation {
    /// How long the secret before signs still. With 0 it ends at once.
    #[schema(required = false, minimum = 0, maximum = 604_800, default = 86_400)]
    overlap_seconds: u64,
    /// Without one, that of `secret`, or else of the current one.
    #[schema(required = false)]
    kind: SecretKind,
    /// One that exists already and does not sign yet. Without one, a new one.
    #[schema(required = false)]
    secret: SecretText,
}

/// What is to be sent again.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"since": "2026-11-23T00:00:00Z", "statuses": ["failed"], "dryRun": true}))]
pub(crate) struct Recover {
    /// Deliveries that were created at this time or later.
    #[schema(format = DateTime)]
    since: String,
    /// Deliveries that were created before this time. Without one, or with a later one, now.
    #[schema(required = false, format = DateTime)]
    until: String,
    /// Without them, both.
    #[schema(required = false, min_items = 1, max_items = 2)]
    statuses: Vec<UndeliveredStatus>,
    /// How many attempts are asked for in a second.
    #[schema(required = false, minimum = 1, maximum = 100, default = 10)]
    per_second: u32,
    /// Only count.
    #[schema(required = false, default = false)]
    dry_run: bool,
}

/// What is to be sent for the first time.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"since": "2026-11-23T00:00:00Z", "perSecond": 50}))]
pub(crate) struct Replay {
    /// Messages that came at this time or later.
    #[schema(format = DateTime)]
    since: String,
    /// Messages that came before this time. Without one, or with a later one, now.
    #[schema(required = false, format = DateTime)]
    until: String,
    /// How many attempts are asked for in a second.
    #[schema(required = false, minimum = 1, maximum = 100, default = 10)]
    per_second: u32,
    /// Only count.
    #[schema(required = false, default = false)]
    dry_run: bool,
}
