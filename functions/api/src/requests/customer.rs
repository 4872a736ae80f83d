//! Requests about a customer.

use webhooks_api_types as api;
use webhooks_domain::contact::Contacts;
use webhooks_domain::customer::CustomerName;
use webhooks_domain::customers::{CustomerChange, CustomerFields};
use webhooks_domain::fields::FieldError;
use webhooks_domain::metadata::Metadata;

use super::{change, map_change, parsed, whole};

/// Converts a request to the fields of a customer.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn customer_fields(request: api::NewCustomer) -> Result<CustomerFields, FieldError> {
    let metadata = parsed("metadata", request.metadata, Metadata::try_from)?;
    Ok(CustomerFields {
        name: parsed("name", request.name, CustomerName::try_from)?,
        metadata: metadata.unwrap_or_default(),
        max_subscriptions: parsed("maxSubscriptions", request.max_subscriptions, |most| {
            whole(most).try_into()
        })?,
        rate_limit: parsed(
            "rateLimitPerSecond",
            request.rate_limit_per_second,
            |rate| whole(rate).try_into(),
        )?,
        contacts: parsed("contacts", request.contacts, Contacts::of_operator)?.unwrap_or_default(),
    })
}

/// Converts a request to a change of a customer.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn customer_change(patch: api::CustomerPatch) -> Result<CustomerChange, FieldError> {
    Ok(CustomerChange {
        name: change("name", patch.name, CustomerName::try_from)?,
        metadata: map_change(patch.metadata),
        max_subscriptions: change("maxSubscriptions", patch.max_subscriptions, |most| {
            whole(most).try_into()
        })?,
        rate_limit: change("rateLimitPerSecond", patch.rate_limit_per_second, |rate| {
            whole(rate).try_into()
        })?,
        contacts: change("contacts", patch.contacts, Contacts::of_operator)?,
    })
}
