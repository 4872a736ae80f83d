//! Compiles the JSON Schemas of event types, and checks events by them.
//!
//! The check itself is done by the crate `jsonschema`. Its work for an event has no bound: a schema of
//! a few hundred bytes can make it visit a value exponentially often. So each schema also has a
//! plan, and each check is counted before it is made. A check that would take too many
//! steps is not made.
//!
//! # Guarantees
//!
//! - Nothing but the schema is read: no file, no other document, no network.
//! - Only draft 2020-12 is supported. Every reference leads to a place in the same schema.
//! - Regular expressions have no backtracking, and a bound for their compiled size.
//! - The memory of a compiled schema is bounded, by an upper estimate that is made before it is compiled.
//! - The steps and the depth of a check are bounded, for every schema and every event. So is the memory
//!   of the errors from which the place of a violation is found. Beyond that bound the verdict is the
//!   same, without a finer place.
//! - No text of a [`Finding`] has a value of the event.
//!
//! # Numbers
//!
//! The check reads a whole number as a 64-bit integer if it fits, and any other number as a 64-bit
//! float. It never changes the event, whose text is delivered.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cost;
mod pattern;
mod plan;

#[cfg(test)]
mod bombs;

use std::thread;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError, ValidationOptions, Validator};
use serde_json::Value;
use webhooks_domain::catalogue::{Finding, NotChecked, Place, Schema, SchemaError};
use webhooks_domain::ports::{CompileError, CompiledSchema, CompilerNotStarted, SchemaCompiler};

use crate::plan::Plan;

/// The stack of the thread that compiles. Compilation recurses along references.
const COMPILER_STACK_BYTES: usize = 64 * 1_024 * 1_024;

/// The compiler of JSON Schemas.
#[derive(Debug, Clone, Copy)]
pub struct JsonSchemas;

/// A compiled JSON Schema.
#[derive(Debug)]
pub struct JsonSchema {
    validator: Validator,
    plan: Plan,
}

impl SchemaCompiler for JsonSchemas {
    type Compiled = JsonSchema;

    fn compile(&self, schema: &Schema) -> Result<JsonSchema, CompileError> {
        compile_with_stack(schema, COMPILER_STACK_BYTES)
    }
}

fn compile_with_stack(schema: &Schema, stack_bytes: usize) -> Result<JsonSchema, CompileError> {
    let schema: Value = serde_json::from_str(schema.as_str())
        .map_err(|error| SchemaError::at("", format!("cannot be read: {error}")))?;
    let compilation = thread::Builder::new()
        .stack_size(stack_bytes)
        .spawn(move || compile(&schema))
        .map_err(CompilerNotStarted)?;
    // A panic of the compiler is a schema that it cannot compile.
    match compilation.join() {
        Ok(made) => Ok(made?),
        Err(_) => Err(SchemaError::at("", "cannot be compiled").into()),
    }
}

fn compile(schema: &Value) -> Result<JsonSchema, SchemaError> {
    let plan = Plan::of(schema)?;
    let options = options();
    let validator = options.build(schema).map_err(|error| problem(&error))?;
    Ok(JsonSchema { validator, plan })
}

/// The options of every compilation.
fn options<'i>() -> ValidationOptions<'i> {
    let patterns = PatternOptions::regex()
        .size_limit(pattern::MAX_BYTES)
        .dfa_size_limit(pattern::MAX_LAZY_BYTES);
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(false)
        .with_pattern_options(patterns)
}

/// The problem of a schema. The place is in the schema, which is what was checked.
fn problem(error: &ValidationError) -> SchemaError {
    SchemaError::at(error.instance_path().as_str(), error)
}

impl CompiledSchema for JsonSchema {
    fn size_bytes(&self) -> usize {
        usize::try_from(self.plan.bytes).unwrap_or(usize::MAX)
    }

