//! The change of a field that is a map.

use std::collections::BTreeMap;
use std::fmt;

use crate::fields::FieldError;
use crate::metadata::Metadata;
use crate::outbound::CustomHeaders;

/// An RFC 7396 merge patch of a map. By default it changes nothing.
#[derive(Clone, PartialEq, Eq)]
pub enum MapChange {
    /// `null`: all entries are removed.
    RemoveAll,
    /// These entries are set, or removed if the value is `null`; the others stay.
    Merge(BTreeMap<String, Option<String>>),
}

impl Default for MapChange {
    fn default() -> Self {
        Self::Merge(BTreeMap::new())
    }
}

/// Shows names only, because values may be secrets.
impl fmt::Debug for MapChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RemoveAll => f.write_str("RemoveAll"),
            Self::Merge(changes) => f.debug_tuple("Merge").field(&changes.keys()).finish(),
        }
    }
}

impl MapChange {
    /// The custom headers after the change. Their names are stored in lower case.
    pub fn headers(self, current: CustomHeaders) -> Result<CustomHeaders, FieldError> {
        let headers = self.apply(current.into(), str::to_ascii_lowercase);
        CustomHeaders::new(headers).map_err(|error| FieldError::new("headers", error))
    }

    /// The metadata after the change.
    pub fn metadata(self, current: Metadata) -> Result<Metadata, FieldError> {
        self.apply(current.into(), str::to_owned)
            .try_into()
            .map_err(|error| FieldError::new("metadata", error))
    }

    /// If two new names are stored as the same name, both are kept, so that the map's own check
    /// refuses them.
    fn apply(
        self,
        mut map: BTreeMap<String, String>,
        stored_name: impl Fn(&str) -> String,
    ) -> BTreeMap<String, String> {
        let Self::Merge(changes) = self else {
            return BTreeMap::new();
        };
        for (name, value) in changes {
            map.remove(&stored_name(&name));
            map.extend(value.map(|value| (name, value)));
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(json: &str) -> MapChange {
        let map = serde_json::from_str::<Option<_>>(json).unwrap();
        map.map_or(MapChange::RemoveAll, MapChange::Merge)
    }

    #[test]
    fn headers_are_merged_name_by_name() {
        let current = change(r#"{"x-a":"1","x-b":"2"}"#)
            .headers(CustomHeaders::default())
            .unwrap();
        let merged = |json| change(json).headers(current.clone());
        let changed = merged(r#"{"X-A":null,"x-c":"3"}"#).unwrap();
        assert_eq!(
            changed.iter().collect::<Vec<_>>(),
            [("x-b", "2"), ("x-c", "3")]
        );
        assert!(merged("null").unwrap().is_empty());
        assert_eq!(merged("{}").unwrap(), current);
        for bad in [r#"{"X-A":"1","x-a":"2"}"#, r#"{"host":"x"}"#] {
            assert_eq!(merged(bad).unwrap_err().field, "headers", "{bad}");
        }
    }

    #[test]
    fn the_debug_form_of_a_change_shows_no_value() {
        let text = format!("{:?}", change(r#"{"x-key":"s3cret"}"#));
        assert_eq!(text, r#"Merge(["x-key"])"#);
    }

    #[test]
    fn metadata_is_merged_name_by_name_as_it_is_written() {
        let current = change(r#"{"plan":"gold","Team":"a"}"#)
            .metadata(Metadata::default())
            .unwrap();
        let merged = |json| change(json).metadata(current.clone());
        let changed = merged(r#"{"plan":null,"team":"b"}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&changed).unwrap(),
            r#"{"Team":"a","team":"b"}"#
        );
        assert!(merged("null").unwrap().is_empty());
        assert_eq!(merged(r#"{"":"x"}"#).unwrap_err().field, "metadata");
    }
}
