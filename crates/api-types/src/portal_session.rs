//! Sessions of the portal.

use serde::{Deserialize, Serialize};

use crate::WholeNumber;
use crate::nullable::not_null;

/// A kind of actions in the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PortalCapability {
    /// See subscriptions, their state, and the outcomes of deliveries. Every session may.
    View,
    /// See the bodies of webhooks, and the answers of endpoints.
    Payloads,
    /// Create, change, pause, enable and delete subscriptions, and send tests.
    Manage,
    /// See and replace signing secrets.
    Secrets,
    /// Send deliveries again, one or many.
    Resend,
}

/// A session for somebody at the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"capabilities": ["view", "manage", "resend"], "expiresInSeconds": 3600})))]
pub struct NewPortalSession {
    /// The permitted actions. `view` is always permitted.
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub capabilities: Vec<PortalCapability>,
    /// The duration of the session. By default an hour.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = u32, required = false, minimum = 60, maximum = 86_400)
    )]
    pub expires_in_seconds: Option<WholeNumber>,
    /// The page of your application to which the portal leads after the session. Its origin must be
    /// one of the stack's parameter `PortalReturnUrls`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = String, required = false, max_length = 1_024, pattern = "^https://")
    )]
    pub return_url: Option<String>,
}

/// A new session, with its link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedPortalSession {
    /// The id of the session.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "pse_019ab3f0c2d17c6e5d4c3b2a19080706")
    )]
    pub id: String,
    /// The link. It opens the session once, until `urlExpiresAt`. Treat it as a password.
    pub url: String,
    /// The time until which the link can be used: 5 minutes.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub url_expires_at: String,
    /// The end of the session.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub expires_at: String,
}

/// A session that has not ended, without anything that gives access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PortalSession {
    /// The id of the session.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "pse_019ab3f0c2d17c6e5d4c3b2a19080706")
    )]
    pub id: String,
    /// The customer.
    #[cfg_attr(feature = "openapi", schema(example = "cust_1001"))]
    pub customer_id: String,
    /// The permitted actions.
    pub capabilities: Vec<PortalCapability>,
    /// The page to which the portal leads after the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// The ARN of the caller who asked for it, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// The time at which it was made.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub created_at: String,
    /// The time at which its link was used, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub entered_at: Option<String>,
    /// The end of the session.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub expires_at: String,
}
