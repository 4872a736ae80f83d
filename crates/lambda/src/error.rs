//! Errors that a function returns to its caller.

use lambda_runtime::Diagnostic;

use crate::with_sources;

/// An error with a fixed name that the state machine handles.
#[derive(Debug)]
pub struct FunctionError {
    error_type: &'static str,
    message: String,
}

impl FunctionError {
    /// Creates an error with one of the names in [`webhooks_domain::errors`]. Its text includes
    /// the whole chain of sources.
    pub fn new(error_type: &'static str, error: &dyn std::error::Error) -> Self {
        Self {
            error_type,
            message: with_sources(error),
        }
    }
}

impl From<FunctionError> for Diagnostic {
    fn from(error: FunctionError) -> Self {
        Self {
            error_type: error.error_type.to_owned(),
            error_message: error.message,
        }
    }
}
