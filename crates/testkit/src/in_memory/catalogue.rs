//! The in-memory event catalogue.

use std::ops::Bound;

use webhooks_domain::broken::Readable;
use webhooks_domain::catalogue::{
    CatalogueEntry, Documentation, IndexedType, MAX_TYPES, TypeIndex, TypeName, ValidatedType,
    ValidatedTypes,
};
use webhooks_domain::paging::EntryPage;
use webhooks_domain::ports::{Addition, CatalogueTable, StoreError, WriteOutcome};

use super::{InMemoryBackend, State};
use crate::samples;

impl State {
    /// Returns true if the stored type has the version that was read.
    fn is_as_read(&self, read: &CatalogueEntry) -> bool {
        let stored = self.catalogue.get(&read.name);
        stored.is_some_and(|stored| stored.version == read.version)
    }
}

impl InMemoryBackend {
    /// Fills the catalogue until there is room for one more type.
    pub fn fill_catalogue(&self) {
        let mut state = self.state();
        for number in 1..MAX_TYPES {
            let name = TypeName::from_stored(format!("filling.{number}"));
            let entry = CatalogueEntry {
                name: name.clone(),
                documentation: Documentation::default(),
                created_at: samples::NOW,
                updated_at: samples::NOW,
                version: 1,
            };
            state.catalogue.insert(name, entry);
        }
    }
}

impl CatalogueTable for InMemoryBackend {
    async fn event_type(&self, name: &TypeName) -> Result<Option<CatalogueEntry>, StoreError> {
        self.store(|state| state.catalogue.get(name).cloned())
    }

    async fn event_types(
        &self,
        after: Option<&TypeName>,
        limit: u32,
    ) -> Result<EntryPage<Readable<CatalogueEntry, TypeName>>, StoreError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.store(|state| {
            let range = (start, Bound::Unbounded);
            let mut rest = state.catalogue.range::<TypeName, _>(range);
            let page = rest.by_ref().take(limit as usize);
            EntryPage {
                entries: page.map(|(_, found)| Ok(found.clone())).collect(),
                has_more: rest.next().is_some(),
            }
        })
    }

    async fn type_index(&self) -> Result<TypeIndex, StoreError> {
        self.store(|state| {
            let types = state.catalogue.iter();
            let types = types.map(|(name, entry)| (name.clone(), IndexedType::of(entry)));
            types.collect()
        })
    }

    async fn validated_types(&self) -> Result<ValidatedTypes, StoreError> {
        self.store(|state| {
            let types = state.catalogue.iter();
            let types = types
                .filter_map(|(name, entry)| Some((name.to_string(), ValidatedType::of(entry)?)));
            types.collect()
        })
    }

    async fn add_event_type(&self, added: &CatalogueEntry) -> Result<Addition, StoreError> {
        self.store(|state| {
            if state.catalogue.contains_key(&added.name) {
                return Addition::Conflict;
            }
            if state.catalogue.len() >= MAX_TYPES as usize {
                return Addition::Full;
            }
            state.catalogue.insert(added.name.clone(), added.clone());
            Addition::Added
        })
    }

    async fn replace_event_type(
        &self,
        read: &CatalogueEntry,
        changed: &CatalogueEntry,
    ) -> Result<WriteOutcome, StoreError> {
        self.store(|state| {
            if !state.is_as_read(read) {
                return WriteOutcome::Conflict;
            }
            state.catalogue.insert(read.name.clone(), changed.clone());
            WriteOutcome::Written
        })
    }

    async fn delete_event_type(&self, read: &CatalogueEntry) -> Result<WriteOutcome, StoreError> {
        self.store(|state| {
            if !state.is_as_read(read) {
                return WriteOutcome::Conflict;
            }
            state.catalogue.remove(&read.name);
            WriteOutcome::Written
        })
    }
}
