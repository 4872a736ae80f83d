//! Event types in the catalogue.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::nullable::not_null;

/// The effect of a type's schema on its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Validation {
    /// No event is checked.
    #[default]
    Off,
    /// An event that does not match the schema leaves a metric and a log line, and is delivered.
    Warn,
    /// An event that does not match the schema goes to the failed-events queue.
    Refuse,
}

impl Validation {
    /// Returns true if no event is checked.
    pub fn is_off(&self) -> bool {
        *self == Self::Off
    }
}

/// An event type in the catalogue.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventType {
    /// The `detail-type` of its events.
    #[cfg_attr(feature = "openapi", schema(example = "order.created"))]
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The group of types to which it belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "orders"))]
    pub group: Option<String>,
    /// A JSON Schema of the event's `detail`, as it was put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub schema: Option<Box<RawValue>>,
    /// The effect of the schema on events. Default: `off`.
    #[serde(default, skip_serializing_if = "Validation::is_off")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub validation: Validation,
    /// Examples of the event's `detail`, as they were put.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>, required = false))]
    pub examples: Vec<Box<RawValue>>,
    /// The deprecation, if the type should not be used any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub deprecated: Option<Deprecation>,
    /// The number of its current version, from 1. The same as the `ETag`.
    pub version: u64,
    /// When it was first put.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub created_at: String,
    /// When it was last changed.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub updated_at: String,
}

/// An event type in a list: without its schema and its examples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventTypeSummary {
    /// The `detail-type` of its events.
    #[cfg_attr(feature = "openapi", schema(example = "order.created"))]
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The group of types to which it belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "orders"))]
    pub group: Option<String>,
    /// The deprecation, if the type should not be used any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub deprecated: Option<Deprecation>,
    /// The number of its current version, from 1.
    pub version: u64,
}

/// The deprecation of an event type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an object")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deprecation {
    /// The type that replaces it. It need not be in the catalogue.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = String, required = false, example = "order.created.v2")
    )]
    pub replaced_by: Option<String>,
}

/// An event type as a whole: what is absent is removed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({
    "description": "A customer has placed an order.",
    "group": "orders",
    "schema": {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]},
    "examples": [{"total": 120}],
})))]
pub struct NewEventType {
    /// For people, without control characters.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = String, required = false, min_length = 1, max_length = 1024)
    )]
    pub description: Option<String>,
    /// The group of types to which it belongs, such as a part of your product.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = String, required = false, min_length = 1, max_length = 64)
    )]
    pub group: Option<String>,
    /// A JSON Schema (2020-12) of the event's `detail`: an object of at most 32,768 bytes, nested at
    /// most 64 deep. It is kept as it is. `validation` says whether events are checked by it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Object, required = false))]
    pub schema: Option<Box<RawValue>>,
    /// The effect of the schema on events. Default: `off`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Validation, required = false))]
    pub validation: Option<Validation>,
    /// At most 3 examples of the event's `detail`: objects of at most 8,192 bytes each. Tests send the
    /// first one.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Vec<Object>, required = false, max_items = 3)
    )]
    pub examples: Option<Vec<Box<RawValue>>>,
    /// Given if the type should not be used any more.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Deprecation, required = false))]
    pub deprecated: Option<Deprecation>,
}
