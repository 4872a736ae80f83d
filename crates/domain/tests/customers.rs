//! Customers: list, read and change, with concurrent changes and lost responses.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt;
use webhooks_domain::broken::Readable;
use webhooks_domain::contact::{Contacts, EmailAddress};
use webhooks_domain::customer::{Customer, CustomerName};
use webhooks_domain::customers::{
    CustomerChange, CustomerError, CustomerFields, Customers, WrittenCustomer,
};
use webhooks_domain::ids::CustomerId;
use webhooks_domain::manage::{Change, ExpectedVersion, MapChange};
use webhooks_domain::operational::{About, EndpointInTrouble, Kind, OperationalEvent};
use webhooks_domain::paging::EntryPage;
use webhooks_domain::ports::{
    Creation, CustomerTable, StoreError, SubscriptionStore, WriteOutcome,
};
use webhooks_domain::publish::add_contacts;
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::{Fault, InMemoryBackend, samples};

fn on<T: CustomerTable>(table: T) -> Customers<T, InMemoryBackend> {
    Customers {
        table,
        clock: InMemoryBackend::default(),
    }
}

fn named(name: &str) -> CustomerFields {
    CustomerFields {
        name: Some(CustomerName::try_from(name.to_owned()).unwrap()),
        ..CustomerFields::default()
    }
}

fn replace<T: CustomerTable>(
    customers: &Customers<T, InMemoryBackend>,
    expected: &ExpectedVersion,
    name: &str,
) -> Result<WrittenCustomer, CustomerError> {
    let acme = samples::customer("acme");
    let written = customers.replace(&acme, expected, named(name));
    written.now_or_never().unwrap()
}

fn update<T: CustomerTable>(
    customers: &Customers<T, InMemoryBackend>,
    expected: &ExpectedVersion,
    change: CustomerChange,
) -> Result<WrittenCustomer, CustomerError> {
    let acme = samples::customer("acme");
    let written = customers.update(&acme, expected, change);
    written.now_or_never().unwrap()
}

const ANY: ExpectedVersion = ExpectedVersion::Any;

fn version(version: u64) -> ExpectedVersion {
    ExpectedVersion::OneOf(vec![version])
}

fn subscribe(backend: &InMemoryBackend) {
    let subscription = samples::subscription("acme", 1);
    let creation = Creation::of(&subscription, samples::QUOTA);
    backend.insert(&creation).now_or_never().unwrap().unwrap();
}

#[test]
fn a_put_creates_replaces_and_respects_the_expected_version() {
    let customers = on(InMemoryBackend::default());
    let absent = replace(&customers, &version(1), "a").unwrap_err();
    assert!(matches!(absent, CustomerError::AnotherVersion { .. }));
    let absent = replace(&customers, &ExpectedVersion::Existing, "a").unwrap_err();
    assert!(matches!(absent, CustomerError::AnotherVersion { .. }));
    let created = replace(&customers, &ANY, "a").unwrap();
    assert!(created.before.is_none());
    assert_eq!(created.customer.version, 1);
    let same = replace(&customers, &ANY, "a").unwrap();
    assert_eq!(same.customer, created.customer, "no new version");
    let stale = replace(&customers, &version(2), "b").unwrap_err();
    assert!(matches!(stale, CustomerError::AnotherVersion { .. }));
    let replaced = replace(&customers, &version(1), "b").unwrap();
    assert_eq!(replaced.customer.version, 2);
    let acme = samples::customer("acme");
    let shown = customers.show(&acme).now_or_never().unwrap().unwrap();
    assert_eq!(shown, replaced.customer);
}

