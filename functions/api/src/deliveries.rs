//! `/messages/{messageId}` and `/deliveries/{deliveryId}`: what became of an event.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use webhooks_api_types as api;
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId};
use webhooks_domain::ports::Directory;
use webhooks_domain::read_delivery::{DeliveryWithBody, is_of, read_delivery};
use webhooks_domain::show_exchanges::show_exchanges;

use crate::Api;
use crate::extract::{NoQuery, Path, Query};
use crate::pages::place;
use crate::path::{OfCustomer, OfDelivery, OfMessage};
use crate::problem::Problem;
use webhooks_wire::{answers, lists};

/// Read a message
///
/// With a page of its deliveries, in the order of the subscriptions' ids.
#[utoipa::path(
    get,
    path = "/messages/{messageId}",
    operation_id = "showMessage",
    params(OfMessage, api::MessageQuery),
    responses((status = 200, description = "The message, or what can be read of it.", body = api::ShownMessage)),
)]
pub(crate) async fn message(
    State(api): State<Arc<Api>>,
    Path(OfMessage { message_id }): Path<OfMessage>,
    Query(query): Query<api::MessageQuery>,
) -> Result<Json<api::ShownMessage>, Problem> {
    show_message(&api, None, &message_id, &query).await
}

/// Read a message of a customer
///
/// With a page of its deliveries, in the order of the subscriptions' ids. Another customer's
/// message is not found.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/messages/{messageId}",
    operation_id = "showMessageOfCustomer",
    params(OfCustomer, OfMessage, api::MessageQuery),
    responses((status = 200, description = "The message, or what can be read of it.", body = api::ShownMessage)),
)]
pub(crate) async fn message_of_customer(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfMessage { message_id }): Path<OfMessage>,
    Query(query): Query<api::MessageQuery>,
) -> Result<Json<api::ShownMessage>, Problem> {
    show_message(&api, Some(&customer_id), &message_id, &query).await
}

/// Shows a message, if it is this customer's; of any customer where none is named.
async fn show_message(
    api: &Api,
    customer: Option<&CustomerId>,
    id: &MessageId,
    query: &api::MessageQuery,
) -> Result<Json<api::ShownMessage>, Problem> {
    let after = place(query.cursor.as_deref())?;
    let limit = query.limit.unwrap_or_default().get();
    let not_found = || Problem::not_found(format!("there is no message `{id}`"));
    let page = api.table.message_page(id, after.as_ref(), limit).await?;
    let page = match page.ok_or_else(not_found)? {
        Ok(page) if is_of(customer, Some(&page.message.customer_id)) => page,
        Err(broken) if is_of(customer, broken.customer_id.as_ref()) => {
            return Ok(Json(api::Shown::Broken(answers::broken(broken))));
        }
        Ok(_) | Err(_) => return Err(not_found()),
    };
    Ok(Json(api::Shown::whole(lists::message(
        page.within_an_answer(),
    ))))
}

/// Read a delivery
///
/// With the body of its requests, and with the request and the answer of each attempt.
#[utoipa::path(
    get,
    path = "/deliveries/{deliveryId}",
    operation_id = "showDelivery",
    params(OfDelivery),
    responses((status = 200, description = "The delivery, or what can be read of it.", body = api::ShownDelivery)),
)]
pub(crate) async fn delivery(
    State(api): State<Arc<Api>>,
    Path(OfDelivery { delivery_id }): Path<OfDelivery>,
    _: NoQuery,
) -> Result<Json<api::ShownDelivery>, Problem> {
    show_delivery(&api, None, &delivery_id).await
}

/// Read a delivery of a customer
///
/// With the body of its requests, and with the request and the answer of each attempt. Another
/// customer's delivery is not found.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/deliveries/{deliveryId}",
    operation_id = "showDeliveryOfCustomer",
    params(OfCustomer, OfDelivery),
    responses((status = 200, description = "The delivery, or what can be read of it.", body = api::ShownDelivery)),
)]
pub(crate) async fn delivery_of_customer(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfDelivery { delivery_id }): Path<OfDelivery>,
    _: NoQuery,
) -> Result<Json<api::ShownDelivery>, Problem> {
    show_delivery(&api, Some(&customer_id), &delivery_id).await
}

/// Reads a delivery with its body, as far as they can be read. If a customer is named, another
/// customer's delivery is not found.
async fn find(
    api: &Api,
    customer: Option<&CustomerId>,
    id: &DeliveryId,
) -> Result<DeliveryWithBody, Problem> {
    let found = read_delivery(&api.table, customer, id).await?;
    found.ok_or_else(|| Problem::not_found(format!("there is no delivery `{id}`")))
}

/// Holds a delivery to be this customer's.
pub(crate) async fn check_customer(
    api: &Api,
    customer: &CustomerId,
    id: &DeliveryId,
) -> Result<(), Problem> {
    find(api, Some(customer), id).await.map(drop)
}

/// Shows a delivery, if it is this customer's; of any customer where none is named.
async fn show_delivery(
    api: &Api,
    customer: Option<&CustomerId>,
    id: &DeliveryId,
) -> Result<Json<api::ShownDelivery>, Problem> {
    let found = find(api, customer, id).await?;
    let exchanges = match &found {
        Ok((delivery, _)) => show_exchanges(&api.table, delivery).await?,
        Err(_) => Vec::new(),
    };
    Ok(Json(answers::delivery_with_body(found, exchanges)))
}
