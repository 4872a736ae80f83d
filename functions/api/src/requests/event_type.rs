//! Requests about an event type.

use std::fmt::Display;

use serde_json::value::RawValue;
use webhooks_api_types as api;
use webhooks_domain::catalogue::{
    Deprecation, Description, Documentation, Example, Examples, Group, Schema, TypeName,
};
use webhooks_domain::fields::FieldError;

use super::parsed;

/// Converts a request to the fields of an event type.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn documentation(request: api::NewEventType) -> Result<Documentation, FieldError> {
    Ok(Documentation {
        description: parsed("description", request.description, Description::try_from)?,
        group: parsed("group", request.group, Group::try_from)?,
        schema: parsed("schema", request.schema, |json| Schema::parse(json.get()))?,
        examples: parsed("examples", request.examples, |list| examples(&list))?.unwrap_or_default(),
        deprecation: parsed("deprecated", request.deprecated, deprecation)?,
    })
}

fn examples(list: &[Box<RawValue>]) -> Result<Examples, String> {
    let read = list.iter().enumerate().map(|(place, json)| {
        Example::parse(json.get()).map_err(|error| format!("[{place}]: {error}"))
    });
    let read = read.collect::<Result<Vec<_>, _>>()?;
    Examples::try_from(read).map_err(|error| error.to_string())
}

fn deprecation(deprecation: api::Deprecation) -> Result<Deprecation, impl Display> {
    let replaced_by = deprecation.replaced_by;
    let replaced_by = parsed("replacedBy", replaced_by, TypeName::try_from)?;
    Ok::<_, FieldError>(Deprecation { replaced_by })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;

    fn read(body: &str) -> Result<Documentation, FieldError> {
        documentation(body::read(body.as_bytes())?)
    }

    #[test]
    fn schema_and_examples_keep_their_text() {
        let read = read(r#"{"schema": {"maximum": 1.50}, "examples": [{"n": 0.10}, {}]}"#);
        let read = read.unwrap();
        assert_eq!(read.schema.unwrap().as_str(), r#"{"maximum": 1.50}"#);
        let examples: Vec<_> = read.examples.iter().map(Example::as_str).collect();
        assert_eq!(examples, [r#"{"n": 0.10}"#, "{}"]);
    }

    #[test]
    fn the_field_that_is_not_valid_is_named_with_its_bound() {
        let deep = format!(
            r#"{{"schema":{{"a":{}{}}}}}"#,
            "[".repeat(64),
            "]".repeat(64)
        );
        let large = format!(r#"{{"schema":{{"a":"{}"}}}}"#, "x".repeat(32_761));
        let example = format!(r#"{{"examples":[{{}},{{"a":"{}"}}]}}"#, "x".repeat(8_185));
        for (body, error) in [
            ("[]", "body: must be a JSON object, see line 1, column 0"),
            (r#"{"schema":null}"#, "schema: must be a JSON object"),
            (r#"{"schema":true}"#, "schema: must be a JSON object"),
            (&deep, "schema: must be nested at most 64 deep"),
            (&large, "schema: must be at most 32768 bytes, is 32769"),
            (r#"{"examples":{}}"#, "examples: must be a list"),
            (
                r#"{"examples":[{},7]}"#,
                "examples: [1]: must be a JSON object",
            ),
            (
                &example,
                "examples: [1]: must be at most 8192 bytes, is 8193",
            ),
            (
                r#"{"examples":[{},{},{},{}]}"#,
                "examples: must be at most 3, is 4",
            ),
            (
                r#"{"description":""}"#,
                "description: must be 1 to 1024 characters, is 0",
            ),
            (
                r#"{"group":"a\nb"}"#,
                "group: must not contain control characters",
            ),
            (r#"{"deprecated":true}"#, "deprecated: must be an object"),
            (
                r#"{"deprecated":{"replacedBy":"order.*"}}"#,
                "deprecated: replacedBy: event type: in the catalogue '*' is not allowed; the characters are A-Z a-z 0-9 . _ : @ + = | - and space",
            ),
        ] {
            assert_eq!(read(body).unwrap_err().to_string(), error, "{body}");
        }
    }
}
