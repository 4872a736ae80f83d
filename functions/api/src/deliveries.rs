//! `/messages/{messageId}` and `/deliveries/{deliveryId}`: what became of an event.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use webhooks_domain::broken::Readable;
use webhooks_domain::delivery::{Attempt, Delivery};
use webhooks_domain::event_type::EventType;
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use webhooks_domain::outbound::{AttemptOutcome, ResponseHeaders};
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::ports::{DeliveryReader, Directory, StoreError};

use crate::Api;
use crate::broken::{BrokenItemView, Shown, apart};
use crate::extract::{NoQuery, PathTexts, QueryTexts};
#[cfg(test)]
use crate::openapi::{answers, parameters, requests};
use crate::pages::{CURSOR, LIMIT, Limits, cursor_after};
use crate::problem::Problem;
use crate::subscriptions::CUSTOMER_ID;

/// The deliveries that are shown at once with their message.
const DELIVERIES: Limits = Limits {
    default: 1_000,
    max: 1_000,
};

/// A message, with what is owed of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Message))]
pub(crate) struct MessageView {
    #[cfg_attr(test, schema(value_type = String, example = "msg_9d621ecde980c9e89ef2b0fa0f4cc7e6"))]
    id: MessageId,
    #[cfg_attr(test, schema(value_type = String, example = "cust_1001"))]
    customer_id: CustomerId,
    #[cfg_attr(test, schema(value_type = String, example = "order.created"))]
    event_type: EventType,
    /// The event's own, as it came.
    time: String,
    /// When it was stored.
    #[cfg_attr(test, schema(format = DateTime))]
    received_at: String,
    deliveries: Vec<DeliveryView>,
    /// Its deliveries of which not everything can be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schema(required = false))]
    broken: Vec<BrokenItemView>,
    /// Where the next page of deliveries starts.
    #[cfg_attr(test, schema(required = true))]
    next_cursor: Option<String>,
}

/// A delivery, with all its attempts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Delivery))]
pub(crate) struct DeliveryView {
    #[cfg_attr(test, schema(value_type = String, example = "dlv_9d621ecde980c9e89ef2b0fa0f4cc7e6_70e79b2df96dcca5a0a362236c8d86f4"))]
    id: DeliveryId,
    #[cfg_attr(test, schema(value_type = String, example = "msg_9d621ecde980c9e89ef2b0fa0f4cc7e6"))]
    message_id: MessageId,
    #[cfg_attr(test, schema(value_type = String, example = "sub_70e79b2df96dcca5a0a362236c8d86f4"))]
    subscription_id: SubscriptionId,
    #[cfg_attr(test, schema(value_type = String, example = "cust_1001"))]
    customer_id: CustomerId,
    #[cfg_attr(test, schema(value_type = String, example = "order.created"))]
    event_type: EventType,
    /// What its body holds.
    #[cfg_attr(test, schema(value_type = requests::PayloadFormat))]
    payload_format: PayloadFormat,
    #[cfg_attr(test, schema(value_type = answers::DeliveryStatus))]
    status: &'static str,
    /// Why it has ended, with `failed` and `cancelled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<answers::Reason>))]
    reason: Option<&'static str>,
    #[cfg_attr(test, schema(format = DateTime))]
    created_at: String,
    /// While it is pending, after a failed attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(format = DateTime))]
    next_attempt_at: Option<String>,
    /// How many of the attempts were made before somebody asked to send it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier_attempts: Option<u32>,
    attempts: Vec<AttemptView>,
}

/// A delivery with the body of its requests.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = DeliveryWithBody))]
pub(crate) struct DeliveryWithBodyView {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// What is signed and sent, the same on every attempt. JSON, byte for byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// Why there is no body: what of its message cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_problem: Option<String>,
}

pub(crate) type ShownMessage = Shown<MessageView>;
pub(crate) type ShownDelivery = Shown<DeliveryWithBodyView>;

/// One HTTP request made for a delivery.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Attempt))]
struct AttemptView {
    /// From 1.
    number: u32,
    #[cfg_attr(test, schema(format = DateTime))]
    at: String,
    duration_ms: u32,
    #[cfg_attr(test, schema(value_type = answers::Outcome))]
    outcome: AttemptOutcome,
    /// The HTTP status, when there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// What went wrong, such as `connect: connection refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The one that answered; without an answer, those that were dialled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schema(value_type = Vec<String>, example = json!(["203.0.113.10"])))]
    addresses: Vec<IpAddr>,
    /// `content-type`, `retry-after`, `server` and `x-request-id` of the answer.
    #[serde(skip_serializing_if = "ResponseHeaders::is_empty")]
    #[cfg_attr(test, schema(value_type = std::collections::BTreeMap<String, String>, example = json!({"content-type": "text/plain"})))]
    response_headers: ResponseHeaders,
    /// The beginning of the answer's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_excerpt: Option<String>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            message_id: delivery.id.message,
            subscription_id: delivery.id.subscription,
            customer_id: delivery.customer_id,
            event_type: delivery.event_type,
            payload_format: delivery.payload_format,
            status: delivery.status.as_str(),
            reason: delivery.status.reason(),
            created_at: delivery.created_at.to_string(),
            next_attempt_at: delivery.next_attempt_at.map(|at| at.to_string()),
            earlier_attempts: Some(delivery.earlier_attempts).filter(|&earlier| earlier > 0),
            attempts: delivery
                .attempts
                .into_iter()
                .map(AttemptView::from)
                .collect(),
        }
    }
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        Self {
            number: attempt.number,
            at: attempt.at.to_string(),
            duration_ms: attempt.duration_ms,
            outcome: attempt.outcome,
            status: attempt.status,
            error: attempt.error,
            addresses: attempt.addresses,
            response_headers: attempt.response_headers,
            response_excerpt: attempt.response_excerpt,
        }
    }
}

