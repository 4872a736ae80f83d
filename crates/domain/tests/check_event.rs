//! The check of events by the schema of their type: its reads, its memory, and its effect.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use webhooks_domain::broken::Readable;
use webhooks_domain::catalogue::{
    CatalogueEntry, Documentation, Finding, NotChecked, Place, Schema, SchemaError, TypeIndex,
    TypeName, ValidatedTypes, Validation,
};
use webhooks_domain::check_event::{CheckByCatalogue, LIST_RETRY, MAX_LIST_AGE};
use webhooks_domain::errors;
use webhooks_domain::look_up::{LookUp, LookUpError, Page};
use webhooks_domain::manage::ExpectedVersion;
use webhooks_domain::manage_catalogue::ManageCatalogue;
use webhooks_domain::paging::EntryPage;
use webhooks_domain::ports::{
    Addition, CatalogueTable, CompileError, CompiledSchema, CompilerNotStarted, SchemaCompiler,
    StoreError, WriteOutcome,
};
use webhooks_testkit::{Fault, InMemoryBackend, samples};

const PERIOD: Duration = Duration::from_mins(1);

/// A catalogue that counts the reads of its items.
struct Counted {
    backend: InMemoryBackend,
    lists: AtomicUsize,
    types: Mutex<Vec<String>>,
}

impl CatalogueTable for &Counted {
    async fn event_type(&self, name: &TypeName) -> Result<Option<CatalogueEntry>, StoreError> {
        self.types.lock().unwrap().push(name.to_string());
        self.backend.event_type(name).await
    }

    async fn event_types(
        &self,
        _: Option<&TypeName>,
        _: u32,
    ) -> Result<EntryPage<Readable<CatalogueEntry, TypeName>>, StoreError> {
        unreachable!("no check lists types")
    }

    async fn type_index(&self) -> Result<TypeIndex, StoreError> {
        unreachable!("no check reads the names")
    }

    async fn validated_types(&self) -> Result<ValidatedTypes, StoreError> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        self.backend.validated_types().await
    }

    async fn add_event_type(&self, _: &CatalogueEntry) -> Result<Addition, StoreError> {
        unreachable!("no check writes")
    }

    async fn replace_event_type(
        &self,
        _: &CatalogueEntry,
        _: &CatalogueEntry,
    ) -> Result<WriteOutcome, StoreError> {
        unreachable!("no check writes")
    }

    async fn delete_event_type(&self, _: &CatalogueEntry) -> Result<WriteOutcome, StoreError> {
        unreachable!("no check writes")
    }
}

/// A schema is the text that an event must have. The schema `{}` cannot be compiled.
#[derive(Default)]
struct Texts {
    compiled: AtomicUsize,
    /// The number of compilations that do not start.
    failing: AtomicUsize,
}

struct Text(String);

impl SchemaCompiler for &Texts {
    type Compiled = Text;

    fn compile(&self, schema: &Schema) -> Result<Text, CompileError> {
        let failing = self.failing.load(Ordering::Relaxed);
        if failing > 0 {
            self.failing.store(failing - 1, Ordering::Relaxed);
            let failure = std::io::Error::from(std::io::ErrorKind::WouldBlock);
            return Err(CompilerNotStarted(failure).into());
        }
        self.compiled.fetch_add(1, Ordering::Relaxed);
        match schema.as_str() {
            "{}" => Err(SchemaError::at("", "is empty").into()),
            text => Ok(Text(
                text.trim_matches(['{', '}', '"', ':', '1']).to_owned(),
            )),
        }
    }
}

impl CompiledSchema for Text {
    /// A member `mb` of the schema is its compiled size in MB.
    fn size_bytes(&self) -> usize {
        let size = self.0.split("mb").nth(1);
        let size = size.and_then(|text| text.trim_matches(['"', ':']).parse().ok());
        size.map_or(1_000, |mb: usize| mb * 1_048_576)
    }

    fn check(&self, detail: &str) -> Result<(), Finding> {
        if detail.contains(&self.0) {
            return Ok(());
        }
        Err(Finding::Violation {
            path: Place::new("/detail"),
            rule: Place::new("/text"),
        })
    }
}

struct Stage {
    table: Counted,
    texts: Texts,
}

