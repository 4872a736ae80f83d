//! The fields of a JSON body, and their errors.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::members::Members;

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

/// The fields of a body, by name.
pub(crate) fn fields(body: &[u8]) -> Result<BTreeMap<String, Box<RawValue>>, FieldError> {
    let text = str::from_utf8(body)
        .map_err(|error| FieldError::new("body", format!("must be JSON: {error}")))?;
    let Members(members) = serde_json::from_str(text)
        .map_err(|error| FieldError::new("body", not_an_object(&error)))?;
    let mut fields = BTreeMap::new();
    for (name, value) in members {
        let name = name.to_string_lossy().into_owned();
        if fields.contains_key(&name) {
            return Err(FieldError::new(&name, "is named twice"));
        }
        fields.insert(name, value.to_owned());
    }
    Ok(fields)
}

/// One field of the body, by name.
pub(crate) struct Field<'a> {
    name: &'a str,
    pub(crate) json: &'a str,
}

impl<'a> Field<'a> {
    pub(crate) fn new(name: &'a str, value: &'a RawValue) -> Self {
        Self {
            name,
            json: value.get(),
        }
    }

    pub(crate) fn error(&self, problem: impl Display) -> FieldError {
        FieldError::new(self.name, problem)
    }

    pub(crate) fn unknown(&self, known: &str) -> FieldError {
        self.error(format!("is not a field; the fields are {known}"))
    }

    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, FieldError> {
        serde_json::from_str(self.json).map_err(|error| self.error(without_position(&error)))
    }

    pub(crate) fn text(&self) -> Result<String, FieldError> {
        serde_json::from_str(self.json).map_err(|_| self.error("must be a string"))
    }
}

/// The position of a parse error. The parser's own message would repeat the input.
fn not_an_object(error: &serde_json::Error) -> String {
    format!(
        "must be a JSON object, see line {}, column {}",
        error.line(),
        error.column()
    )
}

/// The text of a JSON error without ` at line 1 column 9`, because the position counts within the
/// field.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((problem, _)) => problem.to_owned(),
        None => text,
    }
}
