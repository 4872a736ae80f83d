//! Compares a request with the shape in its service's model.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{
    models::{Bounds, Service, Shape},
    violation::{Violation, member},
};

/// Returns the first violation of the operation's input shape.
pub(crate) fn violation(
    service: &Service,
    input: Option<&String>,
    value: &Value,
) -> Option<Violation> {
    let Some(input) = input else {
        let unexpected = value
            .as_object()
            .and_then(|members| members.keys().next())?;
        return Some(Violation::new(unexpected, "unknown member"));
    };
    Check { service }.value(input, value, "").err()
}

struct Check<'a> {
    service: &'a Service,
}

type Checked = Result<(), Violation>;

impl Check<'_> {
    /// Checks a value against a shape, or against a type name without limits.
    fn value(&self, shape: &str, value: &Value, path: &str) -> Checked {
        let no_bounds = Bounds::default();
        match (self.service.shapes.get(shape), shape) {
            (
                Some(Shape::Structure {
                    members,
                    required,
                    payload,
                    ..
                }),
                _,
            ) => {
                let given = object(value, path)?;
                for name in required {
                    let is_payload = payload.as_ref() == Some(name);
                    if !is_payload && given.get(name).is_none_or(Value::is_null) {
                        return Err(Violation::new(member(path, name), "required but missing"));
                    }
                }
                for (name, value) in given {
                    let Some(shape) = members.get(name) else {
                        return Err(Violation::new(member(path, name), "unknown member"));
                    };
                    // A null member counts as missing.
                    if !value.is_null() {
                        self.value(shape, value, &member(path, name))?;
                    }
                }
                Ok(())
            }
            (Some(Shape::List { member, bounds }), _) => {
                let elements = value.as_array().ok_or_else(|| kind("a list", path))?;
                bounded(elements.len(), *bounds, "elements", path)?;
                for (index, element) in elements.iter().enumerate() {
                    self.value(member, element, &format!("{path}[{index}]"))?;
                }
                Ok(())
            }
            (
                Some(Shape::Map {
                    key,
                    value: shape,
                    bounds,
                }),
                _,
            ) => {
                let entries = object(value, path)?;
                bounded(entries.len(), *bounds, "entries", path)?;
                for (name, value) in entries {
                    let path = member(path, name);
                    self.value(key, &Value::String(name.clone()), &path)?;
                    self.value(shape, value, &path)?;
                }
                Ok(())
            }
            (
                Some(Shape::String {
                    bounds,
                    pattern,
                    variants,
                }),
                _,
            ) => {
                let text = text(value, path)?;
                bounded(text.chars().count(), *bounds, "characters", path)?;
                if !variants.is_empty() && !variants.iter().any(|variant| variant == text) {
                    let all = variants.join(", ");
                    return Err(Violation::new(path, format!("none of {all}")));
                }
                match pattern {
                    Some(pattern) if !pattern.is_match(text) => {
                        let reason = format!("does not match {}", pattern.as_str());
                        Err(Violation::new(path, reason))
                    }
                    _ => Ok(()),
                }
            }
            (Some(Shape::Blob { bounds }), _) => blob(value, *bounds, path),
            (None, "blob") => blob(value, no_bounds, path),
            (Some(Shape::Integer { bounds }), _) => integer(value, *bounds, path),
            (None, "integer") => integer(value, no_bounds, path),
            (Some(Shape::Float), _) | (None, "float") => value
                .as_f64()
                .map(|_| ())
                .ok_or_else(|| kind("a number", path)),
            (Some(Shape::Boolean), _) | (None, "boolean") => value
                .as_bool()
                .map(|_| ())
                .ok_or_else(|| kind("true or false", path)),
            (Some(Shape::Timestamp), _) | (None, "timestamp") => {
                let is_one = value.is_number() || value.is_string();
                is_one.then_some(()).ok_or_else(|| kind("a time", path))
            }
            (None, _) => text(value, path).map(|_| ()),
        }
    }
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, Violation> {
    value.as_object().ok_or_else(|| kind("an object", path))
}

fn text<'a>(value: &'a Value, path: &str) -> Result<&'a str, Violation> {
    value.as_str().ok_or_else(|| kind("a text", path))
}

fn blob(value: &Value, bounds: Bounds, path: &str) -> Checked {
    let bytes = BASE64_STANDARD.decode(text(value, path)?);
    let bytes = bytes.map_err(|_| kind("bytes in base64", path))?;
    bounded(bytes.len(), bounds, "bytes", path)
}

fn integer(value: &Value, bounds: Bounds, path: &str) -> Checked {
    let number = value.as_i64().ok_or_else(|| kind("a whole number", path))?;
    in_bounds(number, bounds, "", path)
}

fn bounded(count: usize, bounds: Bounds, unit: &str, path: &str) -> Checked {
    in_bounds(i64::try_from(count).unwrap_or(i64::MAX), bounds, unit, path)
}

