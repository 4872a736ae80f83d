//! Two lists of the catalogue with one item each: all types, and those that validate their events.

use std::collections::BTreeMap;

use super::{CatalogueEntry, Group, TypeName, Validation};
use crate::timestamp::Timestamp;

/// The names of all types. It is kept with every change of the catalogue, and read with one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeIndex(BTreeMap<TypeName, IndexedType>);

/// A type in the index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexedType {
    /// The group of types to which it belongs.
    pub group: Option<Group>,
    /// Its deprecation.
    pub use_of_it: UseOfType,
}

/// The use of a type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UseOfType {
    /// It is in use.
    #[default]
    Current,
    /// It should not be used any more.
    Deprecated,
}

impl IndexedType {
    /// The part of a type that the index has.
    pub fn of(entry: &CatalogueEntry) -> Self {
        let documentation = &entry.documentation;
        Self {
            group: documentation.group.clone(),
            use_of_it: match documentation.deprecation {
                Some(_) => UseOfType::Deprecated,
                None => UseOfType::Current,
            },
        }
    }
}

impl FromIterator<(TypeName, IndexedType)> for TypeIndex {
    fn from_iter<I: IntoIterator<Item = (TypeName, IndexedType)>>(types: I) -> Self {
        Self(types.into_iter().collect())
    }
}

impl TypeIndex {
    /// Returns true if the catalogue has no type.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The types in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&TypeName, &IndexedType)> {
        self.0.iter()
    }

    /// The names of the types.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(TypeName::as_str)
    }
}

/// The types that validate their events: only those whose validation is not `off`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValidatedTypes(BTreeMap<String, ValidatedType>);

/// A type that validates its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidatedType {
    /// The effect on an event that fails the check.
    pub validation: Validation,
    /// The version of the type.
    pub version: u64,
    /// The time of its last change: a type that was deleted and added again has other times.
    pub updated_at: Timestamp,
}

impl ValidatedType {
    /// The validation of a type. `None` if it is `off`.
    pub fn of(entry: &CatalogueEntry) -> Option<Self> {
        let validation = entry.documentation.validation;
        (!validation.is_off()).then_some(Self {
            validation,
            version: entry.version,
            updated_at: entry.updated_at,
        })
    }
}

impl FromIterator<(String, ValidatedType)> for ValidatedTypes {
    fn from_iter<I: IntoIterator<Item = (String, ValidatedType)>>(types: I) -> Self {
        Self(types.into_iter().collect())
    }
}

impl ValidatedTypes {
    /// The validation of the type with this name. `None` if it has none, or if there is no such type.
    pub fn get(&self, name: &str) -> Option<ValidatedType> {
        self.0.get(name).copied()
    }
}
