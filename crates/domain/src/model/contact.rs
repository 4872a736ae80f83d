//! Contacts of a customer: the people who are told about its failing endpoints.
//!
//! A contact is an e-mail address with the state of its confirmation. Only the operator sets contacts.
//! They are confirmed at once, because the operator vouches for them: nobody else may let the system
//! write to an address.

mod code;
mod email_address;

use std::collections::BTreeSet;
use std::time::Duration;

pub use code::{ContactCode, ContactCodeError};
pub use email_address::{EmailAddress, EmailAddressError};

use crate::portal_session::SecretDigest;
use crate::timestamp::Timestamp;

/// A contact of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The address.
    pub address: EmailAddress,
    /// The state of its confirmation.
    pub state: ContactState,
}

/// The state of the confirmation of an address: only a confirmed one is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactState {
    /// The operator has set it.
    Confirmed,
    /// It waits for its confirmation.
    Pending(PendingContact),
}

/// An address that waits for its confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingContact {
    /// The digest of the code that confirms it.
    pub digest: SecretDigest,
    /// The time until which it can be confirmed, and keeps its place.
    pub until: Timestamp,
}

impl PendingContact {
    /// The time for a confirmation.
    pub const VALID: Duration = Duration::from_hours(24);

    /// An address that waits from now on.
    pub fn new(digest: SecretDigest, now: Timestamp) -> Self {
        Self {
            digest,
            until: now + Self::VALID,
        }
    }
}

impl Contact {
    /// Returns true if it waits for the code with this digest.
    pub fn has_digest(&self, digest: &SecretDigest) -> bool {
        matches!(self.state, ContactState::Pending(pending) if pending.digest == *digest)
    }

    /// Returns true if it was not confirmed in time.
    fn is_over(&self, now: Timestamp) -> bool {
        matches!(self.state, ContactState::Pending(pending) if pending.until <= now)
    }

    fn is_of(&self, address: &EmailAddress) -> bool {
        self.address.folded() == address.folded()
    }
}

/// A contact cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddContactError {
    /// There are as many as there may be.
    #[error(
        "there are {} contacts already, which is the largest number",
        Contacts::MAX
    )]
    Full,
}

/// A contact cannot be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RemoveContactError {
    /// It waits for its confirmation. Otherwise a customer could add and remove addresses, and each
    /// would get a message.
    #[error("it waits for its confirmation: it can be removed from {until} on")]
    Pending {
        /// The end of the time for its confirmation.
        until: Timestamp,
    },
}

/// The contacts of a customer, in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contacts(Vec<Contact>);

/// The contacts break a bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContactsError {
    /// There are too many.
    #[error("must be at most {} addresses, are {count}", Contacts::MAX)]
    TooMany {
        /// The number.
        count: usize,
    },
    /// One of them is not valid.
    #[error("[{position}]: {error}")]
    Address {
        /// Its position, from 0.
        position: usize,
        /// The problem with it.
        error: EmailAddressError,
    },
    /// Two of them are the same address.
    #[error("[{position}]: is there twice, compared without regard to case")]
    Twice {
        /// The position of the second one, from 0.
        position: usize,
    },
}

impl Contacts {
    /// The largest number of contacts.
    pub const MAX: usize = 5;

    /// The contacts with these addresses, which the operator gives.
    ///
    /// # Errors
    /// If there are too many, or one of them is not valid or there twice.
    pub fn of_operator(addresses: Vec<String>) -> Result<Self, ContactsError> {
        let count = addresses.len();
        if count > Self::MAX {
            return Err(ContactsError::TooMany { count });
        }
        let mut known = BTreeSet::new();
        let mut contacts = Vec::with_capacity(count);
        for (position, address) in addresses.into_iter().enumerate() {
            let address = EmailAddress::try_from(address)
                .map_err(|error| ContactsError::Address { position, error })?;
            if !known.insert(address.folded()) {
                return Err(ContactsError::Twice { position });
            }
            let state = ContactState::Confirmed;
            contacts.push(Contact { address, state });
        }
        Ok(Self(contacts))
    }

    /// Stored contacts. They were checked when they were stored, and are not checked again.
    pub fn from_stored(contacts: Vec<Contact>) -> Self {
        Self(contacts)
    }

    /// With a pending contact more, without those that were not confirmed in time. `None` if the
    /// address is there already.
    ///
    /// # Errors
    /// If there are too many.
    pub fn with_pending(
        &self,
        address: &EmailAddress,
        pending: PendingContact,
        now: Timestamp,
    ) -> Result<Option<Self>, AddContactError> {
        let mut kept = self.0.clone();
        kept.retain(|contact| !contact.is_over(now));
        if kept.iter().any(|contact| contact.is_of(address)) {
            return Ok(None);
        }
        if kept.len() >= Self::MAX {
            return Err(AddContactError::Full);
        }
        kept.push(Contact {
            address: address.clone(),
            state: ContactState::Pending(pending),
        });
        Ok(Some(Self(kept)))
    }

    /// With the contact that waits for this code confirmed. `None` if there is none, or its time is
    /// over.
    #[must_use]
    pub fn confirmed_by(&self, digest: &SecretDigest, now: Timestamp) -> Option<Self> {
        let mut contacts = self.0.clone();
        let found = contacts
            .iter_mut()
            .find(|contact| contact.has_digest(digest) && !contact.is_over(now))?;
        found.state = ContactState::Confirmed;
        Some(Self(contacts))
    }