fn in_bounds(number: i64, Bounds { min, max }: Bounds, unit: &str, path: &str) -> Checked {
    let (word, bound) = match (min, max) {
        (Some(min), _) if number < min => ("under", min),
        (_, Some(max)) if number > max => ("over", max),
        _ => return Ok(()),
    };
    let reason = format!("{number} is {word} {bound} {unit}");
    Err(Violation::new(path, reason.trim_end()))
}

/// Reports a value of another type.
fn kind(expected: &str, path: &str) -> Violation {
    Violation::new(path, format!("not {expected}")).with_code("SerializationException")
}

#[cfg(test)]
#[expect(
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    reason = "a table of cases, and what tries them"
)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gate::models::Models;

    fn refused(signing_name: &str, operation: &str, value: Value) -> String {
        let models = Models::new();
        let (_, service) = models.by_signing_name(signing_name).unwrap();
        let input = service.operations[operation].input.as_ref();
        violation(service, input, &value).map_or_else(String::new, |v| v.to_string())
    }

    #[test]
    fn a_request_as_the_model_has_it_passes() {
        let write = json!({
            "TableName": "table",
            "Item": {"pk": {"S": "a"}, "data": {"B": "AAEC"}, "list": {"L": [{"M": {"n": {"N": "1"}}}]}},
            "ConditionExpression": null,
            "ReturnValues": "NONE",
        });
        assert_eq!(refused("dynamodb", "PutItem", write), "");
        assert_eq!(refused("sts", "GetCallerIdentity", json!({})), "");
    }

    #[test]
    fn each_thing_that_a_model_says_is_held() {
        let key = json!({"pk": {"S": "a"}});
        for (name, operation, value, expected) in [
            // Unknown members, at the top level and nested.
            (
                "sqs",
                "SendMessage",
                json!({"QueueUrl": "q", "MessageBody": "b", "Delay": 1}),
                "Delay: unknown member",
            ),
            (
                "dynamodb",
                "GetItem",
                json!({"TableName": "t", "Key": {"pk": {"X": "a"}}}),
                "Key.pk.X: unknown member",
            ),
            (
                "sts",
                "GetCallerIdentity",
                json!({"A": 1}),
                "A: unknown member",
            ),
            // Required members.
            (
                "sqs",
                "SendMessage",
                json!({"QueueUrl": "q"}),
                "MessageBody: required but missing",
            ),
            (
                "dynamodb",
                "GetItem",
                json!({"TableName": "t", "Key": null}),
                "Key: required but missing",
            ),
            // Types.
            (
                "dynamodb",
                "GetItem",
                json!({"TableName": 1, "Key": key}),
                "TableName: not a text",
            ),
            (
                "dynamodb",
                "GetItem",
                json!({"TableName": "t", "Key": []}),
                "Key: not an object",
            ),
            (
                "dynamodb",
                "GetItem",
                json!({"TableName": "t", "Key": key, "ConsistentRead": "yes"}),
                "ConsistentRead: not true or false",
            ),
            (
                "dynamodb",
                "PutItem",
                json!({"TableName": "t", "Item": {"b": {"B": "?"}}}),
                "Item.b.B: not bytes in base64",
            ),
            (
                "sqs",
                "SendMessage",
                json!({"QueueUrl": "q", "MessageBody": "b", "DelaySeconds": 1.5}),
                "DelaySeconds: not a whole number",
            ),
            (
                "events",
                "PutEvents",
                json!({"Entries": {}}),
                "Entries: not a list",
            ),
            (
                "events",
                "PutEvents",
                json!({"Entries": [{"Time": true}]}),
                "Entries[0].Time: not a time",
            ),
            // Lengths of a text, a list, a map and bytes.
            (
                "dynamodb",
                "Query",
                json!({"TableName": ""}),
                "TableName: 0 is under 1 characters",
            ),
            (
                "events",
                "PutEvents",
                json!({"Entries": []}),
                "Entries: 0 is under 1 elements",
            ),
            (
                "dynamodb",
                "BatchGetItem",
                json!({"RequestItems": {}}),
                "RequestItems: 0 is under 1 entries",
            ),
            (
                "kms",
                "Decrypt",
                json!({"CiphertextBlob": ""}),
                "CiphertextBlob: 0 is under 1 bytes",
            ),
            // A number, a pattern, and an enumeration.
            (
                "dynamodb",
                "Query",
                json!({"TableName": "t", "Limit": 0}),
                "Limit: 0 is under 1",
            ),
            (
                "dynamodb",
                "Query",
                json!({"TableName": "t", "IndexName": "a/b"}),
                "IndexName: does not match ^(?:[a-zA-Z0-9_.-]+)$",
            ),
            (
                "dynamodb",
                "PutItem",
                json!({"TableName": "t", "Item": {}, "ReturnValues": "SOME"}),
                "ReturnValues: none of NONE, ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATED_NEW",
            ),
        ] {
            assert_eq!(refused(name, operation, value), expected);
        }
    }
}
