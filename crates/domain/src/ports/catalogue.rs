//! The table's event catalogue.

use std::future::Future;

use super::{StoreError, WriteOutcome};
use crate::broken::Readable;
use crate::catalogue::{CatalogueEntry, TypeIndex, TypeName, ValidatedTypes};
use crate::paging::EntryPage;

/// The table's event catalogue.
pub trait CatalogueTable {
    /// Reads an event type.
    fn event_type(
        &self,
        name: &TypeName,
    ) -> impl Future<Output = Result<Option<CatalogueEntry>, StoreError>> + Send;

    /// Lists at most `limit` event types in the order of their names, after the given one. A page
    /// may be short while `has_more` is true, but then has at least one type.
    fn event_types(
        &self,
        after: Option<&TypeName>,
        limit: u32,
    ) -> impl Future<Output = Result<EntryPage<Readable<CatalogueEntry, TypeName>>, StoreError>> + Send;

    /// Reads the names of all types at once. Every addition, replacement and deletion changes it in
    /// the same write.
    fn type_index(&self) -> impl Future<Output = Result<TypeIndex, StoreError>> + Send;

    /// Reads the types that validate their events at once. Every addition, replacement and deletion
    /// changes it in the same write. A type of which this cannot be read is left out.
    fn validated_types(&self) -> impl Future<Output = Result<ValidatedTypes, StoreError>> + Send;

    /// Adds an event type, if there is none of this name and the catalogue has less than
    /// [`MAX_TYPES`](crate::catalogue::MAX_TYPES). A repetition is a conflict.
    fn add_event_type(
        &self,
        added: &CatalogueEntry,
    ) -> impl Future<Output = Result<Addition, StoreError>> + Send;

    /// Replaces an event type, if its stored version is that of `read`. A repetition is a conflict.
    fn replace_event_type(
        &self,
        read: &CatalogueEntry,
        changed: &CatalogueEntry,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Deletes an event type, if its stored version is that of `read`. A repetition is a conflict.
    fn delete_event_type(
        &self,
        read: &CatalogueEntry,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}

/// The result of an addition to the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addition {
    /// The type was added.
    Added,
    /// There is a type of this name.
    Conflict,
    /// The catalogue has as many types as it may have.
    Full,
}
