//! A file with event types: our own form, or an `OpenAPI` document with `webhooks`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use webhooks_client::NewEventType;

use super::openapi;

/// Event types by their names.
pub(super) type Types = BTreeMap<String, NewEventType>;

/// Our own form. Schemas and examples keep their text.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Plain {
    /// The types.
    pub(super) event_types: Types,
}

/// Reads a file of either form.
pub(super) fn read(bytes: &[u8]) -> Result<Types> {
    let members: BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(bytes).context("must be a JSON object")?;
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
    fn another_file_is_refused() {
        for (file, error) in [
            ("[]", "must be a JSON object"),
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
