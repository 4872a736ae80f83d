//! The errors of a look-up.

use crate::catalogue::Finding;
use crate::check_event::CheckError;
use crate::errors;
use crate::event::EventError;
use crate::message::PayloadError;
use crate::ports::{CompilerNotStarted, StoreError};

/// The reason why the look-up failed.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// The event is not valid.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The schema of its type refuses the event.
    #[error(transparent)]
    Refused(Finding),
    /// The check of the event could not be started.
    #[error(transparent)]
    NotStarted(#[from] CompilerNotStarted),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The payload that the workflow passed back cannot be read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

impl From<CheckError> for LookUpError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Store(error) => error.into(),
            CheckError::NotStarted(error) => error.into(),
        }
    }
}

impl LookUpError {
    /// The error name with which the workflow fails.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Event(error) => error.error_type(),
            Self::Refused(Finding::Violation { .. } | Finding::ViolationSomewhere) => {
                errors::SCHEMA_VIOLATION
            }
            Self::Refused(Finding::NotChecked(_)) => errors::EVENT_NOT_CHECKED,
            Self::NotStarted(_) => errors::CHECK_NOT_STARTED,
            Self::Store(StoreError::Unavailable { .. }) => errors::STORE_UNAVAILABLE,
            Self::Store(StoreError::Corrupt { .. }) => errors::CORRUPT_ITEM,
            Self::Payload(_) => errors::INVALID_INPUT,
        }
    }
}
