//! `/customers` and `/customers/{customerId}`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use webhooks_api_types as api;
use webhooks_domain::customer::Customer;

use crate::Api;
use crate::audit;
use crate::body;
use crate::extract::{Body, Caller, NoQuery, Path, Query};
use crate::if_match::IfMatch;
use crate::pages::place;
use crate::path::OfCustomer;
use crate::problem::Problem;
use crate::requests;
use crate::subscriptions::{ETag, etag};
use webhooks_wire::answers;
use webhooks_wire::cursor::{Cursor, CustomersPlace};
use webhooks_wire::lists;

/// List customers
///
/// All that have or had a subscription, or were put, in the order of their ids.
#[utoipa::path(
    get,
    path = "/customers",
    operation_id = "listCustomers",
    params(api::CustomersQuery),
    responses((status = 200, description = "A page of customers.", body = api::CustomerPage)),
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(query): Query<api::CustomersQuery>,
) -> Result<Json<api::CustomerPage>, Problem> {
    let after: Option<Cursor<CustomersPlace>> = place(query.cursor.as_deref())?;
    let limit = query.limit.unwrap_or_default().get();
    let after = after.map(|Cursor(CustomersPlace(id))| id);
    let page = api.customers.list(after.as_ref(), limit).await?;
    Ok(Json(lists::customers(page)))
}

/// Read a customer
#[utoipa::path(
    get,
    path = "/customers/{customerId}",
    operation_id = "showCustomer",
    params(OfCustomer),
    responses((status = 200, description = "The customer.", body = api::Customer,
        headers(("ETag" = String, description = "The version, in quotes.")))),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    _: NoQuery,
) -> Result<(ETag, Json<api::Customer>), Problem> {
    let customer = api.customers.show(&customer_id).await?;
    Ok(with_etag(customer))
}

/// Put a customer
///
/// Writes all of its fields: a field that is absent is removed. A customer that does not exist is
/// created, unless there is an `If-Match`.
#[utoipa::path(
    put,
    path = "/customers/{customerId}",
    operation_id = "putCustomer",
    params(OfCustomer, IfMatch),
    request_body = api::NewCustomer,
    responses(
        (status = 200, description = "The customer.", body = api::Customer,
            headers(("ETag" = String, description = "The version, in quotes."))),
        (status = 201, description = "The customer, which is new.", body = api::Customer,
            headers(("ETag" = String, description = "The version, in quotes."))),
    ),
)]
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    _: NoQuery,
    IfMatch(expected): IfMatch,
    caller: Caller,
    Body(body): Body,
) -> Result<(StatusCode, ETag, Json<api::Customer>), Problem> {
    let fields = requests::customer_fields(body::read(&body)?)?;
    let written = api
        .customers
        .replace(&customer_id, &expected, fields)
        .await?;
    audit::customer_written(&written, &caller);
    let status = match written.before {
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    };
    let (etag, customer) = with_etag(written.customer);
    Ok((status, etag, customer))
}

/// Change a customer
#[utoipa::path(
    patch,
    path = "/customers/{customerId}",
    operation_id = "updateCustomer",
    params(OfCustomer, IfMatch),
    request_body(content(
        (api::CustomerPatch = "application/json"),
        (api::CustomerPatch = "application/merge-patch+json"),
    )),
    responses(
        (status = 200, description = "The customer.", body = api::Customer,
            headers(("ETag" = String, description = "The version, in quotes."))),
    ),
)]
pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    _: NoQuery,
    IfMatch(expected): IfMatch,
    caller: Caller,
    Body(body): Body,
) -> Result<(ETag, Json<api::Customer>), Problem> {
    let change = requests::customer_change(body::read(&body)?)?;
    let written = api
        .customers
        .update(&customer_id, &expected, change)
        .await?;
    audit::customer_written(&written, &caller);
    Ok(with_etag(written.customer))
}

/// Delete a customer and all its data
///
/// Its subscriptions, messages, deliveries and all other data are deleted in the background, by runs
/// that begin every 15 minutes. Until then `GET` shows the progress, and nothing can be created for
/// the customer; afterwards it is 404. A repetition changes nothing.
#[utoipa::path(
    delete,
    path = "/customers/{customerId}",
    operation_id = "deleteCustomer",
    params(OfCustomer, IfMatch),
    responses(
        (status = 202, description = "The customer, which is being deleted.", body = api::Customer,
            headers(("ETag" = String, description = "The version, in quotes."))),
    ),
)]
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    _: NoQuery,
    IfMatch(expected): IfMatch,
    caller: Caller,
) -> Result<(StatusCode, ETag, Json<api::Customer>), Problem> {
    let (customer, requested) = api.customers.delete(&customer_id, &expected).await?;
    if requested {
        audit::customer_deletion_requested(&customer_id, &caller);
    }
    let (etag, customer) = with_etag(customer);
    Ok((StatusCode::ACCEPTED, etag, customer))
}

/// A customer with its version as the entity tag.
fn with_etag(customer: Customer) -> (ETag, Json<api::Customer>) {
    let etag = etag(customer.version);
    (etag, Json(answers::customer(customer)))
}
