//! The section `webhooks` of an `OpenAPI` 3.1 document.
//!
//! A document describes the body of a webhook, and the catalogue the event's `detail`. A body in the
//! payload format `standard` has the `detail` in `data`. Any other body is taken as the `detail`.

mod refs;

use anyhow::{Context as _, Result};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use webhooks_client::{Deprecation, NewEventType, Validation};

use super::file::Types;

const JSON: &str = "application/json";
/// The extension that names the type which replaces a deprecated one.
const REPLACED_BY: &str = "x-replaced-by";
/// The extension that has the validation of a type.
const VALIDATION: &str = "x-validation";
/// The members of a body in the format `standard`.
const STANDARD: [&str; 3] = ["data", "timestamp", "type"];

/// Makes a document of these types.
pub(super) fn document(types: &Types) -> Result<Value> {
    let mut webhooks = Map::new();
    for (name, event_type) in types {
        let operation = operation(name, event_type);
        let operation = operation.with_context(|| format!("event type `{name}`"))?;
        webhooks.insert(name.clone(), json!({"post": operation}));
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {"title": "Webhooks", "version": "1"},
        "webhooks": webhooks,
    }))
}

fn operation(name: &str, event_type: &NewEventType) -> Result<Value> {
    let data = match &event_type.schema {
        Some(schema) => {
            let mut schema = serde_json::from_str(schema.get())?;
            refs::embed(&mut schema, name);
            schema
        }
        None => Value::Bool(true),
    };
    let schema = json!({
        "type": "object",
        "required": STANDARD,
        "properties": {
            "type": {"const": name},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": data,
        },
    });
    let mut content = json!({"schema": schema});
    let examples = event_type.examples.iter().flatten().enumerate();
    for (number, example) in examples {
        let data: Value = serde_json::from_str(example.get())?;
        let body = json!({"type": name, "timestamp": "2026-01-31T09:30:00Z", "data": data});
        content["examples"][(number + 1).to_string()] = json!({"value": body});
    }
    let mut operation = json!({
        "requestBody": {"required": true, "content": {JSON: content}},
        "responses": {"2XX": {"description": "The webhook was received."}},
    });
    if let Some(description) = &event_type.description {
        operation["description"] = json!(description);
    }
    if let Some(group) = &event_type.group {
        operation["tags"] = json!([group]);
    }
    if let Some(deprecated) = &event_type.deprecated {
        operation["deprecated"] = json!(true);
        if let Some(by) = &deprecated.replaced_by {
            operation[REPLACED_BY] = json!(by);
        }
    }
    if let Some(validation) = event_type.validation {
        operation[VALIDATION] = json!(validation);
    }
    Ok(operation)
}

/// Reads the types of a document.
pub(super) fn read(document: &Value) -> Result<Types> {
    let webhooks = document["webhooks"].as_object();
    let webhooks = webhooks.context("`webhooks` must be an object")?;
    let types = webhooks.iter().map(|(name, item)| {
        let event_type = event_type(document, name, item);
        let event_type = event_type.with_context(|| format!("webhook `{name}`"))?;
        Ok((name.clone(), event_type))
    });
    types.collect()
}

fn event_type(document: &Value, name: &str, item: &Value) -> Result<NewEventType> {
    let item = refs::resolve(document, item)?;
    let methods = ["post", "put", "patch"].into_iter();
    let operation = methods
        .map(|method| &item[method])
        .find(|found| found.is_object());
    let operation = operation.unwrap_or(item);
    let text = |name: &str| operation[name].as_str().map(str::to_owned);
    let is_deprecated = operation["deprecated"] == true;
    let body = refs::resolve(document, &operation["requestBody"])?;
    let content = match &body["content"][JSON] {
        Value::Null => body["content"]
            .as_object()
            .and_then(|all| all.values().next()),
        content => Some(content),
    };
    let content = content.unwrap_or(&Value::Null);
    Ok(NewEventType {
        description: text("description").or_else(|| text("summary")),
        group: operation["tags"][0].as_str().map(str::to_owned),
        schema: schema(document, name, &content["schema"])?,
        validation: validation(&operation[VALIDATION])?,
        examples: examples(document, content)?,
        deprecated: is_deprecated.then(|| Deprecation {
            replaced_by: text(REPLACED_BY),
        }),
    })
}

fn validation(value: &Value) -> Result<Option<Validation>> {
    serde_json::from_value(value.clone())
        .with_context(|| format!("`{VALIDATION}` must be off, warn or refuse"))
}

