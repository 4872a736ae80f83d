//! `/customers/{customerId}/subscriptions/{subscriptionId}/enable`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use webhooks_domain::manage::{SubscriptionChange, no_fields};
use webhooks_domain::subscription::SubscriptionStatus;

use crate::Api;
use crate::extract::{Body, IfMatch, PathTexts};
use crate::problem::Problem;
use crate::subscriptions::{ETag, SubscriptionView, ids, with_etag};

/// Makes a subscription active, whether it was paused or disabled. What was held meanwhile
/// waits until somebody asks for it.
pub(crate) async fn enable(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    IfMatch(precondition): IfMatch,
    Body(body): Body,
) -> Result<(ETag, Json<SubscriptionView>), Problem> {
    let (customer, id) = ids(&path)?;
    no_fields(&body)?;
    let change = SubscriptionChange {
        status: Some(SubscriptionStatus::Active),
        ..SubscriptionChange::default()
    };
    let enabled = api.manage.update(&customer, &id, &precondition, change);
    Ok(with_etag(enabled.await?))
}
