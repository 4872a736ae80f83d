//! Lists of deliveries and of messages, the newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use webhooks_api_types as api;
use webhooks_domain::broken::Broken;
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::lists::{DeliveryFilter, Listed, PageOf, Which};
use webhooks_domain::paging::MessageEntry;

use crate::Api;
use crate::extract::{Path, Query};
use crate::path::{OfCustomer, OfSubscription};
use crate::problem::Problem;
use crate::subscriptions::must_exist;
use webhooks_wire::answers;
use webhooks_wire::cursor::Words;
use webhooks_wire::lists::{self, page};

/// The deliveries that a query selects, and the page.
fn selected<P: Words>(query: api::DeliveriesQuery) -> Result<(DeliveryFilter, PageOf<P>), Problem> {
    lists::selected(query).map_err(Problem::of_parameter)
}

/// List the deliveries of a subscription
///
/// The newest first. A page looks at 1,000 deliveries at most, so a filter may make it short.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/deliveries",
    operation_id = "listDeliveries",
    params(
        OfCustomer, OfSubscription,
        api::DeliveriesQuery,
    ),
    responses((status = 200, description = "A page of deliveries.", body = api::DeliveryPage)),
)]
pub(crate) async fn deliveries(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    Query(query): Query<api::DeliveriesQuery>,
) -> Result<Json<api::DeliveryPage>, Problem> {
    of_subscription(&api, &customer_id, &subscription_id, query, Which::All).await
}

/// List the undelivered deliveries of a subscription
///
/// Lists deliveries that are held, have failed, or are pending after a failure, the newest first.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/undelivered",
    operation_id = "listUndelivered",
    params(
        OfCustomer, OfSubscription,
        api::UndeliveredQuery,
    ),
    responses((status = 200, description = "A page of deliveries.", body = api::DeliveryPage)),
)]
pub(crate) async fn undelivered(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    Query(query): Query<api::UndeliveredQuery>,
) -> Result<Json<api::DeliveryPage>, Problem> {
    let (query, which) = (query.into(), Which::Undelivered);
    of_subscription(&api, &customer_id, &subscription_id, query, which).await
}

async fn of_subscription(
    api: &Api,
    customer: &CustomerId,
    subscription: &SubscriptionId,
    query: api::DeliveriesQuery,
    which: Which,
) -> Result<Json<api::DeliveryPage>, Problem> {
    let (filter, range) = selected(query)?;
    // The list goes by the subscription alone: here it is held to be this customer's.
    must_exist(api, customer, subscription).await?;
    let listed = api.lists.deliveries(subscription, which, &filter, &range);
    Ok(Json(page(listed.await?, answers::delivery)))
}

/// List the deliveries of a customer
///
/// Message by message, the newest message first. The times are those at which the messages were
/// stored. A page looks at 1,000 messages and deliveries at most.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/deliveries",
    operation_id = "listDeliveriesOfCustomer",
    params(
        OfCustomer,
        api::DeliveriesQuery,
    ),
    responses((status = 200, description = "A page of deliveries.", body = api::DeliveryPage)),
)]
pub(crate) async fn of_customer(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Query(query): Query<api::DeliveriesQuery>,
) -> Result<Json<api::DeliveryPage>, Problem> {
    let (filter, range) = selected(query)?;
    let listed = api.lists.customer_deliveries(&customer_id, &filter, &range);
    Ok(Json(page(listed.await?, answers::delivery)))
}

/// List the messages of a customer
///
/// The newest first. A page looks at 1,000 messages at most, so a filter may make it short.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/messages",
    operation_id = "listMessages",
    params(OfCustomer, api::MessagesQuery),
    responses((status = 200, description = "A page of messages.", body = api::MessageEntryPage)),
)]
pub(crate) async fn messages(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Query(query): Query<api::MessagesQuery>,
) -> Result<Json<api::MessageEntryPage>, Problem> {
    let (since, until) = (query.since.as_deref(), query.until.as_deref());
    let range = lists::page_of(since, until, query.limit, query.cursor.as_deref())
        .map_err(Problem::of_parameter)?;
    let event_type = lists::event_type(query.event_type).map_err(Problem::of_parameter)?;
    let listed = api
        .lists
        .messages(&customer_id, event_type.as_ref(), &range);
    let listed = listed.await?;
    let read = |entry: MessageEntry| {
        let problem = match (entry.event_type, entry.time) {
            (Some(event_type), Some(time)) => {
                return Ok(api::MessageEntry {
                    id: entry.id.to_string(),
                    customer_id: customer_id.to_string(),
                    event_type: event_type.into(),
                    time,
                    received_at: entry.received_at.to_string(),
                });
            }
            (None, _) => "eventType: is missing, or no text",
            (_, None) => "time: is missing, or no text",
        };
        Err(Broken {
            id: entry.id,
            customer_id: Some(customer_id.clone()),
            problem: problem.to_owned(),
        })
    };
    let listed = Listed {
        found: listed.found.into_iter().map(read).collect(),
        next: listed.next,
    };
    Ok(Json(page(listed, |entry| entry)))
}