#[test]
fn a_patch_merges_and_creates_nothing() {
    let customers = on(InMemoryBackend::default());
    let plan = |value: Option<&str>| CustomerChange {
        metadata: MapChange::Merge([("plan".to_owned(), value.map(str::to_owned))].into()),
        ..CustomerChange::default()
    };
    let absent = update(&customers, &ANY, plan(Some("gold"))).unwrap_err();
    assert!(matches!(absent, CustomerError::NotFound { .. }));
    subscribe(&customers.table);
    let changed = update(&customers, &ANY, plan(Some("gold"))).unwrap();
    assert_eq!(changed.customer.version, 2);
    assert_eq!(changed.customer.usage.subscriptions, 1);
    let nothing = CustomerChange {
        name: Change::Remove,
        ..CustomerChange::default()
    };
    let same = update(&customers, &ANY, nothing).unwrap();
    assert_eq!(same.customer, changed.customer);
    let removed = update(&customers, &ANY, plan(None)).unwrap();
    assert!(removed.customer.metadata.is_empty());
    let refused = update(&customers, &ANY, plan(Some("a\nb"))).unwrap_err();
    assert!(matches!(refused, CustomerError::Field(error) if error.field == "metadata"));
}

#[test]
fn a_repeated_request_after_a_crash_writes_once() {
    for crash in [Fault::Before, Fault::After] {
        let backend = InMemoryBackend::default();
        let customers = on(backend.clone());
        backend.plant([Fault::None, crash]);
        assert!(replace(&customers, &ANY, "a").is_err());
        let again = replace(&customers, &ANY, "a").unwrap();
        assert_eq!(again.customer.version, 1);
    }
}

/// Runs something before the first write, or hides the response of it.
struct Racing {
    backend: InMemoryBackend,
    writes: AtomicU32,
    race: fn(&InMemoryBackend),
    hides_first_response: bool,
}

impl CustomerTable for Racing {
    async fn customer(&self, id: &CustomerId) -> Result<Option<Customer>, StoreError> {
        self.backend.customer(id).await
    }

