//! The reasons why an event is not valid.

use super::{MAX_CARRIED_BYTES, MAX_EVENT_BYTES};
use crate::errors;
use crate::event_type::EventTypeError;
use crate::ids::IdError;

/// The reason why an event is not valid.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// There is no value at the pointer of the customer id.
    #[error("event has no customer id at `{pointer}`")]
    MissingCustomerId {
        /// The pointer.
        pointer: String,
    },
    /// The value at the pointer is not a customer id.
    #[error("event's customer id at `{pointer}` must be a string or a whole number")]
    CustomerIdType {
        /// The pointer.
        pointer: String,
    },
    /// The customer id breaks a limit.
    #[error("event's customer id at `{pointer}` is not valid")]
    CustomerId {
        /// The pointer.
        pointer: String,
        /// The limit that it breaks.
        source: IdError,
    },
    /// No `detail-type`, or an empty one.
    #[error("event has no `detail-type`")]
    MissingEventType,
    /// The `detail-type` breaks a limit.
    #[error("event's `detail-type` is not valid")]
    EventType(#[from] EventTypeError),
    /// No `detail`, or one that is not an object.
    #[error("event's `detail` must be a JSON object")]
    DetailNotAnObject,
    /// Another field is missing or has the wrong form.
    #[error("event's `{field}`: {problem}")]
    Field {
        /// The field.
        field: String,
        /// The problem with it.
        problem: &'static str,
    },
    /// Not a JSON object at all.
    #[error("input is not a JSON object with an event's fields, see line {line}, column {column}")]
    NotAnEvent {
        /// The position of the error. The parser's own message would repeat the input.
        line: usize,
        /// The position of the error.
        column: usize,
    },
    /// Larger than the workflow can carry.
    #[error("event is {size_bytes} bytes, more than {MAX_EVENT_BYTES}")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
    },
    /// Larger than the workflow can carry, even if compressed.
    #[error("event compresses badly, to {size_bytes} bytes of text, more than {MAX_CARRIED_BYTES}")]
    TooLargeCompressed {
        /// The size of its payload in the form in which the workflow carries it.
        size_bytes: usize,
    },
}

impl EventError {
    /// The error name with which the workflow fails.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::MissingCustomerId { .. } => errors::MISSING_CUSTOMER_ID,
            Self::MissingEventType => errors::MISSING_EVENT_TYPE,
            Self::DetailNotAnObject => errors::DETAIL_NOT_AN_OBJECT,
            Self::TooLarge { .. } | Self::TooLargeCompressed { .. } => errors::EVENT_TOO_LARGE,
            Self::NotAnEvent { .. } => errors::INVALID_INPUT,
            Self::CustomerIdType { .. }
            | Self::CustomerId { .. }
            | Self::EventType(_)
            | Self::Field { .. } => errors::INVALID_EVENT,
        }
    }
}
