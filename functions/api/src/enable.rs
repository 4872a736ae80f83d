//! `/customers/{customerId}/subscriptions/{subscriptionId}/enable`

use std::sync::Arc;

use axum::extract::State;
use webhooks_api_types as api;
use webhooks_domain::manage::SubscriptionChange;
use webhooks_domain::subscription::SubscriptionStatus;

use crate::Api;
use crate::audit;
use crate::body;
use crate::extract::{Body, Caller, NoQuery, Path};
use crate::if_match::IfMatch;
use crate::path::{OfCustomer, OfSubscription};
use crate::problem::Problem;
use crate::requests;
use crate::subscriptions::Answer;

/// Enable a subscription
///
/// Makes it active, whether it was paused or disabled, and sends the deliveries that were held
/// meanwhile by a recovery, which the answer names. If the answer is lost or an error, repeat the
/// request: it starts no second recovery.
#[utoipa::path(
    post,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/enable",
    operation_id = "enableSubscription",
    tag = "subscriptions",
    params(OfCustomer, OfSubscription, IfMatch),
    request_body = Option<api::Enable>,
    responses((status = 200, description = "The subscription.", body = api::Subscription,
        headers(("ETag" = String, description = "The version, in quotes.")))),
)]
pub(crate) async fn enable(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    _: NoQuery,
    IfMatch(expected): IfMatch,
    caller: Caller,
    Body(body): Body,
) -> Result<Answer, Problem> {
    let api::Enable { held } = body::read_or_default(&body)?;
    let change = SubscriptionChange {
        status: Some(SubscriptionStatus::Active),
        ..SubscriptionChange::default()
    };
    let updated = api
        .manage
        .update(&customer_id, &subscription_id, &expected, change);
    let updated = Box::pin(updated).await?;
    audit::updated(&updated, &caller);
    api.publisher.updated(&updated).await;
    api.activated(updated, requests::held_fate(held)).await
}
