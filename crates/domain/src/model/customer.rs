//! A customer, as far as this system knows it: its name, its metadata and its usage.

use crate::contact::Contacts;
use crate::ids::CustomerId;
use crate::limits::RateLimit;
use crate::metadata::Metadata;
use crate::quota::{MaxSubscriptions, Usage};
use crate::text::{Text, TextError};
use crate::timestamp::Timestamp;

/// A customer that has or had a subscription, or that a request has written.
///
/// The first subscription of a customer creates it, in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// Its name, for people.
    pub name: Option<CustomerName>,
    /// The operator's notes for programs.
    pub metadata: Metadata,
    /// Its own limit for the number of its subscriptions. By default that of the stack applies.
    pub max_subscriptions: Option<MaxSubscriptions>,
    /// The number of webhooks a second to all of its subscriptions together.
    pub rate_limit: Option<RateLimit>,
    /// The people who are told about its failing endpoints.
    pub contacts: Contacts,
    /// Its deletion, if one was requested.
    pub deletion: Option<Deletion>,
    /// The number and total size of its subscriptions. A change of the usage makes no new version.
    pub usage: Usage,
    /// The time at which it became known.
    pub created_at: Timestamp,
    /// The time of the last change of its fields.
    pub updated_at: Timestamp,
    /// The number of changes of its fields, from 1.
    pub version: u64,
}

impl Customer {
    /// A customer that is not stored yet. The first write gives it version 1.
    pub fn unwritten(id: &CustomerId, now: Timestamp) -> Self {
        Self {
            id: id.clone(),
            name: None,
            metadata: Metadata::default(),
            max_subscriptions: None,
            rate_limit: None,
            contacts: Contacts::default(),
            deletion: None,
            usage: Usage::default(),
            created_at: now,
            updated_at: now,
            version: 0,
        }
    }

    /// Returns true if a write of `written` has led to this customer. The usage is not compared:
    /// it changes independently.
    pub fn is_as_written(&self, written: &Self) -> bool {
        let Self { usage, .. } = *self;
        let with_usage = Self {
            usage,
            created_at: self.created_at,
            ..written.clone()
        };
        *self == with_usage
    }
}

/// The deletion of a customer, while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// The time of the request.
    pub requested_at: Timestamp,
    /// The number of items that are deleted so far.
    pub deleted: u64,
}

/// The name of a customer.
pub type CustomerName = Text<1, 256>;

/// The text is not a name.
pub type CustomerNameError = TextError<1, 256>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_limited_in_characters() {
        let name = |text: &str| CustomerName::try_from(text.to_owned());
        assert!(name(&"ü".repeat(256)).is_ok());
        let long = name(&"ü".repeat(257));
        assert_eq!(long, Err(CustomerNameError::Length { len: 257 }));
        assert_eq!(name(""), Err(CustomerNameError::Length { len: 0 }));
        for bad in ["a\nb", "\u{7f}", "a\0"] {
            assert_eq!(name(bad), Err(CustomerNameError::ControlCharacter));
        }
    }
}