    /// Without a contact that is confirmed, or was not confirmed in time. `None` if it is not there.
    ///
    /// # Errors
    /// If it waits for its confirmation.
    pub fn without(
        &self,
        address: &EmailAddress,
        now: Timestamp,
    ) -> Result<Option<Self>, RemoveContactError> {
        match self.find(address) {
            None => Ok(None),
            Some(Contact {
                state: ContactState::Pending(PendingContact { until, .. }),
                ..
            }) if now < *until => Err(RemoveContactError::Pending { until: *until }),
            Some(_) => Ok(self.filtered(|contact| !contact.is_of(address))),
        }
    }

    /// Without the contact that waits for this code. `None` if it is not there.
    #[must_use]
    pub fn without_pending(&self, digest: &SecretDigest) -> Option<Self> {
        self.filtered(|contact| !contact.has_digest(digest))
    }

    fn filtered(&self, is_kept: impl Fn(&Contact) -> bool) -> Option<Self> {
        let mut kept = self.0.clone();
        kept.retain(is_kept);
        (kept.len() < self.0.len()).then_some(Self(kept))
    }

    /// The contact with this address.
    pub fn find(&self, address: &EmailAddress) -> Option<&Contact> {
        self.0.iter().find(|contact| contact.is_of(address))
    }

    /// Every contact.
    pub fn iter(&self) -> impl Iterator<Item = &Contact> {
        self.0.iter()
    }

    /// The addresses to which the system may write.
    pub fn confirmed(&self) -> impl Iterator<Item = &EmailAddress> {
        let confirmed = |contact: &&Contact| contact.state == ContactState::Confirmed;
        self.0
            .iter()
            .filter(confirmed)
            .map(|contact| &contact.address)
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contacts(addresses: &[&str]) -> Result<Contacts, ContactsError> {
        Contacts::of_operator(
            addresses
                .iter()
                .map(|&address| address.to_owned())
                .collect(),
        )
    }

    #[test]
    fn the_number_of_contacts_is_limited() {
        let names: Vec<_> = (0..6).map(|n| format!("ops{n}@example.com")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert_eq!(contacts(&names[..5]).unwrap().iter().count(), 5);
        let error = contacts(&names).unwrap_err().to_string();
        assert_eq!(error, "must be at most 5 addresses, are 6");
    }

    #[test]
    fn an_address_is_there_once_whatever_its_case() {
        let error = contacts(&["Ops@example.com", "ops@EXAMPLE.com"]).unwrap_err();
        assert_eq!(error, ContactsError::Twice { position: 1 });
        let kept = contacts(&["Ops@example.com", "dev@example.com"]).unwrap();
        let kept: Vec<_> = kept.confirmed().map(EmailAddress::as_str).collect();
        assert_eq!(kept, ["Ops@example.com", "dev@example.com"]);
    }

    #[test]
    fn an_error_names_the_position_and_not_the_address() {
        let error = contacts(&["ops@example.com", "secret name@example.com"]).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("[1]: "), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn pending(number: u8) -> PendingContact {
        PendingContact::new(SecretDigest::from_bytes([number; 32]), NOW)
    }

    #[test]
    fn a_pending_contact_gets_nothing_until_it_is_confirmed_in_time() {
        let ops: EmailAddress = "ops@example.com".parse().unwrap();
        let added = Contacts::default();
        let added = added.with_pending(&ops, pending(1), NOW).unwrap().unwrap();
        assert_eq!(added.confirmed().count(), 0);
        assert_eq!(added.confirmed_by(&pending(2).digest, NOW), None);
        let end = NOW + PendingContact::VALID;
        assert_eq!(added.confirmed_by(&pending(1).digest, end), None);
        let confirmed = added.confirmed_by(&pending(1).digest, NOW).unwrap();
        assert_eq!(confirmed.confirmed().count(), 1);
        let again = confirmed.confirmed_by(&pending(1).digest, NOW);
        assert_eq!(again, None, "a code works once");
        let same: EmailAddress = "OPS@example.com".parse().unwrap();
        for there in [added, confirmed] {
            assert_eq!(there.with_pending(&same, pending(3), NOW), Ok(None));
        }
    }

    /// Each pending contact stands for a message.
    #[test]
    fn a_customer_causes_at_most_five_messages_a_day_and_one_to_an_address() {
        let address = |n: usize| -> EmailAddress { format!("a{n}@example.com").parse().unwrap() };
        let mut contacts = Contacts::default();
        let mut messages = Vec::new();
        for hour in 0..48 {
            let now = NOW + Duration::from_hours(hour);
            for n in 0..20 {
                // Whatever can be removed is removed, to make place.
                if let Ok(Some(without)) = contacts.without(&address(n), now) {
                    contacts = without;
                }
            }
            for n in 0..20 {
                let digest = SecretDigest::from_bytes([u8::try_from(n).unwrap(); 32]);
                let pending = PendingContact::new(digest, now);
                if let Ok(Some(with)) = contacts.with_pending(&address(n), pending, now) {
                    contacts = with;
                    messages.push((hour, n));
                }
            }
        }
        for day in 0..24 {
            let within: Vec<_> = messages
                .iter()
                .filter(|(hour, _)| (day..day + 24).contains(hour))
                .collect();
            assert!(within.len() <= Contacts::MAX, "{within:?}");
            let addresses: BTreeSet<_> = within.iter().map(|(_, n)| n).collect();
            assert_eq!(addresses.len(), within.len());
        }
        assert_eq!(messages.len(), 2 * Contacts::MAX);
    }
}
