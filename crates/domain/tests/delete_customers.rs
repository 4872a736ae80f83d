//! The deletion of customers, with crashes between any two writes and with late writers.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::FutureExt;
use ring::rand::SystemRandom;
use webhooks_domain::customers::{CustomerError, CustomerFields, Customers};
use webhooks_domain::delete_customers::{DeleteCustomers, DeletionReport};
use webhooks_domain::ids::{CustomerId, PortalSessionId};
use webhooks_domain::manage::ExpectedVersion;
use webhooks_domain::portal_session::{
    Capabilities, Capability, Holder, PortalSession, SecretDigest,
};
use webhooks_domain::portal_sessions::PortalSessions;
use webhooks_domain::ports::{
    Creation, CustomerTable, DeliveryReader, PortalSessionTable, SubscriptionStore,
    SubscriptionTable,
};
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::{Fault, InMemoryBackend, samples};

const SETTLE: Duration = Duration::from_mins(15);

/// Two customers, each with three subscriptions and two messages.
fn two_customers() -> (InMemoryBackend, CustomerId, CustomerId) {
    let backend = InMemoryBackend::default();
    backend.set_now(samples::NOW);
    let names = ["gone", "other"];
    for name in names {
        for number in 1..=3 {
            let subscription = samples::subscription(name, number);
            let creation = Creation::of(&subscription, samples::QUOTA);
            backend.insert(&creation).now_or_never().unwrap().unwrap();
        }
        for event in ["event-1", "event-2"] {
            add_message(&backend, name, event);
        }
    }
    let [gone, other] = names.map(samples::customer);
    (backend, gone, other)
}

fn add_message(backend: &InMemoryBackend, name: &str, event: &str) {
    let message = samples::message(name, event);
    for number in 1..=3 {
        let delivery = samples::delivery(&message, samples::subscription_id(number));
        backend.record_call(message.clone(), delivery);
    }
}

fn request(backend: &InMemoryBackend, customer: &CustomerId) {
    let customers = Customers {
        table: backend.clone(),
        clock: backend.clone(),
    };
    let any = ExpectedVersion::Any;
    let deleted = customers.delete(customer, &any).now_or_never().unwrap();
    assert!(deleted.unwrap().0.deletion.is_some());
}

fn run(backend: &InMemoryBackend) -> DeletionReport {
    run_until(backend, Timestamp::from_millis(i64::MAX))
}

fn run_until(backend: &InMemoryBackend, end: Timestamp) -> DeletionReport {
    let deletions = DeleteCustomers {
        table: backend.clone(),
        clock: backend.clone(),
        settle: SETTLE,
    };
    deletions.run(end).now_or_never().unwrap()
}

fn is_known(backend: &InMemoryBackend, customer: &CustomerId) -> bool {
    let found = backend.customer(customer).now_or_never().unwrap();
    found.unwrap().is_some()
}

/// The number of a customer's subscriptions, and of its messages.
fn left(backend: &InMemoryBackend, customer: &CustomerId) -> (usize, usize) {
    let page = backend.page(customer, None, 100).now_or_never().unwrap();
    let messages = ["event-1", "event-2", "late"].iter().filter(|event| {
        let message = samples::message(customer.as_str(), event);
        let found = backend.message(&message.id).now_or_never().unwrap();
        found.unwrap().is_some()
    });
    (page.unwrap().subscriptions.len(), messages.count())
}

#[test]
fn everything_of_the_customer_is_deleted_and_nothing_of_another() {
    let (backend, gone, other) = two_customers();
    assert_eq!(run(&backend).deleted, 0, "no deletion was requested");
    request(&backend, &gone);
    let report = run(&backend);
    assert_eq!((report.deleted, report.forgotten), (5, 0));
    assert_eq!(left(&backend, &gone), (0, 0));
    backend.set_now(samples::NOW + SETTLE);
    assert_eq!(run(&backend).forgotten, 1);
    assert!(!is_known(&backend, &gone));
    assert!(is_known(&backend, &other));
    assert_eq!(left(&backend, &other), (3, 2));
}

#[test]
fn a_message_that_is_written_late_is_deleted_too() {
    let (backend, gone, _) = two_customers();
    request(&backend, &gone);
    run(&backend);
    // An execution that began before the request.
    add_message(&backend, gone.as_str(), "late");
    backend.set_now(samples::NOW + SETTLE - Duration::from_secs(1));
    assert_eq!(run(&backend).deleted, 1);
    let early = run(&backend);
    assert_eq!((early.deleted, early.forgotten), (0, 0), "others may write");
    backend.set_now(samples::NOW + SETTLE);
    assert_eq!(run(&backend).forgotten, 1);
    assert_eq!(left(&backend, &gone), (0, 0));
}

