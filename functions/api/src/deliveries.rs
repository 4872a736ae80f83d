//! `/messages/{messageId}` and `/deliveries/{deliveryId}`: what became of an event.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use webhooks_domain::delivery::{Attempt, Delivery};
use webhooks_domain::event_type::EventType;
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use webhooks_domain::outbound::{AttemptOutcome, ResponseHeaders};
use webhooks_domain::ports::{DeliveryStore, MessageDirectory};

use crate::Api;
use crate::extract::{PathTexts, QueryTexts};
use crate::problem::Problem;

/// The most deliveries that are shown at once with their message.
const MAX_DELIVERIES: u32 = 1_000;

/// A message, with what is owed of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageView {
    id: MessageId,
    customer_id: CustomerId,
    event_type: EventType,
    time: String,
    deliveries: Vec<DeliveryView>,
    next_cursor: Option<SubscriptionId>,
}

/// A delivery, with all its attempts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryView {
    id: DeliveryId,
    message_id: MessageId,
    subscription_id: SubscriptionId,
    customer_id: CustomerId,
    event_type: EventType,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier_attempts: Option<u32>,
    attempts: Vec<AttemptView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptView {
    number: u32,
    at: String,
    duration_ms: u32,
    outcome: AttemptOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<IpAddr>,
    #[serde(skip_serializing_if = "ResponseHeaders::is_empty")]
    response_headers: ResponseHeaders,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_excerpt: Option<String>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            message_id: delivery.id.message,
            subscription_id: delivery.id.subscription,
            customer_id: delivery.customer_id,
            event_type: delivery.event_type,
            status: delivery.status.as_str(),
            reason: delivery.status.reason(),
            created_at: delivery.created_at.to_string(),
            next_attempt_at: delivery.next_attempt_at.map(|at| at.to_string()),
            earlier_attempts: Some(delivery.earlier_attempts).filter(|&earlier| earlier > 0),
            attempts: delivery
                .attempts
                .into_iter()
                .map(AttemptView::from)
                .collect(),
        }
    }
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        Self {
            number: attempt.number,
            at: attempt.at.to_string(),
            duration_ms: attempt.duration_ms,
            outcome: attempt.outcome,
            status: attempt.status,
            error: attempt.error,
            addresses: attempt.addresses,
            response_headers: attempt.response_headers,
            response_excerpt: attempt.response_excerpt,
        }
    }
}

pub(crate) async fn message(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    query: QueryTexts,
) -> Result<Json<MessageView>, Problem> {
    let id: MessageId = path.parse("messageId")?;
    let limit = query.limit(MAX_DELIVERIES, MAX_DELIVERIES)?;
    let after: Option<SubscriptionId> = query.parse("cursor")?;
    let page = api.table.message_page(&id, after.as_ref(), limit).await?;
    let page = page.ok_or_else(|| Problem::not_found(format!("there is no message `{id}`")))?;
    let last = page
        .deliveries
        .last()
        .map(|delivery| delivery.id.subscription);
    Ok(Json(MessageView {
        id,
        customer_id: page.message.customer_id,
        event_type: page.message.event_type,
        time: page.message.time,
        deliveries: page
            .deliveries
            .into_iter()
            .map(DeliveryView::from)
            .collect(),
        next_cursor: last.filter(|_| page.has_more),
    }))
}

pub(crate) async fn delivery(
    State(api): State<Arc<Api>>,
    path: PathTexts,
) -> Result<Json<DeliveryView>, Problem> {
    let id: DeliveryId = path.parse("deliveryId")?;
    let (delivery, _) = api
        .table
        .load(&id)
        .await?
        .ok_or_else(|| Problem::not_found(format!("there is no delivery `{id}`")))?;
    Ok(Json(delivery.into()))
}
