//! The contract of the event catalogue.

use futures_util::future::join_all;
use webhooks_domain::catalogue::{
    CatalogueEntry, Deprecation, Description, Documentation, Example, Examples, Group, IndexedType,
    Schema, TypeIndex, TypeName, ValidatedType, ValidatedTypes, Validation,
};
use webhooks_domain::ports::{Addition, CatalogueTable, WriteOutcome};

use super::DUE;
use crate::samples;

fn entry(name: &TypeName, version: u64) -> CatalogueEntry {
    CatalogueEntry {
        name: name.clone(),
        documentation: Documentation::default(),
        created_at: samples::NOW,
        updated_at: samples::NOW,
        version,
    }
}

fn documented(read: &CatalogueEntry) -> CatalogueEntry {
    let examples = [r#"{"n": 12345678901234567890.10}"#, "{}"];
    let examples = examples.map(|text| Example::parse(text).expect("an object"));
    CatalogueEntry {
        documentation: Documentation {
            description: Some(Description::from_stored("An order.".to_owned())),
            group: Some(Group::from_stored("orders".to_owned())),
            schema: Some(Schema::from_stored(r#"{"type": "object"}"#.to_owned())),
            validation: Validation::Warn,
            examples: Examples::try_from(examples.to_vec()).expect("two"),
            deprecation: Some(Deprecation {
                replaced_by: Some(TypeName::from_stored("order.v2".to_owned())),
            }),
        },
        updated_at: DUE,
        version: read.version + 1,
        ..read.clone()
    }
}

/// A type is added once, and replaced and deleted only in the version that was read. Types are
/// listed in the order of their names. The store must have no types before.
pub async fn catalogue<S: CatalogueTable>(store: &S) {
    let add = async |entry: &CatalogueEntry| store.add_event_type(entry).await.expect("answers");
    let stored = async |name: &TypeName| store.event_type(name).await.expect("answers");
    let list = async |after: Option<&TypeName>, limit| {
        let page = store.event_types(after, limit).await.expect("answers");
        let entries = page.entries.into_iter().map(|read| read.expect("whole"));
        (entries.collect::<Vec<_>>(), page.has_more)
    };
    let delete = async |read: &CatalogueEntry| {
        let outcome = store.delete_event_type(read).await;
        outcome.expect("answers")
    };
    let [b, a, spaced] = ["b.2", "a", "B C"].map(|name| name.parse().expect("a name"));
    assert_eq!(
        (stored(&a).await, list(None, 9).await),
        (None, (vec![], false))
    );

    let first = entry(&b, 1);
    assert_eq!(add(&first).await, Addition::Added);
    assert_eq!(add(&first).await, Addition::Conflict);
    let second = documented(&first);
    for expected in [WriteOutcome::Written, WriteOutcome::Conflict] {
        let outcome = store.replace_event_type(&first, &second).await;
        assert_eq!(outcome.expect("answers"), expected);
    }
    assert_eq!(stored(&b).await.as_ref(), Some(&second));
    // It may lose all that it had.
    let third = entry(&b, 3);
    let outcome = store.replace_event_type(&second, &third).await;
    assert_eq!(outcome.expect("answers"), WriteOutcome::Written);
    assert_eq!(stored(&b).await.as_ref(), Some(&third));
    let absent = store.replace_event_type(&entry(&a, 1), &entry(&a, 2)).await;
    assert_eq!(absent.expect("answers"), WriteOutcome::Conflict);
    assert_eq!(stored(&a).await, None, "a replacement adds nothing");

    let (other, added) = (entry(&a, 1), entry(&spaced, 1));
    assert_eq!(add(&other).await, Addition::Added);
    assert_eq!(add(&added).await, Addition::Added);
    let all = [added, other, third];
    assert_eq!(list(None, 9).await, (all.to_vec(), false));
    assert_eq!(list(None, 2).await, (all[..2].to_vec(), true));
    assert_eq!(list(Some(&a), 2).await, (all[2..].to_vec(), false));

    assert_eq!(
        delete(&second).await,
        WriteOutcome::Conflict,
        "an old version"
    );
    for read in &all {
        assert_eq!(delete(read).await, WriteOutcome::Written);
        assert_eq!(delete(read).await, WriteOutcome::Conflict);
    }
    assert_eq!(list(None, 9).await, (vec![], false));
}

/// The index and the list of validated types change with every write of a type, and only then. The
/// store must have no types before.
pub async fn catalogue_summaries<S: CatalogueTable>(store: &S) {
    let must_have = async |entries: &[&CatalogueEntry]| {
        let indexed = entries.iter();
        let indexed = indexed.map(|entry| (entry.name.clone(), IndexedType::of(entry)));
        let index = store.type_index().await.expect("answers");
        assert_eq!(index, indexed.collect::<TypeIndex>());
        let validated = entries
            .iter()
            .filter_map(|entry| Some((entry.name.to_string(), ValidatedType::of(entry)?)));
        let types = store.validated_types().await.expect("answers");
        assert_eq!(types, validated.collect::<ValidatedTypes>());
    };
    must_have(&[]).await;
    let [first, second] =
        ["types", "expiresAt"].map(|name| entry(&name.parse().expect("a name"), 1));
    for added in [&first, &second, &first] {
        store.add_event_type(added).await.expect("answers");
    }
    must_have(&[&first, &second]).await;
    let with = |read: &CatalogueEntry, validation| CatalogueEntry {
        documentation: Documentation {
            validation,
            ..documented(read).documentation
        },
        version: read.version + 1,
        ..read.clone()
    };
    let mut current = first.clone();
    for validation in [
        Validation::Off,
        Validation::Warn,
        Validation::Refuse,
        Validation::Refuse,
        Validation::Off,
        Validation::Warn,
    ] {
        let changed = with(&current, validation);
        for _ in 0..2 {
            let outcome = store.replace_event_type(&current, &changed).await;
            outcome.expect("answers");
        }
        must_have(&[&changed, &second]).await;
        current = changed;
    }
    let stale = store
        .replace_event_type(&first, &with(&first, Validation::Off))
        .await;
    assert_eq!(stale.expect("answers"), WriteOutcome::Conflict);
    must_have(&[&current, &second]).await;

    // Writes of different types at the same time do not lose each other.
    let names = ["c", "d", "e", "f"].map(|name| name.parse().expect("a name"));
    let added = names.map(|name| with(&entry(&name, 0), Validation::Warn));
    let writes = added.iter().map(|entry| store.add_event_type(entry));
    for outcome in join_all(writes).await {
        assert_eq!(outcome.expect("answers"), Addition::Added);
    }
    let mut all = vec![&current, &second];
    all.extend(&added);
    must_have(&all).await;
    for deleted in all {
        let outcome = store.delete_event_type(deleted).await;
        assert_eq!(outcome.expect("answers"), WriteOutcome::Written);
    }
    must_have(&[]).await;
}

/// A catalogue with [`MAX_TYPES`](webhooks_domain::catalogue::MAX_TYPES) types takes no more, until one is deleted.
///
/// `fill` lets the catalogue have one type less than that, none of which begins with `last`.
pub async fn catalogue_bound<S: CatalogueTable>(store: &S, fill: impl AsyncFn()) {
    fill().await;
    let [last, more] = ["last", "last.2"].map(|name| entry(&name.parse().expect("a name"), 1));
    let add = async |entry: &CatalogueEntry| store.add_event_type(entry).await.expect("answers");
    assert_eq!(add(&last).await, Addition::Added);
    assert_eq!(add(&more).await, Addition::Full);
    assert_eq!(add(&last).await, Addition::Conflict);
    let deleted = store.delete_event_type(&last).await.expect("answers");
    assert_eq!(deleted, WriteOutcome::Written);
    assert_eq!(add(&more).await, Addition::Added);
}
