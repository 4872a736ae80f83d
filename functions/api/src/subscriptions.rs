//! `/customers/{customerId}/subscriptions`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::HeaderName;
use axum::http::{StatusCode, header};
use webhooks_api_types as api;
use webhooks_domain::fields::FieldError;
use webhooks_domain::idempotency::Once;
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::manage::ManageError;
use webhooks_domain::subscription::Subscription;

use crate::Api;
use crate::audit;
use crate::body;
use crate::extract::{Body, Caller, NoQuery, OnceKey, Path, Query};
use crate::if_match::IfMatch;
use crate::pages::place;
use crate::path::{OfCustomer, OfSubscription};
use crate::problem::Problem;
use crate::requests;
use webhooks_wire::answers;

/// The version of a subscription or a customer as its entity tag.
pub(crate) type ETag = [(HeaderName, String); 1];

/// The answer with one subscription.
pub(crate) type Answer = (ETag, Json<api::Subscription>);

pub(crate) fn etag(version: u64) -> ETag {
    [(header::ETAG, format!("\"{version}\""))]
}

/// No cache keeps a secret.
type NoStore = [(HeaderName, &'static str); 1];

const NO_STORE: NoStore = [(header::CACHE_CONTROL, "no-store")];

/// Create a subscription
///
/// The answer shows its secret. With an `Idempotency-Key` the request can be sent again.
#[utoipa::path(
    post,
    path = "/customers/{customerId}/subscriptions",
    operation_id = "createSubscription",
    params(OfCustomer, OnceKey),
    request_body = api::NewSubscription,
    responses(
        (status = 201, description = "The subscription, with its secret.", body = api::CreatedSubscription,
            headers(("ETag" = String, description = "The version, in quotes."))),
    ),
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    _: NoQuery,
    OnceKey(key): OnceKey,
    caller: Caller,
    Body(body): Body,
) -> Result<(StatusCode, NoStore, ETag, Json<api::CreatedSubscription>), Problem> {
    let api::NewSubscription(fields) = body::read(&body)?;
    if fields.held.is_some() {
        return Err(FieldError::new("held", "a new subscription has no deliveries").into());
    }
    caller.must_give_no_secret(&fields)?;
    let change = requests::subscription_change(fields, &api.endpoints)?;
    let once = key.map(|key| Once {
        key,
        content: &body,
    });
    let created = api
        .manage
        .create(&customer_id, change, once.as_ref())
        .await?;
    if created.is_new {
        audit::created(&created.subscription, &caller);
        api.publisher.created(&created.subscription).await;
    } else if caller.may_see_secrets() {
        let current = created.subscription.secrets.current().version;
        audit::secrets_shown(&created.subscription, &[current], &caller);
    }
    let etag = etag(created.subscription.version);
    // A session that may not see secrets gets an empty one.
    let secret = caller.may_see_secrets().then(|| created.secret.expose());
    let created = api::CreatedSubscription {
        subscription: api::Subscription {
            warnings: answers::unknown_types(created.unknown_types),
            ..answers::subscription(created.subscription)
        },
        secret: secret.unwrap_or_default(),
        public_key: created.secret.public_key().map(|key| key.to_string()),
    };
    Ok((StatusCode::CREATED, NO_STORE, etag, Json(created)))
}

/// List subscriptions
///
/// In the order of their ids, which is random.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions",
    operation_id = "listSubscriptions",
    params(OfCustomer, api::SubscriptionsQuery),
    responses((status = 200, description = "A page of subscriptions.", body = api::SubscriptionPage)),
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Query(query): Query<api::SubscriptionsQuery>,
) -> Result<Json<api::SubscriptionPage>, Problem> {
    let after = place(query.cursor.as_deref())?;
    let limit = query.limit.unwrap_or_default().get();
    let page = api.manage.list(&customer_id, after.as_ref(), limit).await?;
    Ok(Json(answers::subscription_page(page)))
}

