//! The event catalogue: list, read, write and delete.

use crate::broken::Readable;
use crate::catalogue::{CatalogueEntry, Documentation, MAX_TYPES, TypeName};
use crate::fields::FieldError;
use crate::manage::ExpectedVersion;
use crate::paging::EntryPage;
use crate::ports::{Addition, CatalogueTable, Clock, StoreError, WriteOutcome};

/// The number of tries of a write that conflicts with others.
const MAX_TRIES: u32 = 4;

/// The reason why an event type could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A field of the request is not valid.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The catalogue has no such type.
    #[error("the catalogue has no event type `{name}`")]
    NotFound {
        /// The type.
        name: TypeName,
    },
    /// There were concurrent changes.
    #[error("event type `{name}` was changed at the same time: read it and try again")]
    Conflict {
        /// The type.
        name: TypeName,
    },
    /// It does not have the version that the request requires.
    #[error("event type `{name}` has another version by now: read it and try again")]
    AnotherVersion {
        /// The type.
        name: TypeName,
    },
    /// The catalogue is full.
    #[error("the catalogue has {MAX_TYPES} event types, and may not have more")]
    Full,
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The result of a request that writes an event type.
#[derive(Debug)]
pub struct WrittenEntry {
    /// The type before. `None` if the request has created it.
    pub before: Option<CatalogueEntry>,
    /// The type after the request. If nothing has changed, it has its old version.
    pub entry: CatalogueEntry,
}

/// The management of the catalogue, with its ports.
#[derive(Debug)]
pub struct ManageCatalogue<T, C> {
    /// The catalogue.
    pub table: T,
    /// Tells the time.
    pub clock: C,
}

impl<T: CatalogueTable, C: Clock> ManageCatalogue<T, C> {
    /// Lists a page of the types, in the order of their names.
    pub async fn list(
        &self,
        after: Option<&TypeName>,
        limit: u32,
    ) -> Result<EntryPage<Readable<CatalogueEntry, TypeName>>, StoreError> {
        self.table.event_types(after, limit).await
    }

    /// Reads a type.
    pub async fn show(&self, name: &TypeName) -> Result<CatalogueEntry, CatalogueError> {
        let found = self.table.event_type(name).await?;
        found.ok_or_else(|| CatalogueError::NotFound { name: name.clone() })
    }

    /// Writes a type as a whole. It is created if it does not exist, unless the request expects a
    /// version. A write without effect makes no new version.
    pub async fn replace(
        &self,
        name: &TypeName,
        expected: &ExpectedVersion,
        documentation: Documentation,
    ) -> Result<WrittenEntry, CatalogueError> {
        let deprecation = documentation.deprecation.as_ref();
        if deprecation.and_then(|of| of.replaced_by.as_ref()) == Some(name) {
            let problem = "replacedBy: must be another event type";
            return Err(FieldError::new("deprecated", problem).into());
        }
        let mut tried: Option<WrittenEntry> = None;
        for _ in 0..MAX_TRIES {
            let read = self.table.event_type(name).await?;
            // The write of the previous round was stored, but its response was lost.
            if let Some(written) = tried.take()
                && read.as_ref() == Some(&written.entry)
            {
                return Ok(written);
            }
            let now = self.clock.now();
            let another_version = || CatalogueError::AnotherVersion { name: name.clone() };
            let entry = match &read {
                Some(stored) if !expected.allows(stored.version) => return Err(another_version()),
                Some(stored) => CatalogueEntry {
                    documentation: documentation.clone(),
                    updated_at: now,
                    version: stored.version + 1,
                    ..stored.clone()
                },
                None if *expected != ExpectedVersion::Any => return Err(another_version()),
                None => CatalogueEntry {
                    name: name.clone(),
                    documentation: documentation.clone(),
                    created_at: now,
                    updated_at: now,
                    version: 1,
                },
            };
            let is_written = match &read {
                Some(stored) if stored.documentation == documentation => {
                    let entry = stored.clone();
                    return Ok(WrittenEntry {
                        before: read,
                        entry,
                    });
                }
                Some(stored) => {
                    let outcome = self.table.replace_event_type(stored, &entry).await?;
                    outcome == WriteOutcome::Written
                }
                None => match self.table.add_event_type(&entry).await? {
                    Addition::Added => true,
                    Addition::Conflict => false,
                    Addition::Full => return Err(CatalogueError::Full),
                },
            };
            let written = WrittenEntry {
                before: read,
                entry,
            };
            if is_written {
                return Ok(written);
            }
            tried = Some(written);
        }
        Err(CatalogueError::Conflict { name: name.clone() })
    }

    /// Deletes a type. Subscriptions and events of this type are not affected.
    pub async fn delete(
        &self,
        name: &TypeName,
        expected: &ExpectedVersion,
    ) -> Result<CatalogueEntry, CatalogueError> {
        for _ in 0..MAX_TRIES {
            let entry = self.show(name).await?;
            if !expected.allows(entry.version) {
                let name = name.clone();
                return Err(CatalogueError::AnotherVersion { name });
            }
            if self.table.delete_event_type(&entry).await? == WriteOutcome::Written {
                return Ok(entry);
            }
        }
        Err(CatalogueError::Conflict { name: name.clone() })
    }
}
