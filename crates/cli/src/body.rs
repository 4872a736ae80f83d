//! The body of a request, whose fields the command line may set by name.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// A JSON object. The text of each field stays as it is, digit by digit.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Body(BTreeMap<String, Box<RawValue>>);

impl Body {
    /// The fields of a request.
    pub(crate) fn of(request: &impl Serialize) -> Result<Self> {
        let json = serde_json::to_string(request)?;
        Ok(Self(serde_json::from_str(&json)?))
    }

    /// Sets a field to a JSON value, or to a text if it is no JSON.
    pub(crate) fn set(&mut self, name: &str, text: &str) -> Result<()> {
        let json: Result<Box<RawValue>, _> = serde_json::from_str(text);
        let value = match json {
            Ok(json) => json,
            Err(_) => to_raw_value(text)?,
        };
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// Removes a field, as a merge patch does it: with `null`.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.insert(name.to_owned(), RawValue::NULL.to_owned());
    }

    /// Returns true if it has no fields.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_that_is_set_or_removed_by_name_replaces_the_requests_own() {
        let mut body = Body::of(&json!({"a": 1, "b": [2], "c": "x"})).unwrap();
        body.set("a", "12345678901234567890.10").unwrap();
        body.set("d", "no JSON").unwrap();
        body.remove("b");
        body.remove("e");
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            r#"{"a":12345678901234567890.10,"b":null,"c":"x","d":"no JSON","e":null}"#
        );
    }
}
