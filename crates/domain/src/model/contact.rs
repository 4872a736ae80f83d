//! Contacts of a customer: the people who are told about its failing endpoints.
//!
//! A contact is an e-mail address with the state of its confirmation. Only the operator sets contacts.
//! They are confirmed at once, because the operator vouches for them: nobody else may let the system
//! write to an address.

mod email_address;

use std::collections::BTreeSet;

pub use email_address::{EmailAddress, EmailAddressError};

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
}
