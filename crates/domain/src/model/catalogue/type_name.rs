//! The name of a type in the catalogue.

use std::fmt;
use std::str::FromStr;

use crate::event_type::EventType;

/// An event type that can be a part of a URL's path: 1 to 128 of the characters
/// `A-Z a-z 0-9 . _ : @ + = | -`, with single spaces between them, and neither `.` nor `..`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct TypeName(String);

/// The text is not such a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeNameError {
    /// The length is not allowed.
    #[error("event type: must be 1 to {max} characters, is {len}", max = EventType::MAX_CHARS)]
    Length {
        /// The length that was given, in characters.
        len: usize,
    },
    /// A character is not allowed in the catalogue.
    #[error(
        "event type: in the catalogue {0:?} is not allowed; the characters are A-Z a-z 0-9 . _ : @ + = | - and space"
    )]
    Character(char),
    /// It begins or ends with a space, or has two of them side by side.
    #[error("event type: in the catalogue a space must be single, and between other characters")]
    Space,
    /// URL parsers read it as a folder.
    #[error("event type: in the catalogue `.` and `..` are not allowed")]
    Dots,
}

impl TypeName {
    /// A stored name. It was checked when it was stored, and is not checked again.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TypeName {
    type Err = TypeNameError;

    fn from_str(text: &str) -> Result<Self, TypeNameError> {
        let len = text.chars().count();
        if len == 0 || len > EventType::MAX_CHARS {
            return Err(TypeNameError::Length { len });
        }
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._:@+=|- ".contains(c);
        if let Some(character) = text.chars().find(|c| !is_allowed(*c)) {
            return Err(TypeNameError::Character(character));
        }
        if text.split(' ').any(str::is_empty) {
            return Err(TypeNameError::Space);
        }
        if matches!(text, "." | "..") {
            return Err(TypeNameError::Dots);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for TypeName {
    type Error = TypeNameError;

    fn try_from(text: String) -> Result<Self, TypeNameError> {
        text.parse()
    }
}

impl From<TypeName> for String {
    fn from(name: TypeName) -> Self {
        name.0
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_a_part_of_a_path() {
        for good in [
            "order.created",
            "Order Created",
            "a:b@c+d=e|f-g_h",
            "...",
            &"x".repeat(128),
        ] {
            assert_eq!(good.parse::<TypeName>().unwrap().as_str(), good);
        }
        for (bad, error) in [
            ("", TypeNameError::Length { len: 0 }),
            (&"x".repeat(129), TypeNameError::Length { len: 129 }),
            ("order.*", TypeNameError::Character('*')),
            ("order/created", TypeNameError::Character('/')),
            ("a%2Fb", TypeNameError::Character('%')),
            ("a?b", TypeNameError::Character('?')),
            ("a#b", TypeNameError::Character('#')),
            ("a\\b", TypeNameError::Character('\\')),
            ("a\nb", TypeNameError::Character('\n')),
            ("\u{fc}", TypeNameError::Character('\u{fc}')),
            (" a", TypeNameError::Space),
            ("a ", TypeNameError::Space),
            ("a  b", TypeNameError::Space),
            (".", TypeNameError::Dots),
            ("..", TypeNameError::Dots),
        ] {
            assert_eq!(bad.parse::<TypeName>(), Err(error), "{bad:?}");
        }
    }
}
