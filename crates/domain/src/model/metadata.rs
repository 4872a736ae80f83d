//! Metadata: the notes of a subscription's owner, as pairs of name and value.

use std::collections::BTreeMap;

/// At most 20 pairs that we store and show, but do not use.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(
    try_from = "BTreeMap<String, String>",
    into = "BTreeMap<String, String>"
)]
pub struct Metadata(BTreeMap<String, String>);

/// The pairs are not valid metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// There are too many pairs.
    #[error("must be at most {max} pairs, is {len}", max = Metadata::MAX_PAIRS)]
    Pairs {
        /// The number of pairs.
        len: usize,
    },
    /// A name is empty or too long.
    #[error("name `{name}`: must be 1 to {max} characters, is {len}", max = Metadata::MAX_NAME_CHARS)]
    NameLength {
        /// The beginning of the name.
        name: String,
        /// The length, in characters.
        len: usize,
    },
    /// A value is too long.
    #[error("`{name}`: must be at most {max} characters, is {len}", max = Metadata::MAX_VALUE_CHARS)]
    ValueLength {
        /// Its name.
        name: String,
        /// The length, in characters.
        len: usize,
    },
    /// A name or its value has a control character.
    #[error("`{name}`: must not contain control characters")]
    ControlCharacter {
        /// The name, with escaped control characters.
        name: String,
    },
}

impl Metadata {
    /// The largest number of pairs.
    pub const MAX_PAIRS: usize = 20;
    /// The largest length of a name, in characters.
    pub const MAX_NAME_CHARS: usize = 64;
    /// The largest length of a value, in characters.
    pub const MAX_VALUE_CHARS: usize = 256;

    /// Stored pairs. They were checked when they were stored, and are not checked again.
    pub fn from_stored(pairs: BTreeMap<String, String>) -> Self {
        Self(pairs)
    }

    /// Returns true if there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl TryFrom<BTreeMap<String, String>> for Metadata {
    type Error = MetadataError;

    fn try_from(pairs: BTreeMap<String, String>) -> Result<Self, MetadataError> {
        if pairs.len() > Self::MAX_PAIRS {
            return Err(MetadataError::Pairs { len: pairs.len() });
        }
        for (name, value) in &pairs {
            let len = name.chars().count();
            if !(1..=Self::MAX_NAME_CHARS).contains(&len) {
                let name = name.chars().take(Self::MAX_NAME_CHARS);
                let name = name.collect::<String>().escape_debug().to_string();
                return Err(MetadataError::NameLength { name, len });
            }
            if name.chars().chain(value.chars()).any(char::is_control) {
                let name = name.escape_debug().to_string();
                return Err(MetadataError::ControlCharacter { name });
            }
            let (name, len) = (name.clone(), value.chars().count());
            if len > Self::MAX_VALUE_CHARS {
                return Err(MetadataError::ValueLength { name, len });
            }
        }
        Ok(Self(pairs))
    }
}

impl From<Metadata> for BTreeMap<String, String> {
    fn from(metadata: Metadata) -> Self {
        metadata.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(pairs: &[(&str, &str)]) -> Result<Metadata, MetadataError> {
        let owned = pairs
            .iter()
            .map(|&(name, value)| (name.into(), value.into()));
        Metadata::try_from(owned.collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn metadata_is_limited_in_characters() {
        let (name, value) = ("ü".repeat(64), "ü".repeat(256));
        assert!(metadata(&[(&name, &value)]).is_ok());
        assert!(metadata(&[("plan", "")]).is_ok());
        let long = format!("{name}x");
        let error = metadata(&[(&long, "")]).unwrap_err();
        assert!(matches!(error, MetadataError::NameLength { len: 65, .. }));
        let error = metadata(&[("", "x")]).unwrap_err();
        assert!(matches!(error, MetadataError::NameLength { len: 0, .. }));
        let long = format!("{value}x");
        let error = metadata(&[("plan", &long)]).unwrap_err();
        assert!(matches!(error, MetadataError::ValueLength { len: 257, .. }));
        for pair in [("a\n", "x"), ("a", "\u{7f}")] {
            let error = metadata(&[pair]).unwrap_err();
            assert!(matches!(error, MetadataError::ControlCharacter { .. }));
        }
        let names: Vec<_> = (0..=20).map(|n| n.to_string()).collect();
        let pairs: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
        assert!(metadata(&pairs[..20]).is_ok());
        assert_eq!(metadata(&pairs), Err(MetadataError::Pairs { len: 21 }));
    }
}
