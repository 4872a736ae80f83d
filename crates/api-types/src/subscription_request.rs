//! Requests about subscriptions and their secrets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::nullable::not_null;
use crate::{
    Filter, NewAuthentication, Nullable, PayloadFormat, RequestMethod, RetryPolicy, SecretKind,
    Transform, WholeNumber,
};

/// Changes to a map, name by name: `null` removes a name.
pub type MapPatch = BTreeMap<String, Option<String>>;

/// The fields to change, as a merge patch (RFC 7396): what is absent stays, `null` removes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"status": "paused", "headers": {"x-api-key": null}})))]
pub struct SubscriptionPatch {
    /// Absolute, `https`, of a public host name. Stored in canonical form.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(
            value_type = String,
            required = false,
            format = "uri",
            max_length = 2048,
            example = "https://example.com/webhooks"
        )
    )]
    pub url: Option<String>,
    /// Exact types, everything below a prefix (`order.*`), or `*`. Replaced as a whole.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Vec<EventTypePattern>, required = false, inline, min_items = 1, max_items = 50)
    )]
    pub event_types: Option<Vec<String>>,
    /// Replaced as a whole.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Filter>))]
    pub filter: Nullable<Filter>,
    /// A note for people, without control characters.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 512))]
    pub description: Nullable<String>,
    /// Sent with each request: at most 20, names of 1 to 64 and values of at most 2,048
    /// printable ASCII characters, 4,096 bytes together. Merged header by header; `null` removes
    /// one.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<BTreeMap<String, Option<String>>>, example = json!({"x-api-key": "k3y"}))
    )]
    pub headers: Nullable<MapPatch>,
    /// As `headers`, but encrypted, and never shown. The limits apply to both together, and a name
    /// is in one of them. A change of the scheme, host or port of `url` removes those that the same
    /// request does not give.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<BTreeMap<String, Option<String>>>, example = json!({"authorization": "Bearer …"}))
    )]
    pub secret_headers: Nullable<MapPatch>,
    /// The authentication of each request. Replaced as a whole. A change of the scheme, host or port
    /// of `url` removes it, if the same request does not give it.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<NewAuthentication>))]
    pub authentication: Nullable<NewAuthentication>,
    /// The content of a webhook's body. A delivery keeps the format with which it was prepared.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = PayloadFormat, required = false)
    )]
    pub payload_format: Option<PayloadFormat>,
    /// JSON pointers to the fields of the event's detail that a body has. Required with the format
    /// `fields`, and only then. Replaced as a whole.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 100, example = json!(["/order/id"]))
    )]
    pub payload_fields: Nullable<Vec<String>>,
    /// The template of a body. Required with the format `transform`, and only then. Replaced as a
    /// whole.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Transform>))]
    pub transform: Nullable<Transform>,
    /// The content type of each request, with no parameter but `charset=utf-8`. Default: that of the
    /// format.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<String>, max_length = 128, example = "text/plain")
    )]
    pub content_type: Nullable<String>,
    /// The method of each request.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = RequestMethod, required = false)
    )]
    pub method: Option<RequestMethod>,
    /// Added to the URL of each request: at most 5, names of 1 to 64 and values of at most 256
    /// bytes. They are not secret, and none may be in `url` too. Replaced as a whole.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<BTreeMap<String, String>>, example = json!({"channel": "orders"}))
    )]
    pub query_parameters: Nullable<BTreeMap<String, String>>,
    /// For people and your own code; never sent. At most 20, names of 1 to 64 and values of at
    /// most 256 characters. Merged name by name; `null` removes one.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<BTreeMap<String, Option<String>>>, example = json!({"team": "blue"}))
    )]
    pub metadata: Nullable<MapPatch>,
    /// The time limit of one request, in seconds. At most the stack's
    /// `RequestTimeoutSeconds`.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<u32>, minimum = 1, maximum = 30)
    )]
    pub timeout_seconds: Nullable<WholeNumber>,
    /// The most webhooks a second. Further deliveries wait, and this uses up no attempt.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<u32>, minimum = 1, maximum = 200)
    )]
    pub rate_limit_per_second: Nullable<WholeNumber>,
    /// The most requests at once. Further deliveries wait, and this uses up no attempt.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<u32>, minimum = 1, maximum = 50)
    )]
    pub max_in_flight: Nullable<WholeNumber>,
    /// Default: the stack's policy.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<RetryPolicy>))]
    pub retry_policy: Nullable<RetryPolicy>,
    /// An existing secret. By default a new subscription gets a new secret of kind `v1`. In a
    /// change, this secret replaces all secrets of the subscription at once.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = SecretText, required = false)
    )]
    pub secret: Option<String>,
    /// `paused` holds new deliveries.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = WantedStatus, required = false)
    )]
    pub status: Option<WantedStatus>,
    /// The fate of the deliveries that were held, with the status `active`. Default: `send`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = HeldFate, required = false)
    )]
    pub held: Option<HeldFate>,
}

