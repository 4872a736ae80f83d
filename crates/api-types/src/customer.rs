//! Customers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::nullable::not_null;
use crate::{MapPatch, Nullable, WholeNumber};

/// A customer that has or had a subscription, or that a request has written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Customer {
    /// The producer's own id of its customer.
    #[cfg_attr(feature = "openapi", schema(example = "cust_1001"))]
    pub id: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Your own; shown only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Its own limit for the number of its subscriptions. By default that of the stack applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_subscriptions: Option<u32>,
    /// The largest number of webhooks a second to all of its subscriptions together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit_per_second: Option<u32>,
    /// The people who are told about its failing endpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
    /// The number of its subscriptions.
    pub subscriptions: u64,
    /// Its deletion, if one was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub deletion: Option<CustomerDeletion>,
    /// The number of its current version, from 1. The same as the `ETag`. Subscriptions do not
    /// change it.
    pub version: u64,
    /// The time of its first subscription, or of the first `PUT` if that was earlier.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub created_at: String,
    /// When its fields were last changed.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub updated_at: String,
}

/// A person who is told about failing endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Contact {
    /// The e-mail address. Its domain is in lower case.
    #[cfg_attr(feature = "openapi", schema(example = "ops@example.com"))]
    pub address: String,
    /// The state of its confirmation.
    pub state: ContactState,
}

/// The state of the confirmation of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ContactState {
    /// Messages are sent to it.
    Confirmed,
}

/// The deletion of a customer and of all its data, which runs every 15 minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CustomerDeletion {
    /// The time of the request.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub requested_at: String,
    /// The number of items that are deleted so far: messages, deliveries, subscriptions and others.
    pub deleted_items: u64,
}

/// A customer as a whole: what is absent is removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"name": "Example Ltd", "metadata": {"plan": "gold"}})))]
pub struct NewCustomer {
    /// For people, without control characters.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = String, required = false, min_length = 1, max_length = 256)
    )]
    pub name: Option<String>,
    /// For people and your own code. At most 20, names of 1 to 64 and values of at most 256
    /// characters.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = BTreeMap<String, String>, required = false)
    )]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Its own limit for the number of its subscriptions, lower or higher than that of the stack.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = u32, required = false, minimum = 1, maximum = 10_000)
    )]
    pub max_subscriptions: Option<WholeNumber>,
    /// The largest number of webhooks a second to all of its subscriptions together. More webhooks
    /// wait.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = u32, required = false, minimum = 1, maximum = 200)
    )]
    pub rate_limit_per_second: Option<WholeNumber>,
    /// The e-mail addresses of the people who are told about its failing endpoints. At most 5, in
    /// ASCII. They count as confirmed.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Vec<String>, required = false, max_items = 5)
    )]
    pub contacts: Option<Vec<String>>,
}

/// The fields to change, as a merge patch (RFC 7396): what is absent stays, `null` removes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"metadata": {"plan": "gold", "trial": null}})))]
pub struct CustomerPatch {
    /// For people, without control characters.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 1, max_length = 256))]
    pub name: Nullable<String>,
    /// For people and your own code. At most 20, names of 1 to 64 and values of at most 256
    /// characters. Merged name by name; `null` removes one.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<BTreeMap<String, Option<String>>>)
    )]
    pub metadata: Nullable<MapPatch>,
    /// Its own limit for the number of its subscriptions, lower or higher than that of the stack.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<u32>, minimum = 1, maximum = 10_000)
    )]
    pub max_subscriptions: Nullable<WholeNumber>,
    /// The largest number of webhooks a second to all of its subscriptions together. More webhooks
    /// wait.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<u32>, minimum = 1, maximum = 200)
    )]
    pub rate_limit_per_second: Nullable<WholeNumber>,
    /// The e-mail addresses of the people who are told about its failing endpoints. At most 5, in
    /// ASCII. They count as confirmed. A list replaces all contacts.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<Vec<String>>, max_items = 5)
    )]
    pub contacts: Nullable<Vec<String>>,
}