/// Otherwise somebody could add a subscription while the others are deleted.
#[test]
fn sessions_of_the_portal_are_deleted_first_and_again_at_the_end() {
    let (backend, gone, _) = two_customers();
    let enter_portal = || {
        let sessions = PortalSessions {
            table: backend.clone(),
            clock: backend.clone(),
            random: SystemRandom::new(),
        };
        let session = PortalSession {
            holder: Holder::Customer(gone.clone()),
            id: PortalSessionId::new(backend.time(), &sessions.random),
            capabilities: Capabilities::new([Capability::Manage]).unwrap(),
            return_url: None,
            created_by: None,
            created_at: backend.time(),
            entered_at: None,
            ends_at: backend.time() + Duration::from_hours(1),
        };
        let code = SecretDigest::from_bytes([1; 32]);
        let inserted = backend.insert_session(&session, &code, session.ends_at);
        inserted.now_or_never().unwrap().unwrap();
        sessions
    };
    let count = |sessions: &PortalSessions<InMemoryBackend, InMemoryBackend>| {
        let listed = sessions
            .list(&gone.clone().into(), None, 10)
            .now_or_never()
            .unwrap();
        listed.unwrap().entries.len()
    };
    let sessions = enter_portal();
    request(&backend, &gone);
    backend.set_latency(Duration::from_secs(1));
    let report = run_until(&backend, backend.time() + Duration::from_secs(2));
    backend.set_latency(Duration::ZERO);
    assert_eq!((report.deleted, report.unfinished), (1, true));
    assert_eq!((count(&sessions), left(&backend, &gone).0), (0, 3));
    run(&backend);
    assert_eq!(left(&backend, &gone), (0, 0));
    // A request that began before has made one.
    enter_portal();
    assert_eq!(run(&backend).deleted, 1);
    assert_eq!(count(&sessions), 0);
}

#[test]
fn a_run_that_finds_something_does_not_forget_the_customer() {
    let (backend, gone, _) = two_customers();
    request(&backend, &gone);
    backend.set_now(samples::NOW + SETTLE);
    let report = run(&backend);
    assert_eq!((report.deleted, report.forgotten), (5, 0));
    assert!(is_known(&backend, &gone));
    assert_eq!(run(&backend).forgotten, 1);
}

#[test]
fn a_crash_between_any_two_writes_loses_nothing() {
    for crash in [Fault::Before, Fault::After] {
        for step in 0.. {
            let (backend, gone, other) = two_customers();
            request(&backend, &gone);
            backend.set_now(samples::NOW + SETTLE);
            backend.plant((0..step).map(|_| Fault::None).chain([crash]));
            let first = run(&backend);
            for _ in 0..3 {
                run(&backend);
            }
            assert!(!is_known(&backend, &gone), "{crash:?} at {step}");
            assert_eq!(left(&backend, &gone), (0, 0), "{crash:?} at {step}");
            assert_eq!(left(&backend, &other), (3, 2), "{crash:?} at {step}");
            if first.failures.is_empty() {
                assert!(step > 10, "the fault was planted");
                break;
            }
        }
    }
}

#[test]
fn a_run_stops_at_its_end_and_the_next_continues() {
    let (backend, gone, _) = two_customers();
    request(&backend, &gone);
    backend.set_latency(Duration::from_secs(1));
    let first = run_until(&backend, samples::NOW + Duration::from_secs(5));
    assert!(first.unfinished && first.deleted < 5, "{first:?}");
    backend.set_latency(Duration::ZERO);
    backend.set_now(samples::NOW + SETTLE);
    assert_eq!(run(&backend).deleted, 5 - first.deleted);
    assert_eq!(run(&backend).forgotten, 1);
}

#[test]
fn a_customer_that_is_being_deleted_is_not_changed() {
    let (backend, gone, _) = two_customers();
    request(&backend, &gone);
    let customers = Customers {
        table: backend.clone(),
        clock: backend.clone(),
    };
    let any = ExpectedVersion::Any;
    let put = customers.replace(&gone, &any, CustomerFields::default());
    let refused = put.now_or_never().unwrap().unwrap_err();
    assert!(matches!(refused, CustomerError::BeingDeleted { .. }));
    let again = customers.delete(&gone, &any).now_or_never().unwrap();
    let (customer, requested) = again.unwrap();
    assert!(customer.deletion.is_some() && !requested);
    let nobody = samples::customer("nobody");
    let absent = customers.delete(&nobody, &any);
    let absent = absent.now_or_never().unwrap().unwrap_err();
    assert!(matches!(absent, CustomerError::NotFound { .. }));
}
