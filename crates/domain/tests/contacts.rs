//! Contacts that a customer's people add, confirm and remove, with hostile codes, races and crashes.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::time::Duration;

use futures_util::FutureExt;
use ring::rand::SystemRandom;
use webhooks_domain::contact::{
    AddContactError, ContactCode, ContactState, Contacts, EmailAddress, PendingContact,
    RemoveContactError,
};
use webhooks_domain::contacts::{AddedContact, ContactError, ManageContacts};
use webhooks_domain::ports::{ConfirmationMailer, CustomerTable, QueueError};
use webhooks_testkit::{InMemoryBackend, samples};

/// Keeps the messages, or fails.
#[derive(Default)]
struct Mailer {
    sent: Mutex<Vec<(String, ContactCode)>>,
    is_down: bool,
}

impl ConfirmationMailer for Mailer {
    async fn ask_for_confirmation(
        &self,
        address: &EmailAddress,
        code: &ContactCode,
    ) -> Result<(), QueueError> {
        if self.is_down {
            return Err(QueueError("down".into()));
        }
        let message = (address.as_str().to_owned(), code.clone());
        self.sent.lock().unwrap().push(message);
        Ok(())
    }
}

struct Stage {
    backend: InMemoryBackend,
    contacts: ManageContacts<InMemoryBackend, InMemoryBackend>,
    mailer: Mailer,
}

impl Stage {
    fn new() -> Self {
        let backend = InMemoryBackend::default();
        Self {
            contacts: ManageContacts {
                table: backend.clone(),
                clock: backend.clone(),
                random: SystemRandom::new(),
            },
            backend,
            mailer: Mailer::default(),
        }
    }

    fn add(&self, customer: &str, address: &str) -> Result<AddedContact, ContactError> {
        let id = samples::customer(customer);
        let added = self
            .contacts
            .add(&self.mailer, &id, address.parse().unwrap());
        added.now_or_never().unwrap()
    }

    fn confirm(&self, code: &ContactCode) -> Result<(), ContactError> {
        self.contacts.confirm(code).now_or_never().unwrap()
    }

    fn remove(&self, address: &str) -> Result<(), ContactError> {
        let (id, address) = (samples::customer("acme"), address.parse().unwrap());
        let removed = self.contacts.remove(&id, &address);
        removed.now_or_never().unwrap()
    }

    fn code(&self, message: usize) -> ContactCode {
        self.mailer.sent.lock().unwrap()[message].1.clone()
    }

    fn messages(&self) -> usize {
        self.mailer.sent.lock().unwrap().len()
    }

    fn stored(&self, customer: &str) -> Contacts {
        let id = samples::customer(customer);
        let found = self.backend.customer(&id).now_or_never().unwrap().unwrap();
        found.map(|found| found.contacts).unwrap_or_default()
    }

    fn confirmed(&self) -> Vec<String> {
        let stored = self.stored("acme");
        let confirmed = stored.confirmed();
        confirmed
            .map(|address| address.as_str().to_owned())
            .collect()
    }

    fn later(&self, time: Duration) {
        self.backend.set_now(self.backend.time() + time);
    }
}

#[test]
fn an_added_address_gets_one_message_and_is_used_once_it_is_confirmed() {
    let stage = Stage::new();
    let added = stage.add("acme", "ops@example.com").unwrap();
    assert!(added.is_new);
    assert!(matches!(added.contact.state, ContactState::Pending(_)));
    assert!(stage.confirmed().is_empty());
    let again = stage.add("acme", "OPS@example.com").unwrap();
    assert!(!again.is_new);
    assert_eq!(stage.messages(), 1);
    stage.confirm(&stage.code(0)).unwrap();
    assert_eq!(stage.confirmed(), ["ops@example.com"]);
    let twice = stage.confirm(&stage.code(0)).unwrap_err();
    assert!(matches!(twice, ContactError::Code), "{twice:?}");
    assert!(!stage.add("acme", "ops@example.com").unwrap().is_new);
    assert_eq!(stage.messages(), 1);
}

#[test]
fn a_code_confirms_the_contact_of_its_own_customer_in_time_only() {
    let stage = Stage::new();
    stage.add("acme", "ops@example.com").unwrap();
    stage.add("other", "ops@example.com").unwrap();
    let guessed = ContactCode::random(&samples::customer("acme"), &SystemRandom::new());
    let unknown = ContactCode::random(&samples::customer("nobody"), &SystemRandom::new());
    for code in [guessed, unknown] {
        let refused = stage.confirm(&code).unwrap_err();
        assert!(matches!(refused, ContactError::Code), "{refused:?}");
    }
    // The secret of another customer's code.
    let others = stage.code(1);
    stage.confirm(&others).unwrap();
    assert!(stage.confirmed().is_empty());
    assert_eq!(stage.stored("other").confirmed().count(), 1);
    stage.later(PendingContact::VALID);
    let late = stage.confirm(&stage.code(0)).unwrap_err();
    assert!(matches!(late, ContactError::Code));
    assert!(
        stage.add("acme", "ops@example.com").unwrap().is_new,
        "again"
    );
    stage.confirm(&stage.code(2)).unwrap();
}

#[test]
fn a_pending_contact_keeps_its_place_for_a_day() {
    let stage = Stage::new();
    for number in 0..Contacts::MAX {
        stage
            .add("acme", &format!("a{number}@example.com"))
            .unwrap();
    }
    let full = stage.add("acme", "more@example.com").unwrap_err();
    assert!(matches!(full, ContactError::Add(AddContactError::Full)));
    let early = stage.remove("a0@example.com").unwrap_err();
    let pending = matches!(
        early,
        ContactError::Remove(RemoveContactError::Pending { .. })
    );
    assert!(pending, "{early:?}");
    stage.confirm(&stage.code(1)).unwrap();
    stage.remove("a1@example.com").unwrap();
    stage.remove("a1@example.com").unwrap();
    stage.add("acme", "more@example.com").unwrap();
    stage.later(PendingContact::VALID);
    stage.remove("a0@example.com").unwrap();
    let addresses: Vec<_> = stage
        .stored("acme")
        .iter()
        .map(|contact| contact.address.as_str().to_owned())
        .collect();
    assert!(
        !addresses.contains(&"a0@example.com".to_owned()),
        "{addresses:?}"
    );
}

#[test]
fn an_address_whose_message_was_not_queued_can_be_added_again() {
    let mut stage = Stage::new();
    stage.mailer.is_down = true;
    let failed = stage.add("acme", "ops@example.com").unwrap_err();
    assert!(matches!(failed, ContactError::Queue(_)));
    assert!(stage.stored("acme").is_empty());
    stage.mailer.is_down = false;
    assert!(stage.add("acme", "ops@example.com").unwrap().is_new);
    assert_eq!(stage.messages(), 1);
}
