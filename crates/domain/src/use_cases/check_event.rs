//! The validation at the door: checks an event by the schema of its type, if that type validates its
//! events.
//!
//! An execution environment reads the list of these types once in each period, with one call for one
//! item, and a type's schema once for each of its versions. An event whose type is not in the list
//! costs no read.
//!
//! All events depend on the list, so it has a partition of its own: nothing that a customer can do reads
//! it. If it cannot be read nevertheless, the list in memory is used for [`MAX_LIST_AGE`] after it was
//! read. Without such a list, and if a type that validates cannot be read, the look-up fails with a
//! temporary error, and the workflow tries again. An event is never refused because the catalogue cannot
//! be read.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::catalogue::{
    CatalogueEntry, Finding, NotChecked, TypeName, ValidatedType, ValidatedTypes, Validation,
};
use crate::event_type::EventType;
use crate::ports::{
    CatalogueTable, Clock, CompileError, CompiledSchema, CompilerNotStarted, SchemaCompiler,
    StoreError,
};
use crate::timestamp::Timestamp;

/// The longest time for which a list is used after it was read, while it cannot be read again.
pub const MAX_LIST_AGE: Duration = Duration::from_mins(15);
/// The time between two tries to read the list while it cannot be read.
pub const LIST_RETRY: Duration = Duration::from_secs(5);

/// The most compiled schemas in memory.
const MAX_SCHEMAS: usize = 64;
/// The most memory of compiled schemas, in bytes, of the 128 MB that the function has. It does not follow
/// from the length of their texts: a regular expression of a few characters takes tens of kilobytes.
const MAX_SCHEMA_BYTES: usize = 16_777_216;

/// The result of the check of an event that may not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The effect on the event.
    pub validation: Validation,
    /// The reason.
    pub finding: Finding,
}

/// The reason why an event could not be checked now. A retry may help.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The catalogue could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The schema could not be compiled now.
    #[error(transparent)]
    NotStarted(#[from] CompilerNotStarted),
}

/// Checks events before they are looked up.
pub trait EventCheck {
    /// Checks the text of an event's `detail`. `None` if the event passes.
    fn check(
        &self,
        event_type: &EventType,
        detail: &str,
    ) -> impl Future<Output = Result<Option<Checked>, CheckError>> + Send;
}

/// Checks no event.
#[derive(Debug, Clone, Copy)]
pub struct NoCheck;

impl EventCheck for NoCheck {
    async fn check(&self, _: &EventType, _: &str) -> Result<Option<Checked>, CheckError> {
        Ok(None)
    }
}

/// Checks events by the catalogue.
#[derive(Debug)]
pub struct CheckByCatalogue<T, S: SchemaCompiler, C> {
    table: T,
    schemas: S,
    clock: C,
    /// The time for which the list of types is used.
    period: Duration,
    memory: Mutex<Memory<S::Compiled>>,
    /// The failed reads of the list since they were last taken.
    failed_reads: AtomicU64,
}

/// The memory of an execution environment.
#[derive(Debug)]
struct Memory<S> {
    list: Option<List>,
    /// The type that was used last is the last one.
    schemas: Vec<Remembered<S>>,
}

/// The list of the types that validate, in memory.
#[derive(Debug)]
struct List {
    types: Arc<ValidatedTypes>,
    read_at: Timestamp,
    /// The time from which it is read again.
    read_again: Timestamp,
}

impl List {
    /// Returns true if it need not be read again yet. After a step back of the clock it must be.
    fn is_fresh(&self, now: Timestamp) -> bool {
        (self.read_at..self.read_again).contains(&now)
    }

    /// Returns true if it may be used while it cannot be read.
    fn is_usable(&self, now: Timestamp) -> bool {
        (self.read_at..self.read_at + MAX_LIST_AGE).contains(&now)
    }
}

/// The schema of a type, as the list had it.
#[derive(Debug)]
struct Remembered<S> {
    name: TypeName,
    listed: ValidatedType,
    /// The memory of the compiled schema.
    bytes: usize,
    rule: Rule<S>,
}

#[derive(Debug)]
enum Rule<S> {
    /// The type has been deleted or changed since, and checks nothing.
    Nothing,
    Schema(Validation, Arc<S>),
    /// The schema or the whole type cannot be read.
    Unreadable(Validation),
}

impl<S> Clone for Rule<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Schema(validation, schema) => Self::Schema(*validation, Arc::clone(schema)),
            Self::Unreadable(validation) => Self::Unreadable(*validation),
        }
    }
}

