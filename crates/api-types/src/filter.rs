//! Filters of subscriptions.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An EventBridge pattern over the payload: at most 2,048 bytes, 16 deep, 64 fields.
/// Unknown parts of the pattern language are refused.
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

/// A filter and an event to try it on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({
    "filter": {"order": {"total": [{"numeric": [">", 100]}]}},
    "event": {"detail-type": "order.created", "detail": {"order": {"total": 120}}},
})))]
pub struct FilterTest {
    /// The filter.
    pub filter: Filter,
    /// The event.
    pub event: Event,
}

/// An event as `EventBridge` gives it. Of its fields only `detail` counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Box<RawValue>>")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// An object.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub detail: Box<RawValue>,
}

/// A map first, because a list is no event.
impl TryFrom<BTreeMap<String, Box<RawValue>>> for Event {
    type Error = &'static str;

    fn try_from(mut event: BTreeMap<String, Box<RawValue>>) -> Result<Self, &'static str> {
        let detail = event.remove("detail");
        let detail = detail.filter(|detail| detail.get().starts_with('{'));
        let detail = detail.ok_or("must have a `detail` that is a JSON object")?;
        Ok(Self { detail })
    }
}

/// The result of a filter test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FilterTestResult {
    /// True if a subscription with this filter and a matching event type gets the event.
    pub matches: bool,
}
