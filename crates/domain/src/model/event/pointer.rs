//! The places of an event's fields.

use std::str::FromStr;

use serde_json::value::RawValue;

use super::document::Document;
use crate::members::Members;

/// An RFC 6901 JSON pointer over the whole event, such as `/detail/customerId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPointer {
    pub(super) text: String,
    segments: Vec<String>,
}

/// The text is not a JSON pointer to a value inside the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("JSON pointer `{text}`: must start with `/`, as in `/detail/customerId`")]
pub struct JsonPointerError {
    text: String,
}

impl FromStr for JsonPointer {
    type Err = JsonPointerError;

    fn from_str(text: &str) -> Result<Self, JsonPointerError> {
        let rest = text.strip_prefix('/').ok_or_else(|| JsonPointerError {
            text: text.to_owned(),
        })?;
        let unescape = |segment: &str| segment.replace("~1", "/").replace("~0", "~");
        Ok(Self {
            text: text.to_owned(),
            segments: rest.split('/').map(unescape).collect(),
        })
    }
}

impl JsonPointer {
    /// The raw text of the value at the pointer.
    pub(super) fn resolve<'a>(&self, event: &Document<'a>) -> Option<&'a str> {
        let (value, rest) = match self.segments.as_slice() {
            [first, second, rest @ ..] if first == "detail" => (event.detail.get(second)?, rest),
            [first, rest @ ..] => (event.envelope.get(first)?, rest),
            [] => return None,
        };
        rest.iter().try_fold(value.get(), |json, segment| {
            if let Ok(object) = serde_json::from_str::<Members>(json) {
                return object.get(segment).map(RawValue::get);
            }
            let array: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            array
                .get(segment.parse::<usize>().ok()?)
                .map(|value| value.get())
        })
    }
}
