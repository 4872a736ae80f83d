//! `/unhealthy-subscriptions` and `/customers/{customerId}/unhealthy-subscriptions`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use webhooks_api_types as api;
use webhooks_domain::ids::SubscriptionId;
use webhooks_domain::lists::Listed;
use webhooks_domain::subscription::{ProblemKind, UnhealthyPlace};
use webhooks_domain::unhealthy::ListedUnhealthy;

use crate::Api;
use crate::answers;
use crate::cursor::Cursor;
use crate::extract::{PathTexts, QueryTexts};
use crate::openapi::parameters;
use crate::pages::{CURSOR, LIMIT, LIMITS};
use crate::problem::Problem;
use crate::subscriptions::CUSTOMER_ID;

const KIND: &str = "kind";

impl QueryTexts {
    fn kind(&self) -> Result<Option<ProblemKind>, Problem> {
        let Some(text) = self.text(KIND) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(api::ProblemKind::Disabled) => Ok(Some(ProblemKind::Disabled)),
            Ok(api::ProblemKind::CircuitOpen) => Ok(Some(ProblemKind::CircuitOpen)),
            Ok(api::ProblemKind::Failing) => Ok(Some(ProblemKind::Failing)),
            Ok(api::ProblemKind::Slow) => Ok(Some(ProblemKind::Slow)),
            Err(_) => {
                let problem = "must be `disabled`, `circuitOpen`, `failing` or `slow`";
                Err(Problem::bad_parameter(KIND, problem))
            }
        }
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
/// Lists subscriptions of all customers that fail, are slow, have an open circuit breaker or were
/// disabled by the system, in the order of their creation. The list may be some seconds old. A
/// filter may make a page short.
#[utoipa::path(
    get,
    path = "/unhealthy-subscriptions",
    operation_id = "listUnhealthySubscriptions",
    tag = "subscriptions",
    params(parameters::ByProblem, parameters::UnhealthyPage),
    responses((status = 200, description = "A page of unhealthy subscriptions.", body = api::UnhealthySubscriptionPage)),
)]
pub(crate) async fn all(
    State(api): State<Arc<Api>>,
    query: QueryTexts,
) -> Result<Json<api::UnhealthySubscriptionPage>, Problem> {
    query.only(&[KIND, LIMIT, CURSOR])?;
    let kind = query.kind()?;
    let (limit, after): (_, Option<Cursor<UnhealthyPlace>>) = query.page(LIMITS)?;
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
    params(parameters::OfCustomer, parameters::ByProblem, parameters::SubscriptionsPage),
    responses((status = 200, description = "A page of unhealthy subscriptions.", body = api::UnhealthySubscriptionPage)),
)]
pub(crate) async fn of_customer(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    query: QueryTexts,
) -> Result<Json<api::UnhealthySubscriptionPage>, Problem> {
    let customer = path.parse(CUSTOMER_ID)?;
    query.only(&[KIND, LIMIT, CURSOR])?;
    let kind = query.kind()?;
    let (limit, after): (_, Option<SubscriptionId>) = query.page(LIMITS)?;
    let listed = api
        .unhealthy
        .of_customer(&customer, kind, after.as_ref(), limit);
    Ok(page(listed.await?, |id| id.to_string()))
}