    async fn customers(
        &self,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> Result<EntryPage<Readable<Customer, CustomerId>>, StoreError> {
        self.backend.customers(after, limit).await
    }

    async fn write_customer(
        &self,
        read: Option<&Customer>,
        changed: &Customer,
    ) -> Result<WriteOutcome, StoreError> {
        let is_first = self.writes.fetch_add(1, Ordering::SeqCst) == 0;
        if is_first {
            (self.race)(&self.backend);
        }
        let outcome = self.backend.write_customer(read, changed).await?;
        Ok(if is_first && self.hides_first_response {
            WriteOutcome::Conflict
        } else {
            outcome
        })
    }

    async fn request_deletion(
        &self,
        read: &Customer,
        at: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        self.backend.request_deletion(read, at).await
    }
}

fn racing(race: fn(&InMemoryBackend), hides_first_response: bool) -> Racing {
    Racing {
        backend: InMemoryBackend::default(),
        writes: AtomicU32::new(0),
        race,
        hides_first_response,
    }
}

#[test]
fn a_put_and_the_first_subscription_lose_nothing_of_each_other() {
    let customers = on(racing(subscribe, false));
    let written = replace(&customers, &ANY, "a").unwrap().customer;
    assert_eq!((written.version, written.usage.subscriptions), (2, 1));
    let acme = samples::customer("acme");
    let shown = customers.show(&acme).now_or_never().unwrap().unwrap();
    assert_eq!(shown, written);
}

#[test]
fn a_write_whose_response_was_lost_is_not_refused_as_stale() {
    let customers = on(racing(|_| (), true));
    subscribe(&customers.table.backend);
    let written = replace(&customers, &version(1), "a").unwrap();
    assert_eq!(written.customer.version, 2);
    assert_eq!(written.before.unwrap().version, 1);
    let writes = customers.table.writes.load(Ordering::SeqCst);
    assert_eq!(writes, 1, "written once");
}

#[test]
fn another_editor_who_is_first_makes_the_version_stale() {
    let customers = on(racing(
        |backend| {
            let first = on(backend.clone());
            replace(&first, &ANY, "first").unwrap();
        },
        false,
    ));
    subscribe(&customers.table.backend);
    let second = replace(&customers, &version(1), "second").unwrap_err();
    assert!(matches!(second, CustomerError::AnotherVersion { .. }));
}

fn addresses(customer: &Customer) -> Vec<&str> {
    let confirmed = customer.contacts.confirmed();
    confirmed.map(EmailAddress::as_str).collect()
}

#[test]
fn contacts_are_replaced_as_a_whole_and_stay_if_they_are_not_named() {
    let customers = on(InMemoryBackend::default());
    let contacts = |addresses: &[&str]| {
        let addresses = addresses.iter().map(|&address| address.to_owned());
        Contacts::of_operator(addresses.collect()).unwrap()
    };
    let acme = samples::customer("acme");
    let fields = CustomerFields {
        contacts: contacts(&["ops@example.com", "dev@example.com"]),
        ..named("a")
    };
    let put = customers.replace(&acme, &ANY, fields);
    let put = put.now_or_never().unwrap().unwrap();
    assert_eq!(
        addresses(&put.customer),
        ["ops@example.com", "dev@example.com"]
    );
    let other = CustomerChange {
        name: Change::Remove,
        ..CustomerChange::default()
    };
    let kept = update(&customers, &ANY, other).unwrap();
    assert_eq!(kept.customer.contacts, put.customer.contacts);
    let other = CustomerChange {
        contacts: Change::Set(contacts(&["new@example.com"])),
        ..CustomerChange::default()
    };
    let replaced = update(&customers, &ANY, other).unwrap();
    assert_eq!(addresses(&replaced.customer), ["new@example.com"]);
    let none = CustomerChange {
        contacts: Change::Remove,
        ..CustomerChange::default()
    };
    let none = update(&customers, &ANY, none).unwrap();
    assert!(none.customer.contacts.is_empty());
    let put = replace(&customers, &ANY, "b").unwrap();
    assert!(put.customer.contacts.is_empty(), "absent is removed");
}

#[test]
fn a_warning_gets_the_contacts_of_its_own_customer_and_other_events_read_nothing() {
    let backend = InMemoryBackend::default();
    let customers = on(backend.clone());
    let set = |id: &str, address: &str| {
        let fields = CustomerFields {
            contacts: Contacts::of_operator(vec![address.to_owned()]).unwrap(),
            ..CustomerFields::default()
        };
        let id = samples::customer(id);
        let put = customers.replace(&id, &ANY, fields);
        put.now_or_never().unwrap().map(|_| ()).unwrap();
    };
    set("acme", "acme@example.com");
    set("other", "other@example.com");
    let event = |id: &str, kind, about| OperationalEvent {
        kind,
        customer_id: samples::customer(id),
        subscription_id: samples::subscription_id(1),
        about,
    };
    let warning = |id: &str| {
        let about = About::Warning(EndpointInTrouble {
            step: "recovered",
            reason: None,
            endpoint: "https://example.com/".to_owned(),
            failing_since: None,
            disabled_at: None,
            certificate_not_after: None,
            last_attempt: (&samples::failed_attempt(1)).into(),
            contacts: Vec::new(),
        });
        event(id, Kind::SubscriptionWarning, about)
    };
    let mut events = vec![event("acme", Kind::SubscriptionFailing, About::Nothing {})];
    // Any call would fail.
    backend.plant([Fault::Before]);
    add_contacts(&backend, &mut events)
        .now_or_never()
        .unwrap()
        .unwrap();
    assert!(backend.clear_faults(), "nothing was read");
    events.extend(["acme", "unknown", "other", "acme"].map(warning));
    add_contacts(&backend, &mut events)
        .now_or_never()
        .unwrap()
        .unwrap();
    let contacts = events.iter().filter_map(|event| match &event.about {
        About::Warning(warning) => Some(warning.contacts.join(",")),
        _ => None,
    });
    let expected = [
        "acme@example.com",
        "",
        "other@example.com",
        "acme@example.com",
    ];
    assert_eq!(contacts.collect::<Vec<_>>(), expected);
    // One of the two customers cannot be read.
    let mut events = ["acme", "other"].map(warning);
    backend.plant([Fault::Before]);
    let added = add_contacts(&backend, &mut events).now_or_never().unwrap();
    assert!(added.is_err());
    let contacts = events.iter().map(|event| match &event.about {
        About::Warning(warning) => warning.contacts.len(),
        _ => unreachable!(),
    });
    assert_eq!(contacts.collect::<Vec<_>>(), [0, 1]);
}
