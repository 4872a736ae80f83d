//! `/customers/{customerId}/subscriptions`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::HeaderName;
use axum::http::{StatusCode, header};
use serde::Serialize;
use serde_json::value::RawValue;
use webhooks_domain::broken::Broken;
use webhooks_domain::event_type::EventTypePatterns;
use webhooks_domain::health::Health;
use webhooks_domain::idempotency::{Once, RequestDigest};
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::limits::{MaxInFlight, RateLimit};
use webhooks_domain::manage::{ActiveSecret, ManageError, Rotation, SubscriptionChange};
use webhooks_domain::metadata::Metadata;
use webhooks_domain::outbound::RequestTimeout;
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::retry::RetryPolicy;
use webhooks_domain::signing::{SealedSecret, Secret};
use webhooks_domain::subscription::{
    BrokenSubscription, Description, DisabledReason, Subscription, SubscriptionStatus,
};
use webhooks_domain::timestamp::Timestamp;

use crate::Api;
use crate::audit;
use crate::extract::{Body, Caller, IfMatch, NoQuery, OnceKey, PathTexts, QueryTexts};
#[cfg(test)]
use crate::openapi::{parameters, requests};
use crate::pages::{CURSOR, LIMIT, LIMITS};
use crate::problem::Problem;

pub(crate) const CUSTOMER_ID: &str = "customerId";

/// A subscription: all but its secrets' private parts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Subscription))]
pub(crate) struct SubscriptionView {
    #[cfg_attr(test, schema(value_type = String, example = "sub_70e79b2df96dcca5a0a362236c8d86f4"))]
    id: SubscriptionId,
    #[cfg_attr(test, schema(value_type = String, example = "cust_1001"))]
    customer_id: CustomerId,
    /// In canonical form.
    #[cfg_attr(test, schema(example = "https://example.com/webhooks"))]
    url: String,
    #[cfg_attr(test, schema(value_type = Vec<String>, example = json!(["order.*", "invoice.paid"])))]
    event_types: EventTypePatterns,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<requests::Filter>))]
    filter: Option<Box<RawValue>>,
    #[cfg_attr(test, schema(value_type = requests::PayloadFormat))]
    payload_format: PayloadFormat,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<String>))]
    description: Option<Description>,
    /// Your own; shown only.
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    #[cfg_attr(test, schema(value_type = std::collections::BTreeMap<String, String>))]
    metadata: Metadata,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    /// Without one, as the stack says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<u64>))]
    timeout_seconds: Option<RequestTimeout>,
    /// The most webhooks a second. Without one, as they come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<u64>))]
    rate_limit_per_second: Option<RateLimit>,
    /// The most requests at once. Without one, as they come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<u64>))]
    max_in_flight: Option<MaxInFlight>,
    /// Without one, as the stack says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<requests::RetryPolicy>))]
    retry_policy: Option<RetryPolicy>,
    /// The current one first.
    secrets: Vec<SecretView>,
    #[cfg_attr(test, schema(value_type = requests::Status))]
    status: SubscriptionStatus,
    /// Why the system has disabled it, while it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<requests::DisabledReason>))]
    disabled_reason: Option<DisabledReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(format = DateTime))]
    disabled_at: Option<String>,
    #[serde(skip_serializing_if = "HealthView::is_well")]
    #[cfg_attr(test, schema(required = false))]
    health: HealthView,
    /// Counts its changes, from 1. The same as the `ETag`.
    version: u64,
    #[cfg_attr(test, schema(format = DateTime))]
    created_at: String,
    #[cfg_attr(test, schema(format = DateTime))]
    updated_at: String,
}

impl From<Subscription> for SubscriptionView {
    fn from(subscription: Subscription) -> Self {
        let filter = subscription.filter.map(|filter| filter.as_str().to_owned());
        Self {
            id: subscription.id,
            customer_id: subscription.customer_id,
            url: subscription.url.as_str().to_owned(),
            event_types: subscription.event_types,
            filter: filter.and_then(|filter| RawValue::from_string(filter).ok()),
            payload_format: subscription.payload_format,
            description: subscription.description,
            metadata: subscription.metadata,
            timeout_seconds: subscription.timeout,
            rate_limit_per_second: subscription.limits.rate,
            max_in_flight: subscription.limits.in_flight,
            headers: subscription.headers.into(),
            retry_policy: subscription.retry_policy,
            secrets: subscription.secrets.iter().map(SecretView::from).collect(),
            status: subscription.status,
            disabled_reason: subscription.disabled.map(|disabled| disabled.reason),
            disabled_at: subscription
                .disabled
                .map(|disabled| disabled.at.to_string()),
            health: subscription.health.into(),
            version: subscription.version,
            created_at: subscription.created_at.to_string(),
            updated_at: subscription.updated_at.to_string(),
        }
    }
}

