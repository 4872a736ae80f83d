//! The places of an event's fields.

use std::str::FromStr;

use serde_json::value::RawValue;

use super::members::EventMembers;
use crate::members::Members;

/// An RFC 6901 JSON pointer over the whole event, such as `/detail/customerId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPointer {
    pub(super) text: String,
    first: String,
    rest: Vec<String>,
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
        let mut segments = rest.split('/').map(unescape);
        let first = segments.next().unwrap_or_default();
        Ok(Self {
            text: text.to_owned(),
            first,
            rest: segments.collect(),
        })
    }
}

impl JsonPointer {
    /// The raw text of the value at the pointer.
    pub(super) fn resolve<'a>(&self, event: &EventMembers<'a>) -> Option<&'a str> {
        let (value, rest) = match self.rest.split_first() {
            Some((second, rest)) if self.first == "detail" => (event.detail.get(second)?, rest),
            _ => (event.envelope.get(&self.first)?, self.rest.as_slice()),
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