/// Read a subscription
#[utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}",
    operation_id = "showSubscription",
    params(OfCustomer, OfSubscription),
    responses((status = 200, description = "The subscription, or what can be read of it.",
        body = api::ShownSubscription,
        headers(("ETag" = String, description = "The version, in quotes.")))),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    _: NoQuery,
) -> Result<(ETag, Json<api::ShownSubscription>), Problem> {
    let (version, shown) = match api.manage.show(&customer_id, &subscription_id).await {
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
#[utoipa::path(
    patch,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}",
    operation_id = "updateSubscription",
    params(OfCustomer, OfSubscription, IfMatch),
    request_body(content(
        (api::SubscriptionPatch = "application/json"),
        (api::SubscriptionPatch = "application/merge-patch+json"),
    )),
    responses(
        (status = 200, description = "The subscription.", body = api::Subscription,
            headers(("ETag" = String, description = "The version, in quotes."))),
    ),
)]
pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    _: NoQuery,
    IfMatch(expected): IfMatch,
    caller: Caller,
    Body(body): Body,
) -> Result<Answer, Problem> {
    let fields = body::read(&body)?;
    caller.must_give_no_secret(&fields)?;
    let held = requests::held(&fields)?;
    let change = requests::subscription_change(fields, &api.endpoints)?;
    let updated = api
        .manage
        .update(&customer_id, &subscription_id, &expected, change);
    let updated = Box::pin(updated).await?;
    audit::updated(&updated, &caller);
    api.publisher.updated(&updated).await;
    let cleared = updated.cleared_secret_headers();
    let cleared = cleared.into_iter().map(str::to_owned).collect();
    let cleared_authentication = updated.cleared_authentication().cloned();
    let cleared_authentication = cleared_authentication.map(answers::authentication);
    let warnings = answers::unknown_types(updated.unknown_types.clone());
    let (etag, Json(mut shown)) = match held {
        Some(held) => api.activated(updated, held).await?,
        None => with_etag(updated.subscription),
    };
    shown.warnings = warnings;
    shown.cleared_secret_headers = cleared;
    shown.cleared_authentication = cleared_authentication.map(|cleared| cleared.kind());
    Ok((etag, Json(shown)))
}

/// A subscription with its version as the entity tag.
pub(crate) fn with_etag(subscription: Subscription) -> Answer {
    let etag = etag(subscription.version);
    (etag, Json(answers::subscription(subscription)))
}

/// Rotate the secret
///
/// The new secret becomes the current one; the one before signs for the overlap still.
#[utoipa::path(
    post,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/secret/rotate",
    operation_id = "rotateSecret",
    params(OfCustomer, OfSubscription, IfMatch),
    request_body = api::Rotation,
    responses(
        (status = 200, description = "The new secret.", body = api::NewSecret),
    ),
)]
pub(crate) async fn rotate_secret(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    _: NoQuery,
    IfMatch(expected): IfMatch,
    caller: Caller,
    Body(body): Body,
) -> Result<(NoStore, Json<api::NewSecret>), Problem> {
    let rotation = requests::rotation(body::read(&body)?)?;
    let rotated = api
        .manage
        .rotate(&customer_id, &subscription_id, &expected, rotation);
    let (rotated, secret) = rotated.await?;
    audit::secret_replaced(&rotated, &caller);
    api.publisher.secret_rotated(&rotated).await;
    Ok((NO_STORE, Json(answers::new_secret(&secret))))
}

/// Read the secrets
///
/// All that sign now, the current one first. Each call is logged with the caller's ARN.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/secret",
    operation_id = "showSecrets",
    params(OfCustomer, OfSubscription),
    responses((status = 200, description = "The secrets that sign.", body = api::ActiveSecrets)),
)]
pub(crate) async fn show_secrets(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    _: NoQuery,
    caller: Caller,
) -> Result<(NoStore, Json<api::ActiveSecrets>), Problem> {
    let (subscription, active) = api.manage.secrets(&customer_id, &subscription_id).await?;
    let versions: Vec<_> = active.iter().map(|secret| secret.version).collect();
    audit::secrets_shown(&subscription, &versions, &caller);
    let secrets = active.iter().map(answers::active_secret).collect();
    Ok((NO_STORE, Json(api::ActiveSecrets { secrets })))
}

/// Delete a subscription
///
/// For good: pending deliveries are cancelled when their next attempt is due.
#[utoipa::path(
    delete,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}",
    operation_id = "deleteSubscription",
    params(OfCustomer, OfSubscription, IfMatch),
    responses(
        (status = 204, description = "It is gone."),
    ),
)]
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    _: NoQuery,
    IfMatch(expected): IfMatch,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    api.manage
        .delete(&customer_id, &subscription_id, &expected)
        .await?;
    audit::deleted(&customer_id, &subscription_id, &caller);
    api.publisher.deleted(&customer_id, subscription_id).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses a subscription of another customer. One that cannot be read completely exists.
pub(crate) async fn must_exist(
    api: &Api,
    customer: &CustomerId,
    subscription: &SubscriptionId,
) -> Result<(), Problem> {
    match api.manage.show(customer, subscription).await {
        Ok(_) | Err(ManageError::Broken(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
