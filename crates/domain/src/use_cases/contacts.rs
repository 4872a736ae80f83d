//! Contacts that a customer's people add and remove themselves, and the confirmation of addresses.
//!
//! An added address is pending: it gets one message that asks for a confirmation, and nothing else
//! until somebody confirms it with the code in that message. A pending contact keeps its place for
//! a day and cannot be removed before, except by the operator. So a customer causes at most
//! [`Contacts::MAX`] such messages a day, and at most one to each address.

use ring::rand::SystemRandom;

use crate::contact::{
    AddContactError, Contact, ContactCode, Contacts, EmailAddress, PendingContact,
    RemoveContactError,
};
use crate::customer::Customer;
use crate::ids::CustomerId;
use crate::ports::{
    Clock, ConfirmationMailer, CustomerTable, QueueError, StoreError, WriteOutcome,
};
use crate::timestamp::Timestamp;

/// The number of tries of a write that conflicts with others.
const MAX_TRIES: u32 = 4;

/// The reason why a contact was not added, removed or confirmed.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    /// It cannot be added.
    #[error(transparent)]
    Add(#[from] AddContactError),
    /// It cannot be removed.
    #[error(transparent)]
    Remove(#[from] RemoveContactError),
    /// The code is of no pending contact: it was used, is too old, or never existed.
    #[error("the code was used, or is too old")]
    Code,
    /// The customer is being deleted.
    #[error("customer `{customer}` is being deleted: try again when it does not exist any more")]
    BeingDeleted {
        /// The customer.
        customer: CustomerId,
    },
    /// There were concurrent changes.
    #[error("customer `{customer}` was changed at the same time: try again")]
    Conflict {
        /// The customer.
        customer: CustomerId,
    },
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The message was not queued. The contact is not added.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// The contact that a request has added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedContact {
    /// The contact, as it is stored.
    pub contact: Contact,
    /// True if it is new, so that its address gets a message.
    pub is_new: bool,
}

/// The management of contacts, with its ports.
#[derive(Debug)]
pub struct ManageContacts<T, C> {
    /// The customers.
    pub table: T,
    /// Tells the time.
    pub clock: C,
    /// The source of codes.
    pub random: SystemRandom,
}

impl<T: CustomerTable, C: Clock> ManageContacts<T, C> {
    /// Adds a pending contact, and queues the message that asks for its confirmation. An address
    /// that is a contact already stays as it is, and gets no message.
    pub async fn add<M: ConfirmationMailer>(
        &self,
        mailer: &M,
        id: &CustomerId,
        address: EmailAddress,
    ) -> Result<AddedContact, ContactError> {
        let code = ContactCode::random(id, &self.random);
        let digest = code.digest();
        let change = |current: &Contacts, now| {
            let pending = PendingContact::new(digest, now);
            Ok(current.with_pending(&address, pending, now)?)
        };
        let contacts = self.change(id, change).await?;
        let contact = contacts.find(&address).cloned();
        let contact = contact.ok_or_else(|| conflict(id))?;
        // It is also new if the answer to this write was lost, and the repetition found it.
        let is_new = contact.has_digest(&digest);
        if is_new && let Err(failure) = mailer.ask_for_confirmation(&address, &code).await {
            // Otherwise the address could not be added again for a day.
            let forget = |current: &Contacts, _| Ok(current.without_pending(&digest));
            self.change(id, forget).await?;
            return Err(failure.into());
        }
        Ok(AddedContact { contact, is_new })
    }

    /// Removes a contact that is confirmed, or whose code is too old.
    pub async fn remove(
        &self,
        id: &CustomerId,
        address: &EmailAddress,
    ) -> Result<(), ContactError> {
        let change = |current: &Contacts, now| Ok(current.without(address, now)?);
        self.change(id, change).await?;
        Ok(())
    }

    /// Confirms the contact that has this code. Works once.
    pub async fn confirm(&self, code: &ContactCode) -> Result<(), ContactError> {
        let digest = code.digest();
        let change = |current: &Contacts, now| {
            let confirmed = current.confirmed_by(&digest, now);
            confirmed.map(Some).ok_or(ContactError::Code)
        };
        self.change(code.customer(), change).await?;
        Ok(())
    }

    /// Reads, changes and writes the contacts of a customer, which need not exist. `None` is no
    /// change. Returns the contacts as they are then. After a conflict it starts again.
    async fn change(
        &self,
        id: &CustomerId,
        change: impl Fn(&Contacts, Timestamp) -> Result<Option<Contacts>, ContactError>,
    ) -> Result<Contacts, ContactError> {
        for _ in 0..MAX_TRIES {
            let read = self.table.customer(id).await?;
            if read.as_ref().is_some_and(|read| read.deletion.is_some()) {
                let customer = id.clone();
                return Err(ContactError::BeingDeleted { customer });
            }
            let now = self.clock.now();
            let current = read.clone();
            let current = current.unwrap_or_else(|| Customer::unwritten(id, now));
            let Some(contacts) = change(&current.contacts, now)? else {
                return Ok(current.contacts);
            };
            let changed = Customer {
                contacts,
                version: current.version + 1,
                updated_at: now,
                ..current
            };
            let written = self.table.write_customer(read.as_ref(), &changed);
            if written.await? == WriteOutcome::Written {
                return Ok(changed.contacts);
            }
        }
        Err(conflict(id))
    }
}

fn conflict(id: &CustomerId) -> ContactError {
    let customer = id.clone();
    ContactError::Conflict { customer }
}
