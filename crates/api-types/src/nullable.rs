//! A field that a merge patch may leave out, remove or set.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A field of a JSON merge patch (RFC 7396): absent, `null` or a value.
///
/// It needs `#[serde(default, skip_serializing_if = "Nullable::is_absent")]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Nullable<T> {
    /// The field is not there: it stays as it is.
    #[default]
    Absent,
    /// `null`: the field is removed.
    Null,
    /// The field gets this value.
    Value(T),
}

impl<T> Nullable<T> {
    /// Returns true if the field is absent.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// `None` is an absent field.
impl<T> From<Option<T>> for Nullable<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nullable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

impl<T: Serialize> Serialize for Nullable<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Null => serializer.serialize_none(),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

/// Reads a field that may be absent, and may not be `null`.
pub(crate) fn not_null<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Patch {
        #[serde(default, skip_serializing_if = "Nullable::is_absent")]
        nullable: Nullable<u32>,
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "not_null"
        )]
        optional: Option<u32>,
    }

    #[test]
    fn a_patch_is_written_as_it_was_read() {
        for (json, nullable, optional) in [
            ("{}", Nullable::Absent, None),
            (r#"{"nullable":null}"#, Nullable::Null, None),
            (
                r#"{"nullable":1,"optional":2}"#,
                Nullable::Value(1),
                Some(2),
            ),
        ] {
            let patch: Patch = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&patch).unwrap(), json);
            assert_eq!((patch.nullable, patch.optional), (nullable, optional));
        }
        assert!(serde_json::from_str::<Patch>(r#"{"optional":null}"#).is_err());
    }
}
