//! The members of an object, as they are written.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_bytes::ByteBuf;
use serde_json::value::RawValue;

/// The members of a JSON object, in order. A name may occur twice.
#[derive(Default)]
pub(crate) struct Members<'a>(pub(crate) Vec<(Name, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The value with this name. If the name occurs twice, the last value counts, as for most JSON
    /// parsers.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let named = self
            .0
            .iter()
            .rfind(|(member, _)| *member.0 == name.as_bytes());
        named.map(|(_, value)| *value)
    }
}

/// The name of a member. It may have an unpaired surrogate, which no string can hold;
/// `serde_json` accepts one where it reads bytes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Name(ByteBuf);

impl Name {
    /// The name, if it is valid UTF-8.
    pub(crate) fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The name for display.
    pub(crate) fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}
