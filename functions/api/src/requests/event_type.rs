//! Requests about an event type.

use std::fmt::Display;

use serde_json::value::RawValue;
use webhooks_api_types as api;
use webhooks_domain::catalogue::{
    Deprecation, Description, Documentation, Example, Examples, Group, Schema, TypeName, Validation,
};
use webhooks_domain::fields::FieldError;
use webhooks_domain::ports::{CompileError, SchemaCompiler};

use super::parsed;

/// Converts a request to the fields of an event type. A schema that checks events must also be
/// [compiled](check_schema).
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn documentation(request: api::NewEventType) -> Result<Documentation, FieldError> {
    let schema = parsed("schema", request.schema, |json| Schema::parse(json.get()))?;
    let validation = validation(request.validation.unwrap_or_default());
    if schema.is_none() && !validation.is_off() {
        let problem = format!("{} needs a schema", validation.as_str());
        return Err(FieldError::new("validation", problem));
    }
    Ok(Documentation {
        description: parsed("description", request.description, Description::try_from)?,
        group: parsed("group", request.group, Group::try_from)?,
        schema,
        validation,
        examples: parsed("examples", request.examples, |list| examples(&list))?.unwrap_or_default(),
        deprecation: parsed("deprecated", request.deprecated, deprecation)?,
    })
}

/// Checks that a schema can check events, if it is to do so. Any other schema is kept as it is.
///
/// # Errors
/// If it cannot, or if the compiler does not start.
pub(crate) fn check_schema(
    documentation: &Documentation,
    compiler: &impl SchemaCompiler,
) -> Result<(), CompileError> {
    let Some(schema) = &documentation.schema else {
        return Ok(());
    };
    if documentation.validation.is_off() {
        return Ok(());
    }
    compiler.compile(schema).map(|_| ())
}

fn validation(validation: api::Validation) -> Validation {
    match validation {
        api::Validation::Off => Validation::Off,
        api::Validation::Warn => Validation::Warn,
        api::Validation::Refuse => Validation::Refuse,
    }
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
    use axum::http::StatusCode;
    use axum::response::IntoResponse as _;
    use webhooks_domain::catalogue::Finding;
    use webhooks_domain::ports::{CompiledSchema, CompilerNotStarted};
    use webhooks_schema::JsonSchemas;

    use super::*;
    use crate::body;
    use crate::problem::Problem;

    /// The status of the answer.
    fn status(refused: CompileError) -> StatusCode {
        Problem::from(refused).into_response().status()
    }

    fn read(body: &str) -> Result<Documentation, FieldError> {
        documentation(body::read(body.as_bytes())?)
    }

    /// A compiler without memory.
    struct NeverStarts;

    impl SchemaCompiler for NeverStarts {
        type Compiled = Nothing;

        fn compile(&self, _: &Schema) -> Result<Nothing, CompileError> {
            let failure = std::io::Error::from(std::io::ErrorKind::OutOfMemory);
            Err(CompilerNotStarted(failure).into())
        }
    }

    struct Nothing;

    impl CompiledSchema for Nothing {
        fn size_bytes(&self) -> usize {
            0
        }

        fn check(&self, _: &str) -> Result<(), Finding> {
            Ok(())
        }
    }

    #[test]
    fn a_compiler_that_does_not_start_is_our_failure_and_not_that_of_the_schema() {
        let with = |validation: &str| {
            read(&format!(
                r#"{{"schema": {{}}, "validation": "{validation}"}}"#
            ))
            .unwrap()
        };
        assert!(check_schema(&with("off"), &NeverStarts).is_ok());
        let refused = check_schema(&with("warn"), &NeverStarts).unwrap_err();
        assert_eq!(status(refused), StatusCode::SERVICE_UNAVAILABLE);
        assert!(check_schema(&with("warn"), &JsonSchemas).is_ok());
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
    fn a_schema_is_checked_only_if_it_checks_events() {
        let schema = r#"{"$ref": "https://example.com/order.json"}"#;
        let with = |validation: &str| {
            read(&format!(
                r#"{{"schema": {schema}, "validation": "{validation}"}}"#
            ))
        };
        let check = |validation: &str| check_schema(&with(validation).unwrap(), &JsonSchemas);
        assert!(check("off").is_ok());
        let refused = check("warn").unwrap_err();
        assert_eq!(status(refused), StatusCode::UNPROCESSABLE_ENTITY);
        let wrong = r#"{"validation":"warn","schema":{"properties":{"a":{"type":"text"}}}}"#;
        let refused = check_schema(&read(wrong).unwrap(), &JsonSchemas).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "at `/properties/a/type`: \"text\" is not valid under any of the schemas listed in the 'anyOf' keyword"
        );
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
                r#"{"validation":"refuse"}"#,
                "validation: refuse needs a schema",
            ),
            (
                r#"{"validation":"on"}"#,
                "validation: must be one of `off`, `warn`, `refuse`",
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
