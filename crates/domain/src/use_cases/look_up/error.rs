//! The errors of a look-up.

use crate::errors;
use crate::event::EventError;
use crate::message::PayloadError;
use crate::ports::StoreError;

/// The reason why the look-up failed.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// The event is not valid.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The payload that the workflow passed back cannot be read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

impl LookUpError {
    /// The error name with which the workflow fails.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Event(error) => error.error_type(),
            Self::Store(StoreError::Unavailable { .. }) => errors::STORE_UNAVAILABLE,
            Self::Store(StoreError::Corrupt { .. }) => errors::CORRUPT_ITEM,
            Self::Payload(_) => errors::INVALID_INPUT,
        }
    }
}
