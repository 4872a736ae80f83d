//! `/customers/{customerId}/contacts` and `/contacts/confirm`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use webhooks_api_types as api;
use webhooks_domain::contact::EmailAddress;
use webhooks_domain::contacts::{ContactError, ManageContacts};
use webhooks_domain::fields::FieldError;
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::SystemClock;
use webhooks_sqs::NotificationQueue;

use crate::Api;
use crate::audit;
use crate::body;
use crate::extract::{Body, Caller, NoQuery, Path};
use crate::path::{OfContact, OfCustomer};
use crate::problem::Problem;
use webhooks_wire::answers;

/// The contacts that customers add themselves.
pub(crate) struct ApiContacts {
    pub(crate) manage: ManageContacts<DynamoStore, SystemClock>,
    /// Asks for confirmations. `None` if the stack has no sender or no portal.
    pub(crate) mailer: Option<NotificationQueue>,
}

impl From<ContactError> for Problem {
    fn from(error: ContactError) -> Self {
        match error {
            ContactError::Add(error) => FieldError::new("address", error).into(),
            ContactError::Code => FieldError::new("code", error).into(),
            ContactError::Remove(error) => Self::conflict(
                "contact-not-removed",
                "Contact not removed",
                error.to_string(),
            ),
            ContactError::BeingDeleted { .. } => Self::customer_being_deleted(&error),
            ContactError::Conflict { .. } => {
                Self::conflict("conflict", "Conflict", error.to_string())
            }
            ContactError::Store(error) => error.into(),
            ContactError::Queue(error) => Self::unavailable(&error),
        }
    }
}

/// Add a contact that has to be confirmed
///
/// The address gets a message with a link to the portal, and no other message until somebody has
/// confirmed it there. To set addresses for which you vouch yourself, change the customer.
#[utoipa::path(
    post,
    path = "/customers/{customerId}/contacts",
    operation_id = "addContact",
    params(OfCustomer),
    request_body = api::NewContact,
    responses(
        (status = 200, description = "It is a contact already.", body = api::Contact),
        (status = 202, description = "The contact, which is pending.", body = api::Contact),
        (status = 409, description = "The stack sends no messages, or the customer is being deleted.",
            body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn add(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    _: NoQuery,
    caller: Caller,
    Body(body): Body,
) -> Result<(StatusCode, Json<api::Contact>), Problem> {
    let api::NewContact { address } = body::read(&body)?;
    let address = EmailAddress::try_from(address);
    let address = address.map_err(|error| FieldError::new("address", error))?;
    let mailer = api.contacts.mailer.as_ref().ok_or_else(|| {
        let detail = "the stack has no `NotificationSender` or no portal, so nobody can confirm an \
                      address: change the customer instead";
        Problem::conflict(
            "notifications-disabled",
            "Notifications disabled",
            detail.to_owned(),
        )
    })?;
    let added = api.contacts.manage.add(mailer, &customer_id, address);
    let added = added.await?;
    let status = if added.is_new {
        audit::contact("contact added", &customer_id, &caller);
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(answers::contact(&added.contact))))
}

/// Remove a contact
///
/// One that is pending can be removed after a day. A repetition changes nothing.
#[utoipa::path(
    delete,
    path = "/customers/{customerId}/contacts/{address}",
    operation_id = "removeContact",
    params(OfCustomer, OfContact),
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "It is pending for less than a day.",
            body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfContact { address }): Path<OfContact>,
    _: NoQuery,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    api.contacts.manage.remove(&customer_id, &address).await?;
    audit::contact("contact removed", &customer_id, &caller);
    Ok(StatusCode::NO_CONTENT)
}

/// Confirm a contact
///
/// With the code of the message to its address. The portal makes this request for the person who has
/// opened the link in that message.
#[utoipa::path(
    post,
    path = "/contacts/confirm",
    operation_id = "confirmContact",
    request_body = api::ContactConfirmation,
    responses((status = 204, description = "It is confirmed.")),
)]
pub(crate) async fn confirm(
    State(api): State<Arc<Api>>,
    _: NoQuery,
    caller: Caller,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    let api::ContactConfirmation { code } = body::read(&body)?;
    let code = code.parse().map_err(|_| ContactError::Code)?;
    api.contacts.manage.confirm(&code).await?;
    audit::contact("contact confirmed", code.customer(), &caller);
    Ok(StatusCode::NO_CONTENT)
}
