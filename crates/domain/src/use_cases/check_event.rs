//! The validation at the door: checks an event by the schema of its type, if that type validates its
//! events.
//!
//! An execution environment reads the list of these types once in each period, with one call for one
//! item, and a type's schema once for each of its versions. An event whose type is not in the list
//! costs no read. If the catalogue cannot be read, the look-up fails with a temporary error, and the
//! workflow tries again: the same table has the subscriptions, so the event could not be delivered
//! either. An event is never refused because the catalogue cannot be read.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::catalogue::{
    CatalogueEntry, Finding, NotChecked, TypeName, ValidatedType, ValidatedTypes, Validation,
};
use crate::event_type::EventType;
use crate::ports::{CatalogueTable, Clock, CompiledSchema, SchemaCompiler, StoreError};
use crate::timestamp::Timestamp;

/// The most compiled schemas in memory.
const MAX_SCHEMAS: usize = 64;
/// The most text of compiled schemas in memory, in bytes. Compiled, a schema takes several times the
/// size of its text.
const MAX_SCHEMA_BYTES: usize = 524_288;

/// The result of the check of an event that may not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The effect on the event.
    pub validation: Validation,
    /// The reason.
    pub finding: Finding,
}

/// Checks events before they are looked up.
pub trait EventCheck {
    /// Checks the text of an event's `detail`. `None` if the event passes.
    fn check(
        &self,
        event_type: &EventType,
        detail: &str,
    ) -> impl Future<Output = Result<Option<Checked>, StoreError>> + Send;
}

/// Checks no event.
#[derive(Debug, Clone, Copy)]
pub struct NoCheck;

impl EventCheck for NoCheck {
    async fn check(&self, _: &EventType, _: &str) -> Result<Option<Checked>, StoreError> {
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
}

/// The memory of an execution environment.
#[derive(Debug)]
struct Memory<S> {
    types: Option<(Timestamp, Arc<ValidatedTypes>)>,
    /// The type that was used last is the last one.
    schemas: Vec<Remembered<S>>,
}

/// The schema of a type, as the list had it.
#[derive(Debug)]
struct Remembered<S> {
    name: TypeName,
    listed: ValidatedType,
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
                types: None,
                schemas: Vec::new(),
            }),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory<S::Compiled>> {
        // It is consistent even if a thread panicked.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The types that validate, as they were at most one period ago.
    async fn types(&self) -> Result<Arc<ValidatedTypes>, StoreError> {
        let now = self.clock.now();
        if let Some((read_at, types)) = &self.memory().types
            && (*read_at..*read_at + self.period).contains(&now)
        {
            return Ok(Arc::clone(types));
        }
        let types = Arc::new(self.table.validated_types().await?);
        self.memory().types = Some((now, Arc::clone(&types)));
        Ok(types)
    }

    /// The rule of a type in this version, or in a later one.
    async fn rule(
        &self,
        name: &TypeName,
        listed: ValidatedType,
    ) -> Result<Rule<S::Compiled>, StoreError> {
        if let Some(rule) = self.memory().find(name, listed) {
            return Ok(rule);
        }
        let (rule, bytes) = match self.table.event_type(name).await {
            Ok(Some(entry)) => self.compiled(&entry),
            Ok(None) => (Rule::Nothing, 0),
            Err(StoreError::Corrupt { .. }) => (Rule::Unreadable(listed.validation), 0),
            Err(error @ StoreError::Unavailable { .. }) => return Err(error),
        };
        self.memory().keep(Remembered {
            name: name.clone(),
            listed,
            bytes,
            rule: rule.clone(),
        });
        Ok(rule)
    }

    fn compiled(&self, entry: &CatalogueEntry) -> (Rule<S::Compiled>, usize) {
        let documentation = &entry.documentation;
        let validation = documentation.validation;
        match &documentation.schema {
            Some(schema) if !validation.is_off() => {
                let bytes = schema.as_str().len();
                match self.schemas.compile(schema) {
                    Ok(compiled) => (Rule::Schema(validation, Arc::new(compiled)), bytes),
                    Err(_) => (Rule::Unreadable(validation), 0),
                }
            }
            _ => (Rule::Nothing, 0),
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
    ) -> Result<Option<Checked>, StoreError> {
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
