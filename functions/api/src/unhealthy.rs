//! `/unhealthy-subscriptions` and `/customers/{customerId}/unhealthy-subscriptions`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use webhooks_api_types as api;
use webhooks_domain::ids::SubscriptionId;
use webhooks_domain::subscription::UnhealthyPlace;

use crate::Api;
use crate::extract::{Path, Query};
use crate::pages::place;
use crate::path::OfCustomer;
use crate::problem::Problem;
use webhooks_wire::cursor::Cursor;
use webhooks_wire::lists;

/// List the unhealthy subscriptions
///
/// Lists subscriptions of all customers that fail, are slow, have an open circuit breaker or held
/// deliveries, or were disabled by the system, in the order of their creation. The list may be some
/// seconds old. A filter may make a page short.
#[utoipa::path(
    get,
    path = "/unhealthy-subscriptions",
    operation_id = "listUnhealthySubscriptions",
    tag = "subscriptions",
    params(api::UnhealthyQuery),
    responses((status = 200, description = "A page of unhealthy subscriptions.", body = api::UnhealthySubscriptionPage)),
)]
pub(crate) async fn all(
    State(api): State<Arc<Api>>,
    Query(query): Query<api::UnhealthyQuery>,
) -> Result<Json<api::UnhealthySubscriptionPage>, Problem> {
    let kind = query.kind.map(lists::problem_kind);
    let limit = query.limit.unwrap_or_default().get();
    let after: Option<Cursor<UnhealthyPlace>> = place(query.cursor.as_deref())?;
    let after = after.map(|cursor| cursor.0);
    let listed = api.unhealthy.all(kind, after.as_ref(), limit).await?;
    let cursor = |place| Cursor(place).to_string();
    Ok(Json(lists::unhealthy(listed, cursor)))
}

/// List the unhealthy subscriptions of a customer
///
/// In the order of their ids. A page looks at 200 subscriptions at most, so it may be short.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/unhealthy-subscriptions",
    operation_id = "listUnhealthySubscriptionsOfCustomer",
    tag = "subscriptions",
    params(OfCustomer, api::CustomerUnhealthyQuery),
    responses((status = 200, description = "A page of unhealthy subscriptions.", body = api::UnhealthySubscriptionPage)),
)]
pub(crate) async fn of_customer(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Query(query): Query<api::CustomerUnhealthyQuery>,
) -> Result<Json<api::UnhealthySubscriptionPage>, Problem> {
    let kind = query.kind.map(lists::problem_kind);
    let limit = query.limit.unwrap_or_default().get();
    let after = place(query.cursor.as_deref())?;
    let listed = api
        .unhealthy
        .of_customer(&customer_id, kind, after.as_ref(), limit);
    let cursor = |id: SubscriptionId| id.to_string();
    Ok(Json(lists::unhealthy(listed.await?, cursor)))
}
