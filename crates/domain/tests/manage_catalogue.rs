//! The management of the event catalogue.

#![allow(clippy::unwrap_used)]

use futures_util::FutureExt;
use webhooks_domain::broken::Readable;
use webhooks_domain::catalogue::{
    CatalogueEntry, Deprecation, Documentation, Group, TypeIndex, TypeName, ValidatedTypes,
};
use webhooks_domain::manage::ExpectedVersion;
use webhooks_domain::manage_catalogue::{CatalogueError, ManageCatalogue, WrittenEntry};
use webhooks_domain::paging::EntryPage;
use webhooks_domain::ports::{Addition, CatalogueTable, StoreError, WriteOutcome};
use webhooks_testkit::{Fault, InMemoryBackend};

type Catalogue = ManageCatalogue<InMemoryBackend, InMemoryBackend>;

fn catalogue() -> (InMemoryBackend, Catalogue) {
    let backend = InMemoryBackend::default();
    let manage = ManageCatalogue {
        table: backend.clone(),
        clock: backend.clone(),
    };
    (backend, manage)
}

fn name() -> TypeName {
    "order.created".parse().unwrap()
}

fn of_group(group: &str) -> Documentation {
    Documentation {
        group: Some(Group::from_stored(group.to_owned())),
        ..Documentation::default()
    }
}

fn replace(
    manage: &Catalogue,
    expected: &ExpectedVersion,
    group: &str,
) -> Result<WrittenEntry, CatalogueError> {
    let name = name();
    let written = manage.replace(&name, expected, of_group(group));
    written.now_or_never().unwrap()
}

fn show(manage: &Catalogue) -> CatalogueEntry {
    manage.show(&name()).now_or_never().unwrap().unwrap()
}

const ANY: ExpectedVersion = ExpectedVersion::Any;

#[test]
fn a_write_makes_a_version_only_if_it_changes_something() {
    let (_, manage) = catalogue();
    let created = replace(&manage, &ANY, "a").unwrap();
    assert!(created.before.is_none());
    let same = replace(&manage, &ANY, "a").unwrap();
    assert_eq!(
        (same.entry.version, &same.before),
        (1, &Some(created.entry))
    );
    let changed = replace(&manage, &ANY, "b").unwrap();
    assert_eq!(changed.entry.version, 2);
    assert_eq!(show(&manage), changed.entry);
}

#[test]
fn a_write_or_deletion_for_another_version_changes_nothing() {
    let (_, manage) = catalogue();
    let second = ExpectedVersion::OneOf(vec![2]);
    for expected in [&second, &ExpectedVersion::Existing] {
        let absent = replace(&manage, expected, "a");
        assert!(matches!(absent, Err(CatalogueError::AnotherVersion { .. })));
    }
    let created = replace(&manage, &ANY, "a").unwrap();
    let stale = replace(&manage, &second, "b");
    assert!(matches!(stale, Err(CatalogueError::AnotherVersion { .. })));
    let name = name();
    let stale = manage.delete(&name, &second).now_or_never().unwrap();
    assert!(matches!(stale, Err(CatalogueError::AnotherVersion { .. })));
    assert_eq!(show(&manage), created.entry);
    let deleted = manage.delete(&name, &ANY).now_or_never().unwrap();
    assert_eq!(deleted.unwrap(), created.entry);
    let again = manage.delete(&name, &ANY).now_or_never().unwrap();
    assert!(matches!(again, Err(CatalogueError::NotFound { .. })));
}

#[test]
fn a_type_does_not_replace_itself() {
    let (_, manage) = catalogue();
    let documentation = Documentation {
        deprecation: Some(Deprecation {
            replaced_by: Some(name()),
        }),
        ..Documentation::default()
    };
    let name = name();
    let written = manage.replace(&name, &ANY, documentation);
    let refused = written.now_or_never().unwrap().unwrap_err();
    let text = "deprecated: replacedBy: must be another event type";
    assert_eq!(refused.to_string(), text);
}

#[test]
fn a_full_catalogue_takes_changes_but_no_new_type() {
    let (backend, manage) = catalogue();
    backend.fill_catalogue();
    replace(&manage, &ANY, "a").unwrap();
    replace(&manage, &ANY, "b").unwrap();
    let name = "order.paid".parse().unwrap();
    let refused = manage.replace(&name, &ANY, Documentation::default());
    let refused = refused.now_or_never().unwrap().unwrap_err();
    assert!(matches!(refused, CatalogueError::Full));
    assert!(refused.to_string().contains("1000"), "{refused}");
}

#[test]
fn a_failure_of_the_table_is_an_error_and_a_repetition_succeeds() {
    for boundary in 0..2 {
        for fault in [Fault::Before, Fault::After] {
            let (backend, manage) = catalogue();
            let faults = std::iter::repeat_n(Fault::None, boundary).chain([fault]);
            backend.plant(faults);
            let failed = replace(&manage, &ANY, "a");
            assert!(matches!(failed, Err(CatalogueError::Store(_))));
            let repeated = replace(&manage, &ANY, "a").unwrap();
            assert_eq!(repeated.entry.version, 1, "{boundary} {fault:?}");
        }
    }
}

/// A table whose client repeats each write, as if the first response was lost.
struct Repeating(InMemoryBackend);

impl CatalogueTable for Repeating {
    async fn event_type(&self, name: &TypeName) -> Result<Option<CatalogueEntry>, StoreError> {
        self.0.event_type(name).await
    }

    async fn event_types(
        &self,
        after: Option<&TypeName>,
        limit: u32,
    ) -> Result<EntryPage<Readable<CatalogueEntry, TypeName>>, StoreError> {
        self.0.event_types(after, limit).await
    }

    async fn type_index(&self) -> Result<TypeIndex, StoreError> {
        self.0.type_index().await
    }

    async fn validated_types(&self) -> Result<ValidatedTypes, StoreError> {
        self.0.validated_types().await
    }

    async fn add_event_type(&self, added: &CatalogueEntry) -> Result<Addition, StoreError> {
        self.0.add_event_type(added).await?;
        self.0.add_event_type(added).await
    }

    async fn replace_event_type(
        &self,
        read: &CatalogueEntry,
        changed: &CatalogueEntry,
    ) -> Result<WriteOutcome, StoreError> {
        self.0.replace_event_type(read, changed).await?;
        self.0.replace_event_type(read, changed).await
    }

    async fn delete_event_type(&self, read: &CatalogueEntry) -> Result<WriteOutcome, StoreError> {
        self.0.delete_event_type(read).await?;
        self.0.delete_event_type(read).await
    }
}

#[test]
fn a_write_whose_response_was_lost_is_found_to_be_its_own() {
    let (backend, _) = catalogue();
    let manage = ManageCatalogue {
        table: Repeating(backend.clone()),
        clock: backend,
    };
    let name = name();
    let write = |expected: &ExpectedVersion, group: &str| {
        let written = manage.replace(&name, expected, of_group(group));
        written.now_or_never().unwrap().unwrap()
    };
    let created = write(&ANY, "a");
    assert!(created.before.is_none());
    let changed = write(&ExpectedVersion::OneOf(vec![1]), "b");
    assert_eq!(changed.before, Some(created.entry));
    assert_eq!(changed.entry.version, 2);
}