impl Stage {
    fn new() -> Self {
        let backend = InMemoryBackend::default();
        backend.store_subscription(&samples::subscription("acme", 1));
        Self {
            table: Counted {
                backend,
                lists: AtomicUsize::new(0),
                types: Mutex::default(),
            },
            texts: Texts::default(),
        }
    }

    fn put(&self, name: &str, validation: Validation, schema: Option<&str>) {
        let manage = ManageCatalogue {
            table: self.table.backend.clone(),
            clock: self.table.backend.clone(),
        };
        let documentation = Documentation {
            schema: schema.map(|text| Schema::parse(text).unwrap()),
            validation,
            ..Documentation::default()
        };
        let name = name.parse().unwrap();
        let put = manage.replace(&name, &ExpectedVersion::Any, documentation);
        put.now_or_never().unwrap().unwrap();
    }

    fn delete(&self, name: &str) {
        let manage = ManageCatalogue {
            table: self.table.backend.clone(),
            clock: self.table.backend.clone(),
        };
        let name = name.parse().unwrap();
        let deleted = manage.delete(&name, &ExpectedVersion::Any);
        deleted.now_or_never().unwrap().unwrap();
    }

    fn environment(&self) -> Environment<'_> {
        let clock = self.table.backend.clone();
        Environment(LookUp {
            directory: self.table.backend.clone(),
            check: CheckByCatalogue::new(&self.table, &self.texts, clock, PERIOD),
            reader: samples::event_reader(),
        })
    }

    fn wait(&self, time: Duration) {
        let backend = &self.table.backend;
        backend.set_now(backend.time() + time);
    }

    /// The reads of the list and of types, and the compilations.
    fn costs(&self) -> (usize, usize, usize) {
        (
            self.table.lists.load(Ordering::Relaxed),
            self.table.types.lock().unwrap().len(),
            self.texts.compiled.load(Ordering::Relaxed),
        )
    }
}

type Check<'s> = CheckByCatalogue<&'s Counted, &'s Texts, InMemoryBackend>;

struct Environment<'s>(LookUp<InMemoryBackend, Check<'s>>);

impl Environment<'_> {
    fn run(&self, event_type: &str, text: &str) -> Result<Page, LookUpError> {
        let event = event(event_type, text);
        self.0.run(&event).now_or_never().unwrap()
    }
}

fn event(event_type: &str, text: &str) -> String {
    format!(
        r#"{{"id":"e","detail-type":"{event_type}","time":"2026-01-31T09:30:00Z","detail":{{"customerId":"acme","text":"{text}"}}}}"#
    )
}