/// How an endpoint fares, where it is not well.
#[derive(Serialize, PartialEq, Default)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
struct HealthView {
    /// Since when every attempt has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(format = DateTime))]
    failing_since: Option<String>,
    /// Until when nothing is tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(format = DateTime))]
    circuit_open_until: Option<String>,
    /// Since when its attempts take long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(format = DateTime))]
    slow_since: Option<String>,
}

impl HealthView {
    fn is_well(&self) -> bool {
        *self == Self::default()
    }
}

impl From<Health> for HealthView {
    fn from(health: Health) -> Self {
        let text = |at: Timestamp| at.to_string();
        Self {
            failing_since: health.failing_since.map(text),
            circuit_open_until: health.circuit.map(|circuit| text(circuit.until)),
            slow_since: health.slow_since.map(text),
        }
    }
}

/// What is known of a secret once it was shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = SecretSummary))]
struct SecretView {
    /// Counts the secrets of the subscription, from 1.
    version: u32,
    #[cfg_attr(test, schema(value_type = requests::SecretKind))]
    kind: &'static str,
    /// `whpk_…`, of kind `v1a`.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// Until when an old one signs. The current one has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(format = DateTime))]
    expires_at: Option<String>,
}

impl From<(&SealedSecret, Option<Timestamp>)> for SecretView {
    fn from((secret, expires_at): (&SealedSecret, Option<Timestamp>)) -> Self {
        Self {
            version: secret.version,
            kind: secret.kind().as_str(),
            public_key: secret.public_key.map(|key| key.to_string()),
            expires_at: expires_at.map(|at| at.to_string()),
        }
    }
}

/// A new secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = NewSecret))]
pub(crate) struct NewSecretView {
    /// `whsec_…`, or `whsk_…` of kind `v1a`.
    secret: String,
    /// `whpk_…`, of kind `v1a`.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
}

impl From<Secret> for NewSecretView {
    fn from(secret: Secret) -> Self {
        Self {
            secret: secret.expose(),
            public_key: secret.public_key().map(|key| key.to_string()),
        }
    }
}

/// A new subscription with its secret.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = CreatedSubscription))]
pub(crate) struct CreatedView {
    #[serde(flatten)]
    subscription: SubscriptionView,
    #[serde(flatten)]
    secret: NewSecretView,
}

/// A secret that signs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ActiveSecret))]
struct ActiveSecretView {
    /// Counts the secrets of the subscription, from 1.
    version: u32,
    #[cfg_attr(test, schema(value_type = requests::SecretKind))]
    kind: &'static str,
    #[serde(flatten)]
    secret: NewSecretView,
    /// Until when an old one signs. The current one has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(format = DateTime))]
    expires_at: Option<String>,
}

impl From<ActiveSecret> for ActiveSecretView {
    fn from(active: ActiveSecret) -> Self {
        Self {
            version: active.version,
            kind: active.secret.kind().as_str(),
            secret: active.secret.into(),
            expires_at: active.expires_at.map(|at| at.to_string()),
        }
    }
}

/// All secrets that sign, the current one first.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ActiveSecrets))]
pub(crate) struct SecretsView {
    secrets: Vec<ActiveSecretView>,
}

/// The version of a subscription as its entity tag.
pub(crate) type ETag = [(HeaderName, String); 1];

fn etag(version: u64) -> ETag {
    [(header::ETAG, format!("\"{version}\""))]
}

