//! The event types of a subscription, compared with the event catalogue.

use std::str::FromStr;

use crate::catalogue::UnknownType;
use crate::event_type::EventTypePatterns;
use crate::fields::FieldError;
use crate::ids::CustomerId;
use crate::manage::{Manage, ManageError};
use crate::operational::Kind;
use crate::ports::CatalogueTable;

/// The customer of the self test (`webhooks doctor --send`).
pub const SELF_TEST_CUSTOMER: &str = "webhooks-doctor-self-test";
/// The beginning of the event types of the self test. They are in no catalogue.
pub const SELF_TEST_TYPES: &str = "doctor.";

/// The most unknown event types that a refusal names.
const MAX_NAMED: usize = 5;

/// The rule of the stack for event types that are not in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTypeRule {
    /// The effect on a request that names such a type.
    pub unknown: UnknownTypes,
    /// The customer of the operational events, whose types are known without the catalogue.
    pub operator: Option<CustomerId>,
}

/// The effect of a type that is not in the catalogue on the request that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownTypes {
    /// The answer warns, unless the catalogue is empty.
    Warned,
    /// The request is refused.
    Refused,
}

/// A text that is neither `true` nor `false`.
#[derive(Debug, thiserror::Error)]
#[error("must be true or false")]
pub struct UnknownTypesError;

impl FromStr for UnknownTypes {
    type Err = UnknownTypesError;

    /// Reads the stack's parameter `EventTypesMustBeKnown`.
    fn from_str(text: &str) -> Result<Self, UnknownTypesError> {
        match text {
            "true" => Ok(Self::Refused),
            "false" => Ok(Self::Warned),
            _ => Err(UnknownTypesError),
        }
    }
}

impl<T: CatalogueTable, V, C> Manage<T, V, C> {
    /// Compares the event types that a request adds with the catalogue. Returns the unknown ones. If
    /// the stack refuses these, they are an error.
    ///
    /// Types that the subscription has already are not compared again: they may have been deleted from
    /// the catalogue since. Nor are the types that the system itself sends: operational events to the
    /// operator's customer, and those of the self test to its customer. A request that adds no type
    /// reads nothing.
    pub(super) async fn unknown_types(
        &self,
        customer: &CustomerId,
        wanted: Option<&EventTypePatterns>,
        current: Option<&EventTypePatterns>,
    ) -> Result<Vec<UnknownType>, ManageError> {
        let is_self_test = customer.as_str() == SELF_TEST_CUSTOMER;
        let is_operator = self.event_types.operator.as_ref() == Some(customer);
        let added = wanted.and_then(|wanted| {
            wanted.only(|pattern| {
                let has = |patterns: &EventTypePatterns| patterns.patterns().any(|p| p == pattern);
                let is_operational = || {
                    Kind::ALL
                        .iter()
                        .any(|kind| pattern.matches_text(kind.as_str()))
                };
                let is_of_self_test = || pattern.as_str().starts_with(SELF_TEST_TYPES);
                let is_exempt = pattern.is_all()
                    || current.is_some_and(has)
                    || (is_operator && is_operational())
                    || (is_self_test && is_of_self_test());
                !is_exempt
            })
        });
        let Some(added) = added else {
            return Ok(Vec::new());
        };
        let index = self.table.type_index().await?;
        let unknown = match self.event_types.unknown {
            UnknownTypes::Warned if index.is_empty() => return Ok(Vec::new()),
            UnknownTypes::Warned | UnknownTypes::Refused => index.unknown(&added),
        };
        if self.event_types.unknown == UnknownTypes::Warned || unknown.is_empty() {
            return Ok(unknown);
        }
        let named = unknown.iter().take(MAX_NAMED).map(ToString::to_string);
        let mut problems: Vec<_> = named.collect();
        if unknown.len() > MAX_NAMED {
            problems.push(format!("and {} more", unknown.len() - MAX_NAMED));
        }
        Err(FieldError::new("eventTypes", problems.join("; ")).into())
    }
}
