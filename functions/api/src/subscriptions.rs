//! `/customers/{customerId}/subscriptions`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use webhooks_domain::event_type::EventTypePatterns;
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::manage::SubscriptionChange;
use webhooks_domain::subscription::{Description, Subscription, SubscriptionStatus};

use crate::Api;
use crate::problem::Problem;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 100;

/// A subscription as the API shows it: all but its secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscriptionView {
    id: SubscriptionId,
    customer_id: CustomerId,
    url: String,
    event_types: EventTypePatterns,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Description>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    status: SubscriptionStatus,
    created_at: String,
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
            description: subscription.description,
            headers: subscription.headers.into(),
            status: subscription.status,
            created_at: subscription.created_at.to_string(),
            updated_at: subscription.updated_at.to_string(),
        }
    }
}

/// A new subscription with its secret, which is shown this once.
#[derive(Serialize)]
pub(crate) struct CreatedView {
    #[serde(flatten)]
    subscription: SubscriptionView,
    secret: String,
}

/// A page of a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListView {
    data: Vec<SubscriptionView>,
    next_cursor: Option<SubscriptionId>,
}

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Path(customer): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<CreatedView>), Problem> {
    let customer = customer_id(&customer)?;
    let change = SubscriptionChange::parse(&body, &api.development)?;
    let (subscription, secret) = api.manage.create(&customer, change).await?;
    let view = CreatedView {
        subscription: subscription.into(),
        secret: secret.expose(),
    };
    Ok((StatusCode::CREATED, Json(view)))
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Path(customer): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Json<ListView>, Problem> {
    let customer = customer_id(&customer)?;
    let limit = limit(&query)?;
    let after = query
        .get("cursor")
        .map(|cursor| cursor.parse().map_err(Problem::bad_id("cursor")))
        .transpose()?;
    let page = api.manage.list(&customer, after.as_ref(), limit).await?;
    let last = page
        .subscriptions
        .last()
        .map(|subscription| subscription.id);
    Ok(Json(ListView {
        data: page
            .subscriptions
            .into_iter()
            .map(SubscriptionView::from)
            .collect(),
        next_cursor: last.filter(|_| page.has_more),
    }))
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Path(path): Path<(String, String)>,
) -> Result<Json<SubscriptionView>, Problem> {
    let (customer, id) = ids(&path)?;
    Ok(Json(api.manage.show(&customer, &id).await?.into()))
}

pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    Path(path): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<SubscriptionView>, Problem> {
    let (customer, id) = ids(&path)?;
    let change = SubscriptionChange::parse(&body, &api.development)?;
    Ok(Json(
        api.manage.update(&customer, &id, change).await?.into(),
    ))
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Path(path): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (customer, id) = ids(&path)?;
    api.manage.delete(&customer, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn ids((customer, id): &(String, String)) -> Result<(CustomerId, SubscriptionId), Problem> {
    Ok((
        customer_id(customer)?,
        id.parse().map_err(Problem::bad_id("subscriptionId"))?,
    ))
}

fn customer_id(text: &str) -> Result<CustomerId, Problem> {
    text.parse().map_err(Problem::bad_id("customerId"))
}

fn limit(query: &BTreeMap<String, String>) -> Result<u32, Problem> {
    let Some(text) = query.get("limit") else {
        return Ok(DEFAULT_LIMIT);
    };
    match text.parse() {
        Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
        _ => Err(Problem::bad_parameter(
            "limit",
            format!("must be 1 to {MAX_LIMIT}"),
        )),
    }
}
