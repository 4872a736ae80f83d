//! The errors of fields.

use std::fmt::Display;

/// A field of a request that is missing or not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// The field's name, or `body` for the whole body.
    pub field: String,
    /// The problem with it, and the limit.
    pub problem: String,
}

impl FieldError {
    /// An error of this field.
    pub fn new(field: &str, problem: impl Display) -> Self {
        Self {
            field: field.to_owned(),
            problem: problem.to_string(),
        }
    }

    /// The error of a missing field.
    pub fn required(field: &str) -> Self {
        Self::new(field, "is required")
    }
}
