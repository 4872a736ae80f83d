//! A subscription's filter over the payload, in EventBridge pattern syntax.

use quamina::{Quamina, QuaminaBuilder};
use serde::de::IgnoredAny;

/// An EventBridge event pattern over the payload (the event's `detail`).
///
/// `{"total": [{"numeric": [">", 100]}]}` wants payloads whose `total` is
/// greater than 100. At most 2,048 bytes (EventBridge's bound for a pattern).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

/// A text that is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Too long.
    #[error("must be at most {max} bytes, is {len}", max = Filter::MAX_BYTES)]
    Length {
        /// The length that was given, in bytes.
        len: usize,
    },
    /// Not a pattern.
    #[error("{0}")]
    Pattern(String),
}

impl Filter {
    /// The greatest length of a pattern, in bytes.
    pub const MAX_BYTES: usize = 2_048;
    /// How deep a pattern may nest.
    const MAX_DEPTH: usize = 16;
    /// How many fields a pattern may name.
    const MAX_FIELDS: usize = 64;

    /// Parses and checks a pattern.
    pub fn parse(pattern: &str) -> Result<Self, FilterError> {
        if pattern.len() > Self::MAX_BYTES {
            return Err(FilterError::Length { len: pattern.len() });
        }
        // The compiler stops reading where the pattern ends, whatever comes after it.
        serde_json::from_str::<IgnoredAny>(pattern)
            .map_err(|error| FilterError::Pattern(error.to_string()))?;
        compile(pattern)?;
        Ok(Self(pattern.to_owned()))
    }

    /// From the text that [`as_str`](Self::as_str) gave: checked when it was stored.
    pub fn from_stored(pattern: String) -> Self {
        Self(pattern)
    }

    /// The pattern as JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the payload is wanted.
    ///
    /// # Errors
    /// When the pattern or the payload cannot be evaluated. The payload is a
    /// JSON object by then, so that is a fault of ours.
    pub fn matches(&self, payload: &[u8]) -> Result<bool, FilterError> {
        compile(&self.0)?
            .has_matches(payload)
            .map_err(|error| FilterError::Pattern(error.to_string()))
    }
}

fn compile(pattern: &str) -> Result<Quamina<()>, FilterError> {
    let pattern_error = |error: quamina::QuaminaError| FilterError::Pattern(error.to_string());
    let mut quamina = QuaminaBuilder::new()
        .with_max_pattern_depth(Filter::MAX_DEPTH)
        .with_max_fields_per_pattern(Filter::MAX_FIELDS)
        .build()
        .map_err(pattern_error)?;
    quamina.add_pattern((), pattern).map_err(pattern_error)?;
    Ok(quamina)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, payload: &str) -> bool {
        Filter::parse(pattern)
            .unwrap()
            .matches(payload.as_bytes())
            .unwrap()
    }

    #[test]
    fn a_filter_wants_what_eventbridge_would() {
        let payload =
            r#"{"total":120.5,"currency":"EUR","tags":["a","b"],"buyer":{"country":"DE"}}"#;
        assert!(matches(r#"{"currency":["EUR","USD"]}"#, payload));
        assert!(matches(
            r#"{"total":[{"numeric":[">",100,"<=",200]}]}"#,
            payload
        ));
        assert!(matches(
            r#"{"tags":["b"],"buyer":{"country":[{"prefix":"D"}]}}"#,
            payload
        ));
        assert!(matches(r#"{"coupon":[{"exists":false}]}"#, payload));
        assert!(!matches(
            r#"{"currency":[{"anything-but":["EUR"]}]}"#,
            payload
        ));
        assert!(!matches(r#"{"currency":["EUR"],"total":[1]}"#, payload));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in [
            "",
            "7",
            "[]",
            r#"{"a":"b"}"#,
            r#"{"a":[{"nonsense":1}]}"#,
            r#"{"a":["#,
            r#"{"a":[1]} and more"#,
        ] {
            assert!(Filter::parse(bad).is_err(), "{bad}");
        }
        let long = format!(r#"{{"a":["{}"]}}"#, "x".repeat(2_048));
        assert!(matches!(
            Filter::parse(&long),
            Err(FilterError::Length { .. })
        ));
        let deep = format!("{}[1]{}", r#"{"a":"#.repeat(17), "}".repeat(17));
        assert!(Filter::parse(&deep).is_err());
    }
}
