//! `/customers/{customerId}/subscriptions`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::HeaderName;
use axum::http::{StatusCode, header};
use webhooks_api_types as api;
use webhooks_domain::idempotency::{Once, RequestDigest};
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::manage::{ManageError, Rotation, SubscriptionChange};
use webhooks_domain::subscription::Subscription;

use crate::Api;
use crate::answers;
use crate::audit;
use crate::extract::{Body, Caller, IfMatch, NoQuery, OnceKey, PathTexts, QueryTexts};
#[cfg(test)]
use crate::openapi::{parameters, requests};
use crate::pages::{CURSOR, LIMIT, LIMITS};
use crate::problem::Problem;

pub(crate) const CUSTOMER_ID: &str = "customerId";

/// The version of a subscription as its entity tag.
pub(crate) type ETag = [(HeaderName, String); 1];

fn etag(version: u64) -> ETag {
    [(header::ETAG, format!("\"{version}\""))]
}

/// No cache keeps a secret.
type NoStore = [(HeaderName, &'static str); 1];

const NO_STORE: NoStore = [(header::CACHE_CONTROL, "no-store")];

/// Create a subscription
///
/// The answer shows its secret. With an `Idempotency-Key` the request can be sent again.
#[cfg_attr(test, utoipa::path(
    post,
    path = "/customers/{customerId}/subscriptions",
    operation_id = "createSubscription",
    params(parameters::OfCustomer, parameters::ByKey),
    request_body = requests::NewSubscription,
    responses(
        (status = 201, description = "The subscription, with its secret.", body = api::CreatedSubscription,
            headers(("ETag" = String, description = "The version, in quotes."))),
    ),
))]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    _: NoQuery,
    OnceKey(key): OnceKey,
    caller: Caller,
    Body(body): Body,
) -> Result<(StatusCode, NoStore, ETag, Json<api::CreatedSubscription>), Problem> {
    let customer = path.parse(CUSTOMER_ID)?;
    let change = SubscriptionChange::parse(&body, &api.development)?;
    let once = key.map(|key| Once {
        key,
        body: RequestDigest::of(&body),
    });
    let created = api.manage.create(&customer, change, once.as_ref()).await?;
    if created.is_new {
        audit::created(&created.subscription, &caller);
    } else {
        let current = created.subscription.secrets.current().version;
        audit::secrets_shown(&created.subscription, &[current], &caller);
    }
    let etag = etag(created.subscription.version);
    let created = api::CreatedSubscription {
        subscription: answers::subscription(created.subscription),
        secret: created.secret.expose(),
        public_key: created.secret.public_key().map(|key| key.to_string()),
    };
    Ok((StatusCode::CREATED, NO_STORE, etag, Json(created)))
}

/// List subscriptions
///
/// In the order of their ids, which is random.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions",
    operation_id = "listSubscriptions",
    params(parameters::OfCustomer, parameters::SubscriptionsPage),
    responses((status = 200, description = "A page of subscriptions.", body = api::SubscriptionPage)),
))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    query: QueryTexts,
) -> Result<Json<api::SubscriptionPage>, Problem> {
    let customer = path.parse(CUSTOMER_ID)?;
    query.only(&[LIMIT, CURSOR])?;
    let (limit, after): (_, Option<SubscriptionId>) = query.page(LIMITS)?;
    let page = api.manage.list(&customer, after.as_ref(), limit).await?;
    let last = page.last_id().filter(|_| page.has_more);
    let next_cursor = last.map(|id| id.to_string());
    let broken = page.broken.iter().map(answers::broken_subscription);
    let unnamed = page.unnamed.into_iter().map(answers::broken);
    let whole = page.subscriptions.into_iter().map(answers::subscription);
    Ok(Json(api::Page {
        data: whole.collect(),
        next_cursor,
        broken: broken.chain(unnamed).collect(),
    }))
}

/// Read a subscription
#[cfg_attr(test, utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}",
    operation_id = "showSubscription",
    params(parameters::OfCustomer, parameters::OfSubscription),
    responses((status = 200, description = "The subscription, or what can be read of it.",
        body = api::ShownSubscription,
        headers(("ETag" = String, description = "The version, in quotes.")))),
))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    _: NoQuery,
) -> Result<(ETag, Json<api::ShownSubscription>), Problem> {
    let (customer, id) = ids(&path)?;
    let (version, shown) = match api.manage.show(&customer, &id).await {
        Ok(whole) => {
            let version = whole.version;
            (version, api::Shown::whole(answers::subscription(whole)))
        }
        Err(ManageError::Broken(broken)) => {
            let shown = answers::broken_subscription(&broken);
            (broken.readable.version, api::Shown::Broken(shown))
        }
        Err(error) => return Err(error.into()),
    };
    Ok((etag(version), Json(shown)))
}

