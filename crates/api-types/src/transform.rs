//! Transforms of payloads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::nullable::not_null;

/// An input transformer as `EventBridge` has it: values of the event, put into a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({
    "paths": {"total": "$.detail.order.total"},
    "template": "{\"text\": \"An order of <total> arrived\"}",
})))]
pub struct Transform {
    /// A path into the event for each name, in dot notation: at most 100.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub paths: BTreeMap<String, String>,
    /// JSON with a placeholder such as `<total>` for each value, or another text with another
    /// content type.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 8192))]
    pub template: String,
}

/// A transform and an event to try it on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({
    "transform": {
        "paths": {"total": "$.detail.order.total"},
        "template": "{\"text\": \"An order of <total> arrived\"}",
    },
    "event": {"detail-type": "order.created", "detail": {"order": {"total": 120}}},
})))]
pub struct TransformTest {
    /// The transform.
    pub transform: Transform,
    /// The content type that decides how values are written. Default: JSON.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = String, required = false, max_length = 128, example = "application/json")
    )]
    pub content_type: Option<String>,
    /// An event as `EventBridge` gives it: an object with a `detail`. Either this or `example` is
    /// required.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Object, required = false))]
    pub event: Option<Box<RawValue>>,
    /// An event type of the catalogue: the event has its first example as the `detail`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required = false))]
    pub example: Option<String>,
}

/// The result of a transform test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TransformTestResult {
    /// The body of a webhook.
    pub body: String,
    /// Its content type.
    #[cfg_attr(feature = "openapi", schema(example = "application/json"))]
    pub content_type: String,
}
