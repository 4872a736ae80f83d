//! Requests for recoveries.

use serde::{Deserialize, Serialize};

use crate::nullable::not_null;
use crate::{UndeliveredStatus, WholeNumber};

/// The deliveries to resend.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"since": "2026-11-23T00:00:00Z", "statuses": ["failed"], "dryRun": true})))]
pub struct Recover {
    /// Deliveries that were created at this time or later.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub since: String,
    /// Deliveries that were created before this time. The default, and the latest value, is now.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required = false, format = DateTime))]
    pub until: Option<String>,
    /// Default: both.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Vec<UndeliveredStatus>, required = false, min_items = 1, max_items = 2)
    )]
    pub statuses: Option<Vec<UndeliveredStatus>>,
    /// The number of attempts to queue per second.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = u32, required = false, minimum = 1, maximum = 100, default = 10)
    )]
    pub per_second: Option<WholeNumber>,
    /// Only count.
    #[serde(default, skip_serializing_if = "is_false")]
    #[cfg_attr(feature = "openapi", schema(required = false, default = false))]
    pub dry_run: bool,
}

/// The messages to send for the first time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"since": "2026-11-23T00:00:00Z", "perSecond": 50})))]
pub struct Replay {
    /// Messages that came at this time or later.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub since: String,
    /// Messages that came before this time. The default, and the latest value, is now.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required = false, format = DateTime))]
    pub until: Option<String>,
    /// The number of attempts to queue per second.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = u32, required = false, minimum = 1, maximum = 100, default = 10)
    )]
    pub per_second: Option<WholeNumber>,
    /// Only count.
    #[serde(default, skip_serializing_if = "is_false")]
    #[cfg_attr(feature = "openapi", schema(required = false, default = false))]
    pub dry_run: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(flag: &bool) -> bool {
    !flag
}