/// Read a message
///
/// With a page of its deliveries, in the order of the subscriptions' ids.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/messages/{messageId}",
    operation_id = "showMessage",
    params(parameters::OfMessage, parameters::DeliveriesPage),
    responses((status = 200, description = "The message, or what can be read of it.", body = ShownMessage)),
))]
pub(crate) async fn message(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    query: QueryTexts,
) -> Result<Json<ShownMessage>, Problem> {
    show_message(&api, None, &path, &query).await
}

/// Read a message of a customer
///
/// With a page of its deliveries, in the order of the subscriptions' ids. Another customer's
/// message is not found.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/customers/{customerId}/messages/{messageId}",
    operation_id = "showMessageOfCustomer",
    params(parameters::OfCustomer, parameters::OfMessage, parameters::DeliveriesPage),
    responses((status = 200, description = "The message, or what can be read of it.", body = ShownMessage)),
))]
pub(crate) async fn message_of_customer(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    query: QueryTexts,
) -> Result<Json<ShownMessage>, Problem> {
    let customer = path.parse(CUSTOMER_ID)?;
    show_message(&api, Some(&customer), &path, &query).await
}

/// Shows a message, if it is this customer's; of any customer where none is named.
async fn show_message(
    api: &Api,
    customer: Option<&CustomerId>,
    path: &PathTexts,
    query: &QueryTexts,
) -> Result<Json<ShownMessage>, Problem> {
    let id: MessageId = path.parse("messageId")?;
    query.only(&[LIMIT, CURSOR])?;
    let (limit, after): (_, Option<SubscriptionId>) = query.page(DELIVERIES)?;
    let not_found = || Problem::not_found(format!("there is no message `{id}`"));
    let page = api.table.message_page(&id, after.as_ref(), limit).await?;
    let page = match page.ok_or_else(not_found)? {
        Ok(page) if is_of(customer, Some(&page.message.customer_id)) => page,
        Err(broken) if is_of(customer, broken.customer_id.as_ref()) => {
            return Ok(Json(Shown::Broken(broken.into())));
        }
        Ok(_) | Err(_) => return Err(not_found()),
    };
    let next_cursor = cursor_after(&page.deliveries, page.has_more, |delivery| match delivery {
        Ok(delivery) => delivery.id.subscription,
        Err(broken) => broken.id.subscription,
    });
    let (deliveries, broken) = apart(page.deliveries, DeliveryView::from);
    Ok(Json(Shown::whole(MessageView {
        id,
        customer_id: page.message.customer_id,
        event_type: page.message.event_type,
        time: page.message.time,
        received_at: page.received_at.to_string(),
        deliveries,
        broken,
        next_cursor,
    })))
}

/// Read a delivery
///
/// With the body of its requests.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/deliveries/{deliveryId}",
    operation_id = "showDelivery",
    params(parameters::OfDelivery),
    responses((status = 200, description = "The delivery, or what can be read of it.", body = ShownDelivery)),
))]
pub(crate) async fn delivery(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    _: NoQuery,
) -> Result<Json<ShownDelivery>, Problem> {
    show_delivery(&api, None, &path).await
}

/// Read a delivery of a customer
///
/// With the body of its requests. Another customer's delivery is not found.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/customers/{customerId}/deliveries/{deliveryId}",
    operation_id = "showDeliveryOfCustomer",
    params(parameters::OfCustomer, parameters::OfDelivery),
    responses((status = 200, description = "The delivery, or what can be read of it.", body = ShownDelivery)),
))]
pub(crate) async fn delivery_of_customer(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    _: NoQuery,
) -> Result<Json<ShownDelivery>, Problem> {
    let customer = path.parse(CUSTOMER_ID)?;
    show_delivery(&api, Some(&customer), &path).await
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
    path: &PathTexts,
) -> Result<Json<ShownDelivery>, Problem> {
    let id: DeliveryId = path.parse("deliveryId")?;
    let (delivery, body) = match find(api, customer, &id).await? {
        Ok(found) => found,
        Err(broken) => return Ok(Json(Shown::Broken(broken.into()))),
    };
    // Events are JSON texts, and so is what is made of them.
    let text = |body: Vec<u8>| String::from_utf8_lossy(&body).into_owned();
    let (body, body_problem) = match body {
        Ok(body) => (Some(text(body)), None),
        Err(problem) => (None, Some(problem)),
    };
    Ok(Json(Shown::whole(DeliveryWithBodyView {
        delivery: delivery.into(),
        body,
        body_problem,
    })))
}