/// Change a subscription
///
/// A change takes effect with the next attempt.
#[cfg_attr(test, utoipa::path(
    patch,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}",
    operation_id = "updateSubscription",
    params(parameters::OfCustomer, parameters::OfSubscription, parameters::ForVersion),
    request_body(content(
        (requests::SubscriptionPatch = "application/json"),
        (requests::SubscriptionPatch = "application/merge-patch+json"),
    )),
    responses(
        (status = 200, description = "The subscription.", body = api::Subscription,
            headers(("ETag" = String, description = "The version, in quotes."))),
    ),
))]
pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    _: NoQuery,
    IfMatch(precondition): IfMatch,
    caller: Caller,
    Body(body): Body,
) -> Result<(ETag, Json<api::Subscription>), Problem> {
    let (customer, id) = ids(&path)?;
    let change = SubscriptionChange::parse(&body, &api.development)?;
    let updated = api.manage.update(&customer, &id, &precondition, change);
    let updated = updated.await?;
    audit::updated(&updated, &caller);
    if updated.has_new_secret() {
        api.publisher.secret_rotated(&updated.subscription).await;
    }
    if updated.is_enabled() {
        api.publisher.enabled(&updated.subscription).await;
    }
    Ok(with_etag(updated.subscription))
}

/// A subscription with its version as the entity tag.
pub(crate) fn with_etag(subscription: Subscription) -> (ETag, Json<api::Subscription>) {
    let etag = etag(subscription.version);
    (etag, Json(answers::subscription(subscription)))
}

/// Rotate the secret
///
/// The new secret becomes the current one; the one before signs for the overlap still.
#[cfg_attr(test, utoipa::path(
    post,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/secret/rotate",
    operation_id = "rotateSecret",
    params(parameters::OfCustomer, parameters::OfSubscription, parameters::ForVersion),
    request_body = requests::Rotation,
    responses(
        (status = 200, description = "The new secret.", body = api::NewSecret),
    ),
))]
pub(crate) async fn rotate_secret(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    _: NoQuery,
    IfMatch(precondition): IfMatch,
    caller: Caller,
    Body(body): Body,
) -> Result<(NoStore, Json<api::NewSecret>), Problem> {
    let (customer, id) = ids(&path)?;
    let rotation = Rotation::parse(&body)?;
    let rotated = api.manage.rotate(&customer, &id, &precondition, rotation);
    let (rotated, secret) = rotated.await?;
    audit::secret_replaced(&rotated, &caller);
    api.publisher.secret_rotated(&rotated).await;
    Ok((NO_STORE, Json(answers::new_secret(&secret))))
}

/// Read the secrets
///
/// All that sign now, the current one first. Each call is logged with the caller's ARN.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/secret",
    operation_id = "showSecrets",
    params(parameters::OfCustomer, parameters::OfSubscription),
    responses((status = 200, description = "The secrets that sign.", body = api::ActiveSecrets)),
))]
pub(crate) async fn show_secrets(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    _: NoQuery,
    caller: Caller,
) -> Result<(NoStore, Json<api::ActiveSecrets>), Problem> {
    let (customer, id) = ids(&path)?;
    let (subscription, active) = api.manage.secrets(&customer, &id).await?;
    let versions: Vec<_> = active.iter().map(|secret| secret.version).collect();
    audit::secrets_shown(&subscription, &versions, &caller);
    let secrets = active.iter().map(answers::active_secret).collect();
    Ok((NO_STORE, Json(api::ActiveSecrets { secrets })))
}

/// Delete a subscription
///
/// For good: pending deliveries are cancelled when their next attempt is due.
#[cfg_attr(test, utoipa::path(
    delete,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}",
    operation_id = "deleteSubscription",
    params(parameters::OfCustomer, parameters::OfSubscription, parameters::ForVersion),
    responses(
        (status = 204, description = "It is gone."),
    ),
))]
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    _: NoQuery,
    IfMatch(precondition): IfMatch,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let (customer, id) = ids(&path)?;
    api.manage.delete(&customer, &id, &precondition).await?;
    audit::deleted(&customer, &id, &caller);
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) fn ids(path: &PathTexts) -> Result<(CustomerId, SubscriptionId), Problem> {
    Ok((path.parse(CUSTOMER_ID)?, path.parse("subscriptionId")?))
}
