//! The first two levels of an event. They are read once, because most pointers lead through them.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::EventError;
use crate::members::Members;

/// The members of an event and of its `detail`.
pub(super) struct EventMembers<'a> {
    pub(super) envelope: Members<'a>,
    pub(super) detail: Members<'a>,
}

impl<'a> EventMembers<'a> {
    /// Reads an event.
    pub(super) fn read(json: &'a str) -> Result<Self, EventError> {
        // First checks the grammar of the whole event. Names are read as bytes, and there
        // `serde_json` accepts control characters that JSON forbids.
        let envelope: Members = serde_json::from_str::<IgnoredAny>(json)
            .and_then(|_| serde_json::from_str(json))
            .map_err(|error| EventError::NotAnEvent {
                line: error.line(),
                column: error.column(),
            })?;
        let detail = envelope.get("detail").map_or("", RawValue::get);
        let detail = serde_json::from_str(detail).map_err(|_| EventError::DetailNotAnObject)?;
        Ok(Self { envelope, detail })
    }
}
