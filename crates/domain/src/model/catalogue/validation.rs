//! The validation of events by the schema of their type, and the reasons why an event fails it.

use std::fmt;
use std::str::FromStr;

/// The effect of a type's schema on its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Validation {
    /// No event is checked.
    #[default]
    Off,
    /// An event that fails the check leaves a metric and a log line, and is delivered.
    Warn,
    /// An event that fails the check goes to the failed-events queue.
    Refuse,
}

/// The text is no such word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be off, warn or refuse")]
pub struct ValidationError;

impl Validation {
    /// The word of the API and of the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Refuse => "refuse",
        }
    }

    /// Returns true if no event is checked.
    pub fn is_off(self) -> bool {
        self == Self::Off
    }
}

impl FromStr for Validation {
    type Err = ValidationError;

    fn from_str(text: &str) -> Result<Self, ValidationError> {
        match text {
            "off" => Ok(Self::Off),
            "warn" => Ok(Self::Warn),
            "refuse" => Ok(Self::Refuse),
            _ => Err(ValidationError),
        }
    }
}

/// The reason why an event fails the check.
///
/// Its text never has a value of the event. It has the names of members on the path to the place, and
/// the place in the schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The event's `detail` does not match the schema.
    #[error("at `{path}` the event breaks the rule `{rule}` of its type's schema")]
    Violation {
        /// The place in the event, as a JSON pointer.
        path: Place,
        /// The place of the rule in the schema, as a JSON pointer.
        rule: Place,
    },
    /// The same, but to find the place would exceed a bound.
    #[error(
        "at `/detail` or below, the event breaks its type's schema; to find the place would take more \
         than {MAX_CHECK_STEPS} steps or {MAX_REPORT_BYTES} bytes"
    )]
    ViolationSomewhere,
    /// It could not be checked.
    #[error("the event cannot be checked by its type's schema: {0}")]
    NotChecked(NotChecked),
}

/// The reason why an event could not be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotChecked {
    /// The check would take more than [`MAX_CHECK_STEPS`].
    #[error("that takes more than {MAX_CHECK_STEPS} steps")]
    TooManySteps,
    /// The schema meets the event in too many steps inside each other.
    #[error("schema and event lead more than {MAX_CHECK_DEPTH} levels deep")]
    TooDeep,
    /// The event has a number beyond the range of a 64-bit float, or is nested too deep to be parsed.
    #[error("it has a number of more than 1.8e308, or is nested more than 127 deep")]
    Unreadable,
    /// The stored schema cannot be compiled.
    #[error("the stored schema cannot be compiled")]
    Schema,
}

/// A schema that cannot check events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at `{place}`: {problem}")]
pub struct SchemaError {
    /// The place in the schema, as a JSON pointer.
    pub place: Place,
    /// The problem, and the bound.
    pub problem: String,
}

impl SchemaError {
    /// The largest length of a problem, in characters: it may quote a part of the schema.
    const MAX_CHARS: usize = 300;

    /// A problem at a place.
    pub fn at(pointer: &str, problem: impl fmt::Display) -> Self {
        let problem = problem.to_string();
        let mut shown: String = problem.chars().take(Self::MAX_CHARS).collect();
        if shown.len() < problem.len() {
            shown.push_str("...");
        }
        Self {
            place: Place::new(pointer),
            problem: shown,
        }
    }
}

/// The most steps of one check. A step is the meeting of a subschema and a value, or a part of a
/// keyword's work on long texts and lists.
pub const MAX_CHECK_STEPS: u64 = 2_000_000;

/// The most memory for the errors of alternatives (`anyOf`, `oneOf`, `not`) that are collected to find
/// the place of a violation, in bytes. Each error has a copy of its value.
pub const MAX_REPORT_BYTES: u64 = 4_194_304;

/// The most levels of subschemas inside each other in one check.
pub const MAX_CHECK_DEPTH: usize = 256;

/// A JSON pointer to show: only printable ASCII, and at most [`Place::MAX_CHARS`] characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// The largest length, in characters. A longer pointer ends with three dots.
    pub const MAX_CHARS: usize = 256;

    /// The form of a pointer to show.
    pub fn new(pointer: &str) -> Self {
        let mut shown = String::new();
        for character in pointer.chars() {
            let is_plain = matches!(character, ' '..='~') && character != '`';
            let part = if is_plain {
                character.to_string()
            } else {
                format!("\\u{{{:x}}}", u32::from(character))
            };
            if shown.len() + part.len() > Self::MAX_CHARS - 3 {
                shown.push_str("...");
                break;
            }
            shown.push_str(&part);
        }
        Self(shown)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The whole document has the empty pointer, which is shown as such.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_validation_has_one_word() {
        for validation in [Validation::Off, Validation::Warn, Validation::Refuse] {
            assert_eq!(validation.as_str().parse(), Ok(validation));
        }
        assert_eq!("Warn".parse::<Validation>(), Err(ValidationError));
    }

    #[test]
    fn a_place_is_escaped() {
        let place = Place::new("/detail/a\u{202e}`\n\u{fc}/7");
        assert_eq!(place.as_str(), r"/detail/a\u{202e}\u{60}\u{a}\u{fc}/7");
    }

    proptest! {
        #[test]
        fn a_place_is_bounded_and_printable(pointer in "(?s:.){0,400}") {
            let place = Place::new(&pointer);
            prop_assert!(place.as_str().len() <= Place::MAX_CHARS);
            prop_assert!(place.as_str().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}
