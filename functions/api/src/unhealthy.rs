//! `/unhealthy-subscriptions` and `/customers/{customerId}/unhealthy-subscriptions`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use webhooks_api_types as api;
use webhooks_domain::lists::Listed;
use webhooks_domain::subscription::{ProblemKind, UnhealthyPlace};
use webhooks_domain::unhealthy::ListedUnhealthy;

use crate::Api;
use crate::extract::{Path, Query};
use crate::pages::place;
use crate::path::OfCustomer;
use crate::problem::Problem;
use webhooks_wire::answers;
use webhooks_wire::cursor::Cursor;

fn wanted(kind: api::ProblemKind) -> ProblemKind {
    match kind {
        api::ProblemKind::Disabled => ProblemKind::Disabled,
        api::ProblemKind::CircuitOpen => ProblemKind::CircuitOpen,
        api::ProblemKind::Failing => ProblemKind::Failing,
        api::ProblemKind::Slow => ProblemKind::Slow,
        api::ProblemKind::Holding => ProblemKind::Holding,
    }
}

fn page<P>(
    listed: Listed<ListedUnhealthy, P>,
    cursor: impl FnOnce(P) -> String,
) -> Json<api::UnhealthySubscriptionPage> {
    let (mut data, mut broken) = (Vec::new(), Vec::new());
    for found in listed.found {
        match found {
            Ok(found) => data.extend(answers::unhealthy(&found)),
            Err(found) => broken.push(answers::broken_subscription(&found)),
        }
    }
    Json(api::Page {
        data,
        next_cursor: listed.next.map(cursor),
        broken,
    })
}

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
    let kind = query.kind.map(wanted);
    let limit = query.limit.unwrap_or_default().get();
    let after: Option<Cursor<UnhealthyPlace>> = place(query.cursor.as_deref())?;
    let after = after.map(|cursor| cursor.0);
    let listed = api.unhealthy.all(kind, after.as_ref(), limit).await?;
    Ok(page(listed, |place| Cursor(place).to_string()))
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
    let kind = query.kind.map(wanted);
    let limit = query.limit.unwrap_or_default().get();
    let after = place(query.cursor.as_deref())?;
    let listed = api
        .unhealthy
        .of_customer(&customer_id, kind, after.as_ref(), limit);
    Ok(page(listed.await?, |id| id.to_string()))
}