/// A new subscription: the fields of a change, of which `url` and `eventTypes` are required.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NewSubscription(pub SubscriptionPatch);

/// The status that a request may give a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WantedStatus {
    /// Deliveries are sent.
    Active,
    /// Deliveries are held.
    Paused,
}

/// The fate of the deliveries that were held while a subscription was not active.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum HeldFate {
    /// A recovery sends them, the oldest first.
    #[default]
    Send,
    /// They stay held.
    Keep,
    /// A recovery cancels them.
    Discard,
}

/// No body, or `{}`, takes every default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"held": "send"})))]
pub struct Enable {
    /// The fate of the deliveries that were held meanwhile. Default: `send`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = HeldFate, required = false)
    )]
    pub held: Option<HeldFate>,
}

/// No body, or `{}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Nothing {}

/// No body, or `{}`, takes every default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"eventType": "order.created"})))]
pub struct Test {
    /// The type of the event, without control characters. Its first example in the catalogue is sent,
    /// if there is one.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(
            value_type = String,
            required = false,
            min_length = 1,
            max_length = 128,
            default = "webhook.test"
        )
    )]
    pub event_type: Option<String>,
}

/// `{}` takes every default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"overlapSeconds": 86400})))]
pub struct Rotation {
    /// The seconds for which the previous secret still signs. With 0 it ends at once.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = u32, required = false, minimum = 0, maximum = 604_800, default = 86_400)
    )]
    pub overlap_seconds: Option<WholeNumber>,
    /// Default: the kind of `secret`, or else of the current secret.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = SecretKind, required = false)
    )]
    pub kind: Option<SecretKind>,
    /// An existing secret that does not sign yet. Default: a new secret.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = SecretText, required = false)
    )]
    pub secret: Option<String>,
}

/// The schemas that cannot be derived.
#[cfg(feature = "openapi")]
mod schemas {
    use std::borrow::Cow;

    use serde_json::json;
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::Schema;
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    use utoipa::{PartialSchema, ToSchema};

    use super::{NewSubscription, SubscriptionPatch};

    impl PartialSchema for NewSubscription {
        fn schema() -> RefOr<Schema> {
            let mut schema = SubscriptionPatch::schema();
            if let RefOr::T(Schema::Object(object)) = &mut schema {
                object.description = Some("A new subscription.".to_owned());
                object.properties.shift_remove("held");
                object.required = ["url", "eventTypes"].map(str::to_owned).into();
                object.example = Some(json!({
                    "url": "https://example.com/webhooks", "eventTypes": ["order.*", "invoice.paid"],
                }));
            }
            schema
        }
    }

    impl ToSchema for NewSubscription {
        fn name() -> Cow<'static, str> {
            "NewSubscription".into()
        }

        fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
            SubscriptionPatch::schemas(schemas);
        }
    }

    /// A text that is more than a string.
    macro_rules! text {
        ($name:ident, $object:expr) => {
            pub(super) struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    $object.schema_type(Type::String).into()
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        };
    }

    text!(
        EventTypePattern,
        ObjectBuilder::new()
            .description(Some("A type, or `prefix.*`, or `*`."))
            .min_length(Some(1))
            .max_length(Some(128))
            .pattern(Some(r"^(\*|[^*\u0000-\u001f\u007f-\u009f]+(\.\*)?)$"))
            .examples([json!("order.*")])
    );
    text!(
        SecretText,
        ObjectBuilder::new()
            .description(Some(
                "`whsec_` and base64 of 24 to 64 bytes, or `whsk_` and base64 of an ed25519 key of 64 bytes.",
            ))
            .pattern(Some("^whs(ec|k)_[A-Za-z0-9+/]+=*$"))
            .examples([json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")])
    );
}
#[cfg(feature = "openapi")]
use schemas::{EventTypePattern, SecretText};
