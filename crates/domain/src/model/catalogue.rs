//! The event catalogue: the event types of an installation as objects, for the people who subscribe
//! to them. An event is looked up in it only if its type validates its events.

mod index;
mod json_object;
mod known;
mod nearest;
mod type_name;
mod validation;

pub use index::{IndexedType, TypeIndex, UseOfType, ValidatedType, ValidatedTypes};
pub use json_object::{JsonObject, JsonObjectError};
pub use known::{MAX_SUGGESTIONS, UnknownType};
pub use type_name::{TypeName, TypeNameError};
pub use validation::{
    Finding, MAX_CHECK_DEPTH, MAX_CHECK_STEPS, MAX_REPORT_BYTES, NotChecked, Place, SchemaError,
    Validation, ValidationError,
};

use crate::text::Text;
use crate::timestamp::Timestamp;

/// The largest number of types in the catalogue.
pub const MAX_TYPES: u32 = 1_000;

/// A description, for people.
pub type Description = Text<1, 1_024>;
/// The name of a group, such as a part of the product.
pub type Group = Text<1, 64>;
/// A JSON Schema of the event's `detail`.
pub type Schema = JsonObject<32_768>;
/// An example of the event's `detail`.
pub type Example = JsonObject<8_192>;

/// An event type in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// The name of the type.
    pub name: TypeName,
    /// The texts, the schema and the examples.
    pub documentation: Documentation,
    /// The time of the first write.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
    /// The number of changes, from 1.
    pub version: u64,
}

/// The fields of a type that a request writes as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Documentation {
    /// A description, for people.
    pub description: Option<Description>,
    /// The group of types to which it belongs.
    pub group: Option<Group>,
    /// The schema of the event's `detail`.
    pub schema: Option<Schema>,
    /// The effect of the schema on events.
    pub validation: Validation,
    /// Examples of the event's `detail`.
    pub examples: Examples,
    /// The deprecation. `None` if the type is in use.
    pub deprecation: Option<Deprecation>,
}

/// A type that is deprecated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deprecation {
    /// The type that replaces it.
    pub replaced_by: Option<TypeName>,
}

/// At most three examples. A test sends the first one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examples(Vec<Example>);

/// There are too many examples.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be at most {max}, is {len}", max = Examples::MAX_COUNT)]
pub struct TooManyExamples {
    /// The number of examples.
    len: usize,
}

impl Examples {
    /// The largest number of examples.
    pub const MAX_COUNT: usize = 3;

    /// Stored examples. They were checked when they were stored, and are not checked again.
    pub fn from_stored(texts: Vec<String>) -> Self {
        Self(texts.into_iter().map(Example::from_stored).collect())
    }

    /// The first example.
    pub fn first(&self) -> Option<&Example> {
        self.0.first()
    }

    /// The examples, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Example> {
        self.0.iter()
    }
}

impl TryFrom<Vec<Example>> for Examples {
    type Error = TooManyExamples;

    fn try_from(examples: Vec<Example>) -> Result<Self, TooManyExamples> {
        let len = examples.len();
        if len > Self::MAX_COUNT {
            return Err(TooManyExamples { len });
        }
        Ok(Self(examples))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_at_most_three_examples() {
        let examples = |count| vec![Example::parse("{}").unwrap(); count];
        assert!(Examples::try_from(examples(3)).is_ok());
        let refused = Examples::try_from(examples(4)).unwrap_err();
        assert_eq!(refused.to_string(), "must be at most 3, is 4");
    }
}