/// No cache keeps a secret.
type NoStore = [(HeaderName, &'static str); 1];

const NO_STORE: NoStore = [(header::CACHE_CONTROL, "no-store")];

/// A page of subscriptions.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct SubscriptionPage {
    data: Vec<SubscriptionView>,
    /// Where the next page starts.
    #[cfg_attr(test, schema(required = true))]
    next_cursor: Option<String>,
    /// Subscriptions of which not everything can be read. Nothing is sent to them, until a
    /// `PATCH` names what cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schema(required = false))]
    broken: Vec<BrokenView>,
}

/// A subscription of which not everything can be read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = BrokenSubscription))]
pub(crate) struct BrokenView {
    /// As it is stored. One that is no id can only be mended in the table.
    #[cfg_attr(test, schema(example = "sub_70e79b2df96dcca5a0a362236c8d86f4"))]
    id: String,
    /// What cannot be read, and why.
    problem: String,
    /// Where it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Where it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<requests::Status>))]
    status: Option<SubscriptionStatus>,
}

impl From<BrokenSubscription> for BrokenView {
    fn from(broken: BrokenSubscription) -> Self {
        let (url, status) = (broken.can_read("url"), broken.can_read("status"));
        Self {
            problem: broken.problem(),
            id: broken.readable.id.to_string(),
            url: url.then(|| broken.readable.url.as_str().to_owned()),
            status: status.then_some(broken.readable.status),
        }
    }
}

impl From<Broken<String>> for BrokenView {
    fn from(unnamed: Broken<String>) -> Self {
        Self {
            id: unnamed.id,
            problem: unnamed.problem,
            url: None,
            status: None,
        }
    }
}

/// A subscription, or what can be read of it.
#[derive(Serialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ShownSubscription))]
pub(crate) enum ShownView {
    /// All of it.
    Whole(Box<SubscriptionView>),
    /// Nothing is sent to it, until a `PATCH` names what cannot be read.
    Broken(BrokenView),
}

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
        (status = 201, description = "The subscription, with its secret.", body = CreatedView,
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
) -> Result<(StatusCode, NoStore, ETag, Json<CreatedView>), Problem> {
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
    let view = CreatedView {
        subscription: created.subscription.into(),
        secret: created.secret.into(),
    };
    Ok((StatusCode::CREATED, NO_STORE, etag, Json(view)))
}

/// List subscriptions
///
/// In the order of their ids, which is random.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions",
    operation_id = "listSubscriptions",
    params(parameters::OfCustomer, parameters::SubscriptionsPage),
    responses((status = 200, description = "A page of subscriptions.", body = SubscriptionPage)),
))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    query: QueryTexts,
) -> Result<Json<SubscriptionPage>, Problem> {
    let customer = path.parse(CUSTOMER_ID)?;
    query.only(&[LIMIT, CURSOR])?;
    let (limit, after): (_, Option<SubscriptionId>) = query.page(LIMITS)?;
    let page = api.manage.list(&customer, after.as_ref(), limit).await?;
    let last = page.last_id().filter(|_| page.has_more);
    Ok(Json(SubscriptionPage {
        next_cursor: last.map(|id| id.to_string()),
        data: page
            .subscriptions
            .into_iter()
            .map(SubscriptionView::from)
            .collect(),
        broken: page
            .broken
            .into_iter()
            .map(BrokenView::from)
            .chain(page.unnamed.into_iter().map(BrokenView::from))
            .collect(),
    }))
}

/// Read a subscription
#[cfg_attr(test, utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}",
    operation_id = "showSubscription",
    params(parameters::OfCustomer, parameters::OfSubscription),
    responses((status = 200, description = "The subscription, or what can be read of it.",
        body = ShownView,
        headers(("ETag" = String, description = "The version, in quotes.")))),
))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    _: NoQuery,
) -> Result<(ETag, Json<ShownView>), Problem> {
    let (customer, id) = ids(&path)?;
    let (version, view) = match api.manage.show(&customer, &id).await {
        Ok(whole) => (whole.version, ShownView::Whole(Box::new(whole.into()))),
        Err(ManageError::Broken(broken)) => {
            let version = broken.readable.version;
            (version, ShownView::Broken((*broken).into()))
        }
        Err(error) => return Err(error.into()),
    };
    Ok((etag(version), Json(view)))
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
        (status = 200, description = "The subscription.", body = SubscriptionView,
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
) -> Result<(ETag, Json<SubscriptionView>), Problem> {
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
pub(crate) fn with_etag(subscription: Subscription) -> (ETag, Json<SubscriptionView>) {
    (etag(subscription.version), Json(subscription.into()))
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
        (status = 200, description = "The new secret.", body = NewSecretView),
    ),
))]
pub(crate) async fn rotate_secret(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    _: NoQuery,
    IfMatch(precondition): IfMatch,
    caller: Caller,
    Body(body): Body,
) -> Result<(NoStore, Json<NewSecretView>), Problem> {
    let (customer, id) = ids(&path)?;
    let rotation = Rotation::parse(&body)?;
    let rotated = api.manage.rotate(&customer, &id, &precondition, rotation);
    let (rotated, secret) = rotated.await?;
    audit::secret_replaced(&rotated, &caller);
    api.publisher.secret_rotated(&rotated).await;
    Ok((NO_STORE, Json(secret.into())))
}

/// Read the secrets
///
/// All that sign now, the current one first. Each call is logged with the caller's ARN.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/secret",
    operation_id = "showSecrets",
    params(parameters::OfCustomer, parameters::OfSubscription),
    responses((status = 200, description = "The secrets that sign.", body = SecretsView)),
))]
pub(crate) async fn show_secrets(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    _: NoQuery,
    caller: Caller,
) -> Result<(NoStore, Json<SecretsView>), Problem> {
    let (customer, id) = ids(&path)?;
    let (subscription, active) = api.manage.secrets(&customer, &id).await?;
    let versions: Vec<_> = active.iter().map(|secret| secret.version).collect();
    audit::secrets_shown(&subscription, &versions, &caller);
    let secrets = active.into_iter().map(ActiveSecretView::from).collect();
    Ok((NO_STORE, Json(SecretsView { secrets })))
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
