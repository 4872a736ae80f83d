//! Requests in the domain's types. An error names the field.

mod customer;
mod event_type;
mod filter_test;
mod portal_session;
mod recovery;
mod rotation;
mod subscription;
mod test_event;
mod transform_test;

use std::fmt::Display;

use webhooks_api_types as api;
use webhooks_domain::fields::FieldError;
use webhooks_domain::manage::{Change, MapChange};
use webhooks_wire::requests::parsed;

pub(crate) use customer::{customer_change, customer_fields};
pub(crate) use event_type::{check_schema, documentation};
pub(crate) use filter_test::filter_matches;
pub(crate) use portal_session::portal_session;
pub(crate) use recovery::{recover, replay};
pub(crate) use rotation::rotation;
pub(crate) use subscription::{held, held_fate, subscription_change};
pub(crate) use test_event::test_event_type;
pub(crate) use transform_test::{TrialEvent, transformed};

fn whole(api::WholeNumber(number): api::WholeNumber) -> u64 {
    number.into()
}

/// A field that may be absent or `null`.
fn change<A, T, E: Display>(
    field: &str,
    value: api::Nullable<A>,
    parse: impl FnOnce(A) -> Result<T, E>,
) -> Result<Change<T>, FieldError> {
    match value {
        api::Nullable::Absent => Ok(Change::Keep),
        api::Nullable::Null => Ok(Change::Remove),
        api::Nullable::Value(value) => parse(value)
            .map(Change::Set)
            .map_err(|error| FieldError::new(field, error)),
    }
}

fn map_change(patch: api::Nullable<api::MapPatch>) -> MapChange {
    match patch {
        api::Nullable::Absent => MapChange::default(),
        api::Nullable::Null => MapChange::RemoveAll,
        api::Nullable::Value(changes) => MapChange::Merge(changes),
    }
}