/// The schema of the `detail`, with all that it names.
fn schema(document: &Value, name: &str, body: &Value) -> Result<Option<Box<RawValue>>> {
    let body = refs::resolve(document, body)?;
    let properties = &body["properties"];
    let is_standard = STANDARD.iter().all(|member| !properties[member].is_null());
    let detail = if is_standard {
        &properties["data"]
    } else {
        body
    };
    if !detail.is_object() {
        return Ok(None);
    }
    let mut detail = refs::resolve(document, detail)?.clone();
    refs::take_along(&mut detail, name, document)?;
    Ok(Some(to_raw_value(&detail)?))
}

fn examples(document: &Value, content: &Value) -> Result<Option<Vec<Box<RawValue>>>> {
    let mut found = Vec::new();
    for example in content["examples"].as_object().into_iter().flatten() {
        found.push(&refs::resolve(document, example.1)?["value"]);
    }
    found.extend(content.get("example"));
    let details = found.into_iter().map(|body| {
        let is_standard = STANDARD.iter().all(|member| !body[member].is_null());
        to_raw_value(if is_standard { &body["data"] } else { body })
    });
    let details = details.collect::<Result<Vec<_>, _>>()?;
    Ok((!details.is_empty()).then_some(details))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_types::file;

    fn value(types: &Types) -> Value {
        serde_json::to_value(types).unwrap()
    }

    #[test]
    fn the_documented_types_come_back_from_a_document() {
        let types = include_bytes!("../../../../events/event-types.json");
        let types = file::read(types).unwrap();
        let made = document(&types).unwrap();
        let order = &made["webhooks"]["order.created"]["post"]["requestBody"]["content"][JSON]["schema"]
            ["properties"]["data"]["properties"]["order"]["$ref"];
        // The reference of the document leads to the definition.
        let pointer = order.as_str().unwrap().trim_start_matches('#');
        assert_eq!(made.pointer(pointer).unwrap()["type"], "object");
        assert_eq!(value(&read(&made).unwrap()), value(&types));
    }

    #[test]
    fn a_document_of_others_is_read_with_the_schemas_that_it_names() {
        let document = json!({
            "webhooks": {
                "newPet": {"post": {
                    "summary": "A pet.",
                    "tags": ["pets", "more"],
                    "requestBody": {"$ref": "#/components/requestBodies/pet"},
                }},
                "Bare": {},
            },
            "components": {
                "requestBodies": {"pet": {"content": {JSON: {
                    "schema": {"$ref": "#/components/schemas/Pet"},
                    "example": {"name": "Rex"},
                }}}},
                "schemas": {
                    "Pet": {"type": "object", "properties": {
                        "parent": {"$ref": "#/components/schemas/Pet"},
                        "kind": {"$ref": "#/components/schemas/Kind"},
                    }},
                    "Kind": {"enum": ["dog"]},
                    "Other": {},
                },
            },
        });
        let pet = json!({"type": "object", "properties": {
            "parent": {"$ref": "#/$defs/Pet"}, "kind": {"$ref": "#/$defs/Kind"}}});
        let mut schema = pet.clone();
        schema["$defs"] = json!({"Pet": pet, "Kind": {"enum": ["dog"]}});
        let expected = json!({
            "newPet": {"description": "A pet.", "group": "pets", "schema": schema,
                "examples": [{"name": "Rex"}]},
            "Bare": {},
        });
        assert_eq!(value(&read(&document).unwrap()), expected);
    }

    #[test]
    fn a_reference_that_leads_elsewhere_is_refused() {
        for reference in [
            "https://example.com/schema.json",
            "other.json#/a",
            "#/components/schemas/None",
            "#/paths/~1a",
        ] {
            let schema = json!({"properties": {"a": {"$ref": reference}}});
            let document = json!({"webhooks": {"a": {"post":
                {"requestBody": {"content": {JSON: {"schema": schema}}}}}}});
            let error = format!("{:#}", read(&document).unwrap_err());
            assert!(error.starts_with("webhook `a`: "), "{error}");
            assert!(error.contains(reference), "{error}");
        }
    }

    #[test]
    fn a_reference_to_itself_ends() {
        let document = json!({
            "webhooks": {"a": {"$ref": "#/webhooks/a"}},
        });
        let error = format!("{:#}", read(&document).unwrap_err());
        assert!(error.contains("`#/webhooks/a`"), "{error}");
    }
}