    fn check(&self, detail: &str) -> Result<(), Finding> {
        let not_checked = Finding::NotChecked;
        let detail: Value =
            serde_json::from_str(detail).map_err(|_| not_checked(NotChecked::Unreadable))?;
        cost::count(&self.plan, &detail).map_err(not_checked)?;
        // The verdict allocates no error.
        if self.validator.is_valid(&detail) {
            return Ok(());
        }
        if cost::count_report(&self.plan, &detail).is_none() {
            return Err(Finding::ViolationSomewhere);
        }
        Err(match self.validator.validate(&detail) {
            Err(error) => violation(&error),
            Ok(()) => Finding::ViolationSomewhere,
        })
    }
}

fn violation(error: &ValidationError) -> Finding {
    let mut rule = error.schema_path().to_string();
    // The name of a missing member is in the schema, and not in the event.
    if let ValidationErrorKind::Required {
        property: Value::String(name),
    } = error.kind()
    {
        rule.push_str(": ");
        rule.push_str(name);
    }
    Finding::Violation {
        path: Place::new(&format!("/detail{}", error.instance_path())),
        rule: Place::new(&rule),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(schema: &str) -> Result<JsonSchema, String> {
        let schema = Schema::parse(schema).unwrap();
        JsonSchemas
            .compile(&schema)
            .map_err(|error| error.to_string())
    }

    fn check(schema: &str, detail: &str) -> Result<(), String> {
        let checked = compiled(schema).unwrap().check(detail);
        checked.map_err(|finding| finding.to_string())
    }

    #[test]
    fn a_violation_has_its_place_and_its_rule_and_no_value() {
        let schema = r##"{
            "type": "object",
            "properties": {
                "total": {"type": "number", "maximum": 10},
                "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
                "id": {"pattern": "^ord_[0-9]+$"},
                "odd": {"anyOf": [{"type": "string"}, {"type": "null"}]}
            },
            "required": ["total"],
            "additionalProperties": false,
            "$defs": {"line": {"properties": {"sku": {"type": "string"}}, "required": ["sku"]}}
        }"##;
        assert_eq!(
            check(schema, r#"{"total": 1, "lines": [{"sku": "a"}]}"#),
            Ok(())
        );
        let broken = |path: &str, rule: &str| {
            let text = "the event breaks the rule";
            Err(format!("at `{path}` {text} `{rule}` of its type's schema"))
        };
        for (detail, path, rule) in [
            (
                r#"{"total": "SECRET"}"#,
                "/detail/total",
                "/properties/total/type",
            ),
            (
                r#"{"total": 4242}"#,
                "/detail/total",
                "/properties/total/maximum",
            ),
            (r"{}", "/detail", "/required: total"),
            (
                r#"{"total": 1, "lines": [{"sku": "a"}, {"sku": 4242}]}"#,
                "/detail/lines/1/sku",
                "/$defs/line/properties/sku/type",
            ),
            (
                r#"{"total": 1, "lines": [{}]}"#,
                "/detail/lines/0",
                "/$defs/line/required: sku",
            ),
            (
                r#"{"total": 1, "id": "SECRET"}"#,
                "/detail/id",
                "/properties/id/pattern",
            ),
            (
                r#"{"total": 1, "odd": 4242}"#,
                "/detail/odd",
                "/properties/odd/anyOf",
            ),
            (
                r#"{"total": 1, "SECRET": 1}"#,
                "/detail",
                "/additionalProperties",
            ),
        ] {
            assert_eq!(check(schema, detail), broken(path, rule), "{detail}");
        }
    }

    #[test]
    fn a_schema_that_cannot_be_checked_by_is_refused_with_its_place() {
        for (schema, error) in [
            (r#"{"type": "objekt"}"#, "at `/type`: "),
            (
                r#"{"properties": {"a": {"minimum": "1"}}}"#,
                "at `/properties/a/minimum`: ",
            ),
            (
                r#"{"$schema": "http://json-schema.org/draft-07/schema#"}"#,
                "at `/$schema`: must be https://json-schema.org/draft/2020-12/schema",
            ),
            (
                r#"{"properties": {"a": {"$ref": "https://example.com/a.json"}}}"#,
                "at `/properties/a/$ref`: must begin with `#`: a schema refers only to itself",
            ),
            (
                r#"{"$ref": "file:///etc/passwd"}"#,
                "at `/$ref`: must begin with `#`",
            ),
            (
                r##"{"$ref": "#/$defs/none"}"##,
                "at `/$ref`: leads to no schema",
            ),
            (
                r##"{"$ref": "#"}"##,
                "at ``: leads to itself without a step into the event",
            ),
            (
                r##"{"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}}"##,
                "at `/$defs/a/not`: leads to itself without a step into the event",
            ),
            (
                r#"{"$defs": {"a": {"$id": "https://example.com/a"}}}"#,
                "at `/$defs/a/$id`: is allowed only at the root",
            ),
            (
                r##"{"$dynamicRef": "#node"}"##,
                "at `/$dynamicRef`: is not supported",
            ),
            (r#"{"pattern": "(?=a)b"}"#, "at `/pattern`: "),
            (r#"{"pattern": "(a)\\1"}"#, "at `/pattern`: "),
            (
                r#"{"pattern": "^([a-z]{1,50}[0-9]){1,50}$"}"#,
                "at `/pattern`: ",
            ),
        ] {
            let refused = compiled(schema).unwrap_err();
            assert!(refused.starts_with(error), "{schema}: {refused}");
        }
    }

    /// No address space has room for this stack, so the thread does not start.
    #[test]
    fn a_compiler_that_does_not_start_says_nothing_about_the_schema() {
        let schema = Schema::parse("{}").unwrap();
        let failed = compile_with_stack(&schema, 1 << 60).unwrap_err();
        assert!(matches!(failed, CompileError::NotStarted(_)), "{failed}");
        let broken = Schema::parse(r#"{"type": "objekt"}"#).unwrap();
        let refused = JsonSchemas.compile(&broken).unwrap_err();
        assert!(matches!(refused, CompileError::Schema(_)), "{refused}");
    }

    #[test]
    fn ordinary_patterns_fit() {
        for pattern in [
            "^ord_[0-9a-z]{26}$",
            "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
            "^\\\\d{4}-\\\\d{2}-\\\\d{2}T\\\\d{2}:\\\\d{2}:\\\\d{2}(\\\\.\\\\d+)?(Z|[+-]\\\\d{2}:\\\\d{2})$",
            "^[^@\\\\s]+@[^@\\\\s]+\\\\.[^@\\\\s]+$",
            "^[A-Z]{3}$",
            "^(EUR|USD|CHF|GBP|JPY)$",
            "^\\\\w[\\\\w.-]{0,62}$",
            "^https?://",
        ] {
            let schema = format!(r#"{{"pattern": "{pattern}"}}"#);
            if let Err(error) = compiled(&schema) {
                panic!("{pattern}: {error}");
            }
        }
    }

    #[test]
    fn numbers_are_read_as_integers_of_64_bits_or_as_floats() {
        let schema =
            r#"{"properties": {"n": {"type": "integer", "maximum": 18446744073709551615}}}"#;
        for good in ["18446744073709551615", "1.0", "-9223372036854775808"] {
            assert_eq!(
                check(schema, &format!(r#"{{"n": {good}}}"#)),
                Ok(()),
                "{good}"
            );
        }
        assert!(check(schema, r#"{"n": 1.5}"#).is_err());
        let cents = r#"{"properties": {"n": {"multipleOf": 0.01}}}"#;
        assert_eq!(check(cents, r#"{"n": 129.90}"#), Ok(()));
        assert!(check(cents, r#"{"n": 129.901}"#).is_err());
        let huge = check("{}", r#"{"n": 1e400}"#).unwrap_err();
        assert!(huge.ends_with("a number of more than 1.8e308, or is nested more than 127 deep"));
        let deep = format!(r#"{{"n": {}{}}}"#, "[".repeat(127), "]".repeat(127));
        assert_eq!(check("{}", &deep).unwrap_err(), huge);
    }

    #[test]
    fn formats_are_annotations() {
        assert_eq!(
            check(
                r#"{"properties": {"a": {"format": "email"}}}"#,
                r#"{"a": "x"}"#
            ),
            Ok(())
        );
    }
}
