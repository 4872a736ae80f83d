//! `…/recover`, `…/replay` and `…/recoveries` of a subscription.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tracing::info;
use webhooks_api_types as api;
use webhooks_domain::broken::Broken;
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::ports::Clock;
use webhooks_domain::recover::{CountBudget, Recoveries, RecoveriesError};
use webhooks_domain::recovery::{RecoveryKey, RecoveryRequest, Requested};
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{SfnWorkflow, SystemClock};

use crate::Api;
use crate::body;
use crate::extract::{Body, NoQuery, Path, Query};
use crate::pages::place;
use crate::path::{OfCustomer, OfRecovery, OfSubscription};
use crate::problem::Problem;
use crate::requests;
use webhooks_wire::{answers, lists};

/// The recoveries of this API.
pub(crate) type ApiRecoveries = Recoveries<DynamoStore, SfnWorkflow, SystemClock>;

/// The effort of counting: a time well below the function's timeout.
const EFFORT: CountBudget = CountBudget {
    time: Duration::from_secs(5),
    entries: u64::MAX,
};

/// Send again what failed or was held
///
/// Sends the deliveries that were created in the range and have one of these statuses, the oldest
/// first, at a limited rate. It runs in the background. With `dryRun` they are only counted.
#[utoipa::path(
    post,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/recover",
    operation_id = "recover",
    params(OfCustomer, OfSubscription),
    request_body = api::Recover,
    responses(
        (status = 200, description = "With `dryRun`: how much there is to send.", body = api::RecoveryCount),
        (status = 202, description = "The recovery, running.", body = api::Recovery),
        (status = 409, description = "The subscription is not active, or is broken.",
            body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn recover(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    _: NoQuery,
    Body(body): Body,
) -> Result<Response, Problem> {
    let request = requests::recover(body::read(&body)?, SystemClock.now())?;
    start(&api, &customer_id, &subscription_id, &request).await
}

/// Send what the subscription never had
///
/// Sends the messages that arrived in the range, match the subscription now, and have no delivery to
/// it: because it is new, or matches more than before. It runs in the background. With `dryRun` they
/// are only counted.
#[utoipa::path(
    post,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/replay",
    operation_id = "replay",
    params(OfCustomer, OfSubscription),
    request_body = api::Replay,
    responses(
        (status = 200, description = "With `dryRun`: how much there is to send.", body = api::RecoveryCount),
        (status = 202, description = "The recovery, running.", body = api::Recovery),
        (status = 409, description = "The subscription is not active, or is broken.",
            body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn replay(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    _: NoQuery,
    Body(body): Body,
) -> Result<Response, Problem> {
    let request = requests::replay(body::read(&body)?, SystemClock.now())?;
    start(&api, &customer_id, &subscription_id, &request).await
}

async fn start(
    api: &Api,
    customer: &CustomerId,
    subscription: &SubscriptionId,
    request: &RecoveryRequest,
) -> Result<Response, Problem> {
    match request.requested {
        Requested::Count => {
            let count = api
                .recoveries
                .count(customer, subscription, request, EFFORT)
                .await?;
            let count = api::RecoveryCount {
                count: count.count,
                complete: count.complete,
            };
            Ok(Json(count).into_response())
        }
        Requested::Run => {
            let started = api.recoveries.start(customer, subscription, request);
            let recovery = started.await?;
            info!(
                recovery.id = %recovery.id,
                recovery.kind = recovery.kind.as_str(),
                subscription.id = %subscription,
                "recovery started"
            );
            let recovery = Json(answers::recovery(&recovery));
            Ok((StatusCode::ACCEPTED, recovery).into_response())
        }
    }
}

/// List recoveries
///
/// Of a subscription, the newest first.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/recoveries",
    operation_id = "listRecoveries",
    params(OfCustomer, OfSubscription, api::RecoveriesQuery),
    responses((status = 200, description = "A page of them.", body = api::RecoveryPage)),
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    Query(query): Query<api::RecoveriesQuery>,
) -> Result<Json<api::RecoveryPage>, Problem> {
    let before = place(query.cursor.as_deref())?;
    let limit = query.limit.unwrap_or_default().get();
    let page = api
        .recoveries
        .list(&customer_id, &subscription_id, before.as_ref(), limit)
        .await?;
    let shown = |recovery| answers::recovery(&recovery);
    let page = lists::by_id(
        page.recoveries,
        page.has_more,
        |recovery| recovery.id,
        shown,
    );
    Ok(Json(page))
}

/// Read a recovery
#[utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/recoveries/{recoveryId}",
    operation_id = "showRecovery",
    params(OfCustomer, OfSubscription, OfRecovery),
    responses((status = 200, description = "The recovery, or what can be read of it.", body = api::ShownRecovery)),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Path(customer): Path<OfCustomer>,
    Path(subscription): Path<OfSubscription>,
    Path(recovery): Path<OfRecovery>,
    _: NoQuery,
) -> Result<Json<api::ShownRecovery>, Problem> {
    let key = key(customer, &subscription, &recovery);
    let shown = match api.recoveries.show(&key).await {
        Err(RecoveriesError::Broken { recovery, problem }) => {
            api::Shown::Broken(answers::broken(Broken {
                id: recovery,
                customer_id: Some(key.customer),
                problem,
            }))
        }
        recovery => api::Shown::whole(answers::recovery(&recovery?)),
    };
    Ok(Json(shown))
}

/// Stop a recovery
///
/// Deliveries that were already queued are still sent: at most those of half a minute. A recovery
/// that has ended does not change.
#[utoipa::path(
    post,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/recoveries/{recoveryId}/stop",
    operation_id = "stopRecovery",
    params(OfCustomer, OfSubscription, OfRecovery),
    request_body = Option<api::Nothing>,
    responses((status = 200, description = "The recovery, stopping or ended.", body = api::Recovery)),
)]
pub(crate) async fn stop(
    State(api): State<Arc<Api>>,
    Path(customer): Path<OfCustomer>,
    Path(subscription): Path<OfSubscription>,
    Path(recovery): Path<OfRecovery>,
    _: NoQuery,
    Body(body): Body,
) -> Result<Json<api::Recovery>, Problem> {
    let key = key(customer, &subscription, &recovery);
    let api::Nothing {} = body::read_or_default(&body)?;
    let recovery = api.recoveries.stop(&key).await?;
    info!(recovery.id = %key.id, "recovery stop requested");
    Ok(Json(answers::recovery(&recovery)))
}

fn key(of: OfCustomer, to: &OfSubscription, recovery: &OfRecovery) -> RecoveryKey {
    RecoveryKey {
        customer: of.customer_id,
        subscription: to.subscription_id,
        id: recovery.recovery_id,
    }
}

impl From<RecoveriesError> for Problem {
    fn from(error: RecoveriesError) -> Self {
        let detail = error.to_string();
        match error {
            RecoveriesError::NoSubscription { .. } | RecoveriesError::NotFound(_) => {
                Self::not_found(detail)
            }
            RecoveriesError::NotActive(_) => Self::subscription_not_active(detail),
            RecoveriesError::Broken { .. } => {
                Self::conflict("recovery-broken", "Recovery broken", detail)
            }
            RecoveriesError::Subscription(error) => error.into(),
            RecoveriesError::Conflict(_) => Self::conflict("conflict", "Conflict", detail),
            RecoveriesError::Store(error) => error.into(),
            RecoveriesError::Workflow(error) => Self::unavailable(&error),
        }
    }
}
