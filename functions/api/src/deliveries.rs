//! `/messages/{messageId}` and `/deliveries/{deliveryId}`: what became of an event.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use webhooks_api_types as api;
use webhooks_domain::broken::Readable;
use webhooks_domain::delivery::Delivery;
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId};
use webhooks_domain::ports::{DeliveryReader, Directory, StoreError};
use webhooks_domain::show_exchanges::show_exchanges;

use crate::Api;
use crate::answers::{self, apart};
use crate::extract::{NoQuery, Path, Query};
use crate::pages::{cursor_after, place};
use crate::path::{OfCustomer, OfDelivery, OfMessage};
use crate::problem::Problem;

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
    let next_cursor = cursor_after(&page.deliveries, page.has_more, |delivery| match delivery {
        Ok(delivery) => delivery.id.subscription,
        Err(broken) => broken.id.subscription,
    });
    let (deliveries, broken) = apart(page.deliveries, answers::delivery);
    Ok(Json(api::Shown::whole(api::Message {
        id: id.to_string(),
        customer_id: page.message.customer_id.to_string(),
        event_type: page.message.event_type.into(),
        time: page.message.time,
        received_at: page.received_at.to_string(),
        deliveries,
        broken,
        next_cursor,
    })))
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

/// Whether something is the customer's that was named, if one was. What does not say whose it is
/// is nobody's.
fn is_of(named: Option<&CustomerId>, customer: Option<&CustomerId>) -> bool {
    named.is_none_or(|named| Some(named) == customer)
}

/// A delivery with its body, as far as they can be read. None of another customer where one is
/// named.
async fn find(
    api: &Api,
    customer: Option<&CustomerId>,
    id: &DeliveryId,
) -> Result<Readable<(Delivery, Result<Vec<u8>, String>), DeliveryId>, Problem> {
    let found = match api.table.load(id).await {
        Ok(found) => found.map(|(delivery, message)| {
            let body = message.body(delivery.payload_format);
            Ok((delivery, body.map_err(|error| error.to_string())))
        }),
        // It, or only its message.
        Err(unreadable @ StoreError::Corrupt { .. }) => {
            let delivery = api.table.read_deliveries(std::slice::from_ref(id)).await?;
            let delivery = delivery.into_iter().next();
            delivery.map(|read| read.map(|delivery| (delivery, Err(unreadable.to_string()))))
        }
        Err(failure) => return Err(failure.into()),
    };
    let found = found.filter(|found| {
        let its = match found {
            Ok((delivery, _)) => Some(&delivery.customer_id),
            Err(broken) => broken.customer_id.as_ref(),
        };
        is_of(customer, its)
    });
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
    let (delivery, body) = match find(api, customer, id).await? {
        Ok(found) => found,
        Err(broken) => return Ok(Json(api::Shown::Broken(answers::broken(broken)))),
    };
    // Events are JSON texts, and so is what is made of them.
    let text = |body: Vec<u8>| String::from_utf8_lossy(&body).into_owned();
    let (body, body_problem) = match body {
        Ok(body) => (Some(text(body)), None),
        Err(problem) => (None, Some(problem)),
    };
    let exchanges = show_exchanges(&api.table, &delivery).await?;
    Ok(Json(api::Shown::whole(api::DeliveryWithBody {
        delivery: answers::delivery_with_exchanges(delivery, exchanges),
        body,
        body_problem,
    })))
}
