//! `/customers/{customerId}/subscriptions/{subscriptionId}/enable`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use webhooks_api_types as api;
use webhooks_domain::manage::SubscriptionChange;
use webhooks_domain::subscription::SubscriptionStatus;

use crate::Api;
use crate::audit;
use crate::body;
use crate::extract::{Body, Caller, NoQuery, PathTexts};
use crate::if_match::IfMatch;
use crate::openapi::parameters;
use crate::problem::Problem;
use crate::subscriptions::{ETag, ids, with_etag};

/// Enable a subscription
///
/// Makes it active, whether it was paused or disabled. What was held meanwhile waits until
/// somebody asks for it.
#[utoipa::path(
    post,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/enable",
    operation_id = "enableSubscription",
    tag = "subscriptions",
    params(parameters::OfCustomer, parameters::OfSubscription, parameters::ForVersion),
    request_body = Option<api::Nothing>,
    responses((status = 200, description = "The subscription.", body = api::Subscription,
        headers(("ETag" = String, description = "The version, in quotes.")))),
)]
pub(crate) async fn enable(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    _: NoQuery,
    IfMatch(expected): IfMatch,
    caller: Caller,
    Body(body): Body,
) -> Result<(ETag, Json<api::Subscription>), Problem> {
    let (customer, id) = ids(&path)?;
    let api::Nothing {} = body::read_or_default(&body)?;
    let change = SubscriptionChange {
        status: Some(SubscriptionStatus::Active),
        ..SubscriptionChange::default()
    };
    let updated = api.manage.update(&customer, &id, &expected, change);
    let updated = updated.await?;
    audit::updated(&updated, &caller);
    if updated.is_enabled() {
        api.publisher.enabled(&updated.subscription).await;
    }
    Ok(with_etag(updated.subscription))
}