impl<T: CatalogueTable, S: SchemaCompiler, C: Clock> CheckByCatalogue<T, S, C> {
    /// The check with its ports. A change of the catalogue applies after this period at the latest.
    pub fn new(table: T, schemas: S, clock: C, period: Duration) -> Self {
        Self {
            table,
            schemas,
            clock,
            period,
            memory: Mutex::new(Memory {
                list: None,
                schemas: Vec::new(),
            }),
            failed_reads: AtomicU64::new(0),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory<S::Compiled>> {
        // It is consistent even if a thread panicked.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the number of failed reads of the list since the last call: those after which events
    /// were checked by the list in memory.
    pub fn take_failed_reads(&self) -> u64 {
        self.failed_reads.swap(0, Ordering::Relaxed)
    }

    /// The types that validate, as they were at most one period ago. If they cannot be read: at most
    /// [`MAX_LIST_AGE`] ago.
    async fn types(&self) -> Result<Arc<ValidatedTypes>, StoreError> {
        let now = self.clock.now();
        if let Some(list) = &self.memory().list
            && list.is_fresh(now)
        {
            return Ok(Arc::clone(&list.types));
        }
        let failure = match self.table.validated_types().await {
            Ok(types) => {
                let types = Arc::new(types);
                self.memory().list = Some(List {
                    types: Arc::clone(&types),
                    read_at: now,
                    read_again: now + self.period,
                });
                return Ok(types);
            }
            Err(failure) => failure,
        };
        match (&mut self.memory().list, &failure) {
            (Some(list), StoreError::Unavailable { .. }) if list.is_usable(now) => {
                list.read_again = (now + LIST_RETRY).min(list.read_at + MAX_LIST_AGE);
                self.failed_reads.fetch_add(1, Ordering::Relaxed);
                Ok(Arc::clone(&list.types))
            }
            _ => Err(failure),
        }
    }

    /// The rule of a type in this version, or in a later one.
    async fn rule(
        &self,
        name: &TypeName,
        listed: ValidatedType,
    ) -> Result<Rule<S::Compiled>, CheckError> {
        if let Some(rule) = self.memory().find(name, listed) {
            return Ok(rule);
        }
        let (rule, bytes) = match self.table.event_type(name).await {
            Ok(Some(entry)) => self.compiled(&entry)?,
            Ok(None) => (Rule::Nothing, 0),
            Err(StoreError::Corrupt { .. }) => (Rule::Unreadable(listed.validation), 0),
            Err(error @ StoreError::Unavailable { .. }) => return Err(error.into()),
        };
        self.memory().keep(Remembered {
            name: name.clone(),
            listed,
            bytes,
            rule: rule.clone(),
        });
        Ok(rule)
    }

    fn compiled(
        &self,
        entry: &CatalogueEntry,
    ) -> Result<(Rule<S::Compiled>, usize), CompilerNotStarted> {
        let documentation = &entry.documentation;
        let validation = documentation.validation;
        let Some(schema) = documentation
            .schema
            .as_ref()
            .filter(|_| !validation.is_off())
        else {
            return Ok((Rule::Nothing, 0));
        };
        match self.schemas.compile(schema) {
            Ok(compiled) => {
                let bytes = compiled.size_bytes();
                let rule = Rule::Schema(validation, Arc::new(compiled));
                Ok((rule, bytes))
            }
            Err(CompileError::Schema(_)) => Ok((Rule::Unreadable(validation), 0)),
            Err(CompileError::NotStarted(failure)) => Err(failure),
        }
    }
}

impl<S> Memory<S> {
    fn find(&mut self, name: &TypeName, listed: ValidatedType) -> Option<Rule<S>> {
        let place = self.schemas.iter().position(|kept| kept.name == *name)?;
        let kept = self.schemas.remove(place);
        if kept.listed != listed {
            return None;
        }
        let rule = kept.rule.clone();
        self.schemas.push(kept);
        Some(rule)
    }

    /// Keeps a schema, and forgets the ones that were not used for the longest time.
    fn keep(&mut self, new: Remembered<S>) {
        self.schemas.retain(|kept| kept.name != new.name);
        self.schemas.push(new);
        let mut bytes: usize = self.schemas.iter().map(|kept| kept.bytes).sum();
        while self.schemas.len() > MAX_SCHEMAS || bytes > MAX_SCHEMA_BYTES {
            bytes -= self.schemas.remove(0).bytes;
        }
    }
}

impl<T, S, C> EventCheck for CheckByCatalogue<T, S, C>
where
    T: CatalogueTable + Sync,
    S: SchemaCompiler + Sync,
    C: Clock + Sync,
{
    async fn check(
        &self,
        event_type: &EventType,
        detail: &str,
    ) -> Result<Option<Checked>, CheckError> {
        let types = self.types().await?;
        let Some(listed) = types.get(event_type.as_str()) else {
            return Ok(None);
        };
        // Every listed name is one.
        let Ok(name) = event_type.as_str().parse::<TypeName>() else {
            return Ok(None);
        };
        let (validation, result) = match self.rule(&name, listed).await? {
            Rule::Nothing => return Ok(None),
            Rule::Schema(validation, schema) => (validation, schema.check(detail)),
            Rule::Unreadable(validation) => {
                (validation, Err(Finding::NotChecked(NotChecked::Schema)))
            }
        };
        Ok(result.err().map(|finding| Checked {
            validation,
            finding,
        }))
    }
}
