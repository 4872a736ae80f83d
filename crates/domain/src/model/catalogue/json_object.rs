//! The text of a JSON object, with a bound for its size and its depth.

use serde_json::value::RawValue;

/// The text of a JSON object of at most `MAX` bytes. It is kept as it was given, so that no number
/// changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonObject<const MAX: usize>(String);

/// The text is not such an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonObjectError {
    /// It is not JSON, or not an object.
    #[error("must be a JSON object")]
    NotAnObject,
    /// It is too large.
    #[error("must be at most {max} bytes, is {len}")]
    Size {
        /// The length of the text, in bytes.
        len: usize,
        /// The largest length.
        max: usize,
    },
    /// It is nested too deep.
    #[error("must be nested at most {max} deep", max = MAX_DEPTH)]
    Depth,
}

/// The largest number of objects and lists inside each other. JSON parsers that recurse have a limit
/// of 128, and a document that contains such an object adds some more.
const MAX_DEPTH: usize = 64;

impl<const MAX: usize> JsonObject<MAX> {
    /// The largest size, in bytes.
    pub const MAX_BYTES: usize = MAX;

    /// Reads the text of an object.
    pub fn parse(text: &str) -> Result<Self, JsonObjectError> {
        let len = text.len();
        if len > MAX {
            return Err(JsonObjectError::Size { len, max: MAX });
        }
        let raw: &RawValue =
            serde_json::from_str(text).map_err(|_| JsonObjectError::NotAnObject)?;
        if !raw.get().starts_with('{') {
            return Err(JsonObjectError::NotAnObject);
        }
        if depth(raw.get()) > MAX_DEPTH {
            return Err(JsonObjectError::Depth);
        }
        Ok(Self(raw.get().to_owned()))
    }

    /// A stored text. It was checked when it was stored, and is not checked again.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The largest number of objects and lists inside each other in a JSON text. It does not recurse.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    let mut in_string = false;
    while let Some(byte) = bytes.next() {
        match byte {
            // The escaped byte is skipped: it may be a quote.
            b'\\' if in_string => _ = bytes.next(),
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    type Small = JsonObject<200>;

    #[test]
    fn an_object_keeps_its_text() {
        let text = r#"{ "n": 12345678901234567890.10, "s": "}{\"" }"#;
        let padded = format!(" {text}\n");
        assert_eq!(Small::parse(&padded).unwrap().as_str(), text);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in ["", "[]", "\"{}\"", "null", "{", "{} {}", "{'a': 1}"] {
            let refused = Small::parse(bad);
            assert_eq!(refused, Err(JsonObjectError::NotAnObject), "{bad}");
        }
    }

    #[test]
    fn an_object_is_limited_in_size_and_depth() {
        let sized = |len: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(len - 8));
        assert!(Small::parse(&sized(200)).is_ok());
        let refused = Small::parse(&sized(201)).unwrap_err();
        assert_eq!(refused.to_string(), "must be at most 200 bytes, is 201");
        let nested = |depth: usize| {
            let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
            JsonObject::<100_000>::parse(&format!(r#"{{"a":{open}{close}}}"#))
        };
        assert!(nested(64).is_ok());
        for depth in [65, 40_000] {
            assert_eq!(nested(depth), Err(JsonObjectError::Depth), "{depth}");
        }
        // Braces and brackets inside of a text do not count.
        let text = format!(r#"{{"a":"\"{}"}}"#, "[{".repeat(90));
        assert!(Small::parse(&text).is_ok());
    }
}
