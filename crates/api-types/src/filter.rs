//! Filters of subscriptions.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An EventBridge pattern over the payload: at most 2,048 bytes, 16 deep, 64 fields.
/// What is not known of the pattern language is refused.
// It keeps the text as it came, digit by digit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = Object, example = json!({"order": {"total": [{"numeric": [">", 100]}]}})))]
pub struct Filter(Box<RawValue>);

impl Filter {
    /// A filter with this JSON text.
    ///
    /// # Errors
    /// When the text is not JSON.
    pub fn from_json(json: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(json).map(Self)
    }

    /// The JSON text.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for Filter {}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

/// Whether a filter matches an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FilterTestResult {
    /// Whether a subscription with this filter and a matching event type gets it.
    pub matches: bool,
}