#[test]
fn an_event_whose_type_does_not_validate_costs_no_read() {
    let stage = Stage::new();
    stage.put("order.created", Validation::Off, Some(r#"{"good":1}"#));
    let environment = stage.environment();
    for number in 0..50 {
        let page = environment.run(["order.created", "none/such"][number % 2], "bad");
        assert_eq!(page.unwrap().warning, None);
    }
    assert_eq!(stage.costs(), (1, 0, 0));
    stage.wait(PERIOD);
    environment.run("order.created", "bad").unwrap();
    assert_eq!(stage.costs(), (2, 0, 0), "once in each period");
}

#[test]
fn a_type_is_read_and_compiled_once_for_each_version() {
    let stage = Stage::new();
    stage.put("order.created", Validation::Warn, Some(r#"{"good":1}"#));
    let environment = stage.environment();
    for _ in 0..3 {
        for _ in 0..20 {
            let page = environment.run("order.created", "good").unwrap();
            assert_eq!(page.warning, None);
            let page = environment.run("order.created", "bad").unwrap();
            assert!(page.warning.is_some());
            assert_eq!(page.subscriptions.len(), 1, "it is delivered");
        }
        stage.wait(PERIOD);
    }
    assert_eq!(stage.costs(), (3, 1, 1));
    stage.put("order.created", Validation::Warn, Some(r#"{"bad":1}"#));
    stage.wait(PERIOD);
    assert_eq!(
        environment.run("order.created", "bad").unwrap().warning,
        None
    );
    assert_eq!(stage.costs(), (4, 2, 2));
}

#[test]
fn an_event_that_breaks_the_schema_is_refused_before_the_subscriptions_are_read() {
    let stage = Stage::new();
    stage.put("order.created", Validation::Refuse, Some(r#"{"good":1}"#));
    let environment = stage.environment();
    assert!(environment.run("order.created", "good").is_ok());
    let refused = environment.run("order.created", "bad").unwrap_err();
    assert_eq!(refused.error_type(), errors::SCHEMA_VIOLATION);
    let text = "at `/detail` the event breaks the rule `/text` of its type's schema";
    assert_eq!(refused.to_string(), text);

    // The page after the first has passed the check already.
    let first = environment.run("order.created", "good").unwrap();
    stage.put("order.created", Validation::Refuse, Some(r#"{"other":1}"#));
    stage.wait(PERIOD);
    let cursor = samples::subscription_id(0);
    let next = serde_json::json!({"payload": first.message.payload, "cursor": cursor});
    let next = environment.0.run(&next.to_string()).now_or_never().unwrap();
    assert_eq!(next.unwrap().warning, None);
}

#[test]
fn a_change_applies_after_a_period() {
    let stage = Stage::new();
    let environment = stage.environment();
    let is_refused = || environment.run("order.created", "bad").is_err();
    assert!(!is_refused());
    stage.put("order.created", Validation::Refuse, Some(r#"{"good":1}"#));
    stage.wait(Duration::from_secs(59));
    assert!(!is_refused(), "not yet");
    stage.wait(Duration::from_secs(1));
    assert!(is_refused());
    stage.put("order.created", Validation::Off, None);
    stage.wait(PERIOD);
    assert!(!is_refused());
    stage.put("order.created", Validation::Refuse, Some(r#"{"good":1}"#));
    stage.wait(PERIOD);
    assert!(is_refused());
    stage.delete("order.created");
    stage.wait(PERIOD);
    assert!(!is_refused());
    // A type that has the same version as the deleted one.
    stage.put("order.created", Validation::Refuse, Some(r#"{"bad":1}"#));
    stage.wait(PERIOD);
    assert!(!is_refused());
}

/// The list is older than the type: the type decides.
#[test]
fn a_type_that_was_deleted_since_the_list_was_read_checks_nothing() {
    let stage = Stage::new();
    for name in ["a", "b"] {
        stage.put(name, Validation::Refuse, Some(r#"{"good":1}"#));
    }
    let environment = stage.environment();
    assert!(environment.run("a", "bad").is_err());
    stage.delete("b");
    assert!(environment.run("b", "bad").is_ok());
    assert!(environment.run("b", "bad").is_ok());
    assert_eq!(stage.costs(), (1, 2, 1));
}

#[test]
fn a_catalogue_that_cannot_be_read_is_a_temporary_error() {
    let stage = Stage::new();
    stage.put("order.created", Validation::Refuse, Some(r#"{"good":1}"#));
    let environment = stage.environment();
    let is_temporary = |error: &LookUpError| error.error_type() == errors::STORE_UNAVAILABLE;
    // The list, and then the type.
    for successes in [0, 1] {
        let faults = (0..successes).map(|_| Fault::None);
        stage.table.backend.plant(faults.chain([Fault::Before]));
        let failed = environment.run("order.created", "good").unwrap_err();
        assert!(is_temporary(&failed), "{failed}");
    }
    assert!(environment.run("order.created", "good").is_ok());
    let lists = stage.costs().0;
    assert_eq!(
        lists, 2,
        "the list was kept, although the type could not be read"
    );
}

#[test]
fn the_list_in_memory_is_used_for_a_time_while_it_cannot_be_read() {
    let stage = Stage::new();
    stage.put("order.created", Validation::Refuse, Some(r#"{"good":1}"#));
    let environment = stage.environment();
    let check = &environment.0.check;
    let backend = &stage.table.backend;
    let start = backend.time();
    let is_refused = |text: &str| {
        let checked = environment.run("order.created", text);
        match checked {
            Ok(_) => false,
            Err(error) => {
                assert_eq!(error.error_type(), errors::SCHEMA_VIOLATION);
                true
            }
        }
    };
    assert!(is_refused("bad"));
    assert_eq!((check.take_failed_reads(), stage.costs().0), (0, 1));

    // The check goes on by the list in memory, and does not ask for each event.
    stage.wait(PERIOD);
    for tries in 1..=3_u32 {
        backend.plant([Fault::Before]);
        assert!(is_refused("bad"));
        assert!(!is_refused("good"));
        assert_eq!(stage.costs().0, 1 + tries as usize);
        assert_eq!(check.take_failed_reads(), 1);
        assert_eq!(check.take_failed_reads(), 0);
        stage.wait(LIST_RETRY);
    }
    // Once it can be read, the change applies.
    stage.put("order.created", Validation::Off, None);
    assert!(!is_refused("bad"));
    assert_eq!((check.take_failed_reads(), stage.costs().0), (0, 5));

    // The age counts from the last successful read.
    let read_at = backend.time();
    assert!(read_at > start);
    backend.set_now(read_at + MAX_LIST_AGE - Duration::from_millis(1));
    backend.plant([Fault::Before]);
    assert!(!is_refused("bad"));
    backend.set_now(read_at + MAX_LIST_AGE);
    for _ in 0..2 {
        backend.plant([Fault::Before]);
        let failed = environment.run("order.created", "good").unwrap_err();
        assert_eq!(failed.error_type(), errors::STORE_UNAVAILABLE);
    }
    assert_eq!(check.take_failed_reads(), 1);
    assert!(!is_refused("bad"));
}

#[test]
fn a_compiler_that_does_not_start_is_a_temporary_error_and_not_remembered() {
    let stage = Stage::new();
    stage.put("order.created", Validation::Refuse, Some(r#"{"good":1}"#));
    let environment = stage.environment();
    stage.texts.failing.store(2, Ordering::Relaxed);
    for _ in 0..2 {
        let failed = environment.run("order.created", "good").unwrap_err();
        assert_eq!(failed.error_type(), errors::CHECK_NOT_STARTED);
        assert!(errors::TRIED_AGAIN.contains(&failed.error_type()));
    }
    assert!(environment.run("order.created", "good").is_ok());
    assert!(environment.run("order.created", "bad").is_err());
}

#[test]
fn a_schema_that_cannot_be_compiled_refuses_only_where_the_type_does() {
    let stage = Stage::new();
    stage.put("warns", Validation::Warn, Some("{}"));
    stage.put("refuses", Validation::Refuse, Some("{}"));
    let environment = stage.environment();
    let not_checked = Finding::NotChecked(NotChecked::Schema);
    let page = environment.run("warns", "any").unwrap();
    assert_eq!(page.warning, Some(not_checked));
    let refused = environment.run("refuses", "any").unwrap_err();
    assert_eq!(refused.error_type(), errors::EVENT_NOT_CHECKED);
    assert!(environment.run("refuses", "any").is_err());
    assert_eq!(stage.costs(), (1, 2, 2));
}

#[test]
fn the_memory_is_bounded_by_schemas_and_by_bytes() {
    let stage = Stage::new();
    let small = r#"{"good":1}"#;
    let large = r#"{"good":1,"mb":4}"#;
    let long = format!(r#"{{"good":1,"pad":"{}"}}"#, "x".repeat(32_000));
    let name = |number: usize| format!("type.{number}");
    for number in 0..65 {
        stage.put(&name(number), Validation::Warn, Some(small));
    }
    let environment = stage.environment();
    let reads = |numbers: std::ops::Range<usize>| {
        let before = stage.costs().1;
        for number in numbers {
            environment.run(&name(number), "good").unwrap();
        }
        stage.costs().1 - before
    };
    assert_eq!(reads(0..64), 64);
    assert_eq!(reads(0..64), 0, "64 schemas are kept");
    assert_eq!(reads(64..65), 1);
    assert_eq!(reads(1..64), 0);
    assert_eq!(
        reads(0..1),
        1,
        "the one that was not used for the longest time was forgotten"
    );

    // A short text whose compiled schema is large.
    for number in 0..5 {
        stage.put(&name(number), Validation::Warn, Some(large));
    }
    stage.wait(PERIOD);
    assert_eq!(reads(0..4), 4);
    assert_eq!(reads(0..4), 0, "16 MB are kept");
    assert_eq!(reads(4..5), 1);
    assert_eq!(reads(1..5), 0);
    assert_eq!(reads(0..1), 1);

    for number in 0..20 {
        stage.put(&name(number), Validation::Warn, Some(&long));
    }
    stage.wait(PERIOD);
    assert_eq!(reads(0..20), 20);
    assert_eq!(reads(0..20), 0, "the length of the text does not count");
}
