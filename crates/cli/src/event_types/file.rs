//! A file with event types: our own form, or an `OpenAPI` document with `webhooks`. Both may be in JSON
//! or in YAML.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use webhooks_client::NewEventType;

use super::{openapi, yaml};

/// Event types by their names.
pub(super) type Types = BTreeMap<String, NewEventType>;

/// Our own form. Schemas and examples keep their text.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Plain {
    /// The types.
    pub(super) event_types: Types,
}

/// Reads a file of either form. A file that does not begin as a JSON object is read as YAML.
pub(super) fn read(bytes: &[u8]) -> Result<Types> {
    if bytes.trim_ascii_start().starts_with(b"{") {
        return of_json(bytes);
    }
    let text = str::from_utf8(bytes).context("must be text in UTF-8")?;
    of_json(yaml::to_json(text).context("as YAML it")?.as_bytes())
}

fn of_json(bytes: &[u8]) -> Result<Types> {
    let members: BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(bytes).context("must be an object in JSON or YAML")?;
    if members.contains_key("webhooks") {
        return openapi::read(&serde_json::from_slice(bytes)?);
    }
    let Some(types) = members.get("eventTypes") else {
        bail!("has neither `eventTypes` nor the `webhooks` of an OpenAPI document");
    };
    serde_json::from_str(types.get()).context("`eventTypes`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_form_keeps_the_text_of_schemas() {
        let mut file = br#"{"eventTypes": {"a": {"schema": {"maximum": 1.50}}}}"#.to_vec();
        for _ in 0..2 {
            let types = read(&file).unwrap();
            let schema = types["a"].schema.as_ref().unwrap();
            assert_eq!(schema.get(), r#"{"maximum": 1.50}"#);
            file = serde_json::to_vec(&Plain { event_types: types }).unwrap();
        }
    }

    #[test]
    fn both_forms_may_be_in_yaml() {
        let own = "eventTypes:\n  a:\n    schema: {maximum: 1.50}\n    validation: warn\n";
        let types = read(own.as_bytes()).unwrap();
        let schema = types["a"].schema.as_ref().unwrap();
        assert_eq!(schema.get(), r#"{"maximum":1.50}"#);
        let openapi = "\
openapi: 3.1.0
webhooks:
  order.created:
    post:
      summary: An order
      requestBody:
        content:
          application/json:
            schema:
              $ref: '#/components/schemas/Order'
      responses:
        200: {description: ok}
components:
  schemas:
    Order:
      type: object
      properties:
        placedOn: {type: string, const: 2026-01-31}
";
        let types = read(openapi.as_bytes()).unwrap();
        let schema = types["order.created"].schema.as_ref().unwrap();
        let expected =
            r#"{"type":"object","properties":{"placedOn":{"type":"string","const":"2026-01-31"}}}"#;
        let [schema, expected] = [schema.get(), expected]
            .map(|json| -> serde_json::Value { serde_json::from_str(json).unwrap() });
        assert_eq!(schema, expected);
    }

    #[test]
    fn another_file_is_refused() {
        for (file, error) in [
            ("[]", "must be an object in JSON or YAML"),
            ("\"a\"", "must be an object in JSON or YAML"),
            ("a: [", "as YAML it"),
            ("a: 1", "has neither"),
            ("{}", "has neither"),
            (
                r#"{"eventTypes": {"a": {"colour": "red"}}}"#,
                "`eventTypes`",
            ),
        ] {
            let refused = read(file.as_bytes()).unwrap_err().to_string();
            assert!(refused.starts_with(error), "{file}: {refused}");
        }
    }
}
