//! The item of a delivery, with its attempts.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_dynamo::Item;
use webhooks_domain::delivery::{
    AnswerBody, AnswerDigest, Attempt, BodyPlace, Delivery, DeliveryStatus, DeliveryTrigger,
};
use webhooks_domain::due::NextAttempt;
use webhooks_domain::event_type::EventType;
use webhooks_domain::ids::{CustomerId, DeliveryId, SubscriptionId};
use webhooks_domain::outbound::{AttemptOutcome, ResponseHeaders, Timings};
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::timestamp::Timestamp;

use crate::due_index::NewEntry;
use crate::item::{first, is_first, stored_event_type, to_item};
use crate::key::Key;

/// The item of a new delivery, as the workflow writes it.
pub fn delivery_item(delivery: &Delivery) -> Item {
    to_item(&stored(delivery))
}

fn stored(delivery: &Delivery) -> DeliveryItem {
    DeliveryItem {
        key: Key::delivery(&delivery.id),
        id: delivery.id,
        customer_id: delivery.customer_id.clone(),
        event_type: delivery.event_type.clone(),
        payload_format: delivery.payload_format,
        shape_version: delivery.shape_version,
        link: delivery.link.clone(),
        status: delivery.status.as_str().to_owned(),
        reason: delivery.status.reason().map(str::to_owned),
        attempts: delivery.attempts.iter().map(AttemptItem::from).collect(),
        trigger: delivery.trigger,
        earlier_attempts: delivery.earlier_attempts,
        owed_to: matches!(delivery.status, DeliveryStatus::Held(_))
            .then_some(delivery.id.subscription),
        created_at: delivery.created_at,
        next_attempt_at: delivery.next_attempt_at,
        expires_at: delivery.expires_at.as_secs(),
    }
}

/// The item of a new delivery that waits for its first attempt, as the workflow writes it: it is in
/// the `due` index.
pub fn waiting_delivery_item(delivery: &Delivery, next: &NextAttempt) -> Item {
    to_item(&WaitingItem {
        item: stored(delivery),
        due: NewEntry::of(delivery, next),
    })
}

#[derive(Serialize)]
struct WaitingItem {
    #[serde(flatten)]
    item: DeliveryItem,
    #[serde(flatten)]
    due: NewEntry,
}

/// Returns true for zero, which is not written.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryItem {
    #[serde(flatten)]
    key: Key,
    id: DeliveryId,
    customer_id: CustomerId,
    #[serde(deserialize_with = "stored_event_type")]
    event_type: EventType,
    #[serde(default, skip_serializing_if = "PayloadFormat::is_standard")]
    payload_format: PayloadFormat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shape_version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Absent if there are no attempts, because a workflow writes no list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<AttemptItem>,
    #[serde(default, skip_serializing_if = "DeliveryTrigger::is_event")]
    trigger: DeliveryTrigger,
    #[serde(default, skip_serializing_if = "is_zero")]
    earlier_attempts: u32,
    /// Written with a held delivery. The updates of a delivery maintain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owed_to: Option<SubscriptionId>,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Timestamp>,
    expires_at: i64,
}

impl TryFrom<DeliveryItem> for Delivery {
    type Error = String;

    fn try_from(item: DeliveryItem) -> Result<Self, String> {
        let status = DeliveryStatus::from_words(&item.status, item.reason.as_deref())
            .ok_or_else(|| format!("status `{}`, reason {:?}", item.status, item.reason))?;
        Ok(Self {
            id: item.id,
            customer_id: item.customer_id,
            event_type: item.event_type,
            payload_format: item.payload_format,
            shape_version: item.shape_version,
            link: item.link,
            status,
            attempts: item.attempts.into_iter().map(Attempt::from).collect(),
            trigger: item.trigger,
            earlier_attempts: item.earlier_attempts,
            created_at: item.created_at,
            next_attempt_at: item.next_attempt_at,
            expires_at: Timestamp::from_millis(item.expires_at.saturating_mul(1_000)),
        })
    }
}

/// An attempt. The names are short, because every update of a delivery pays for all its attempts.
#[derive(Serialize, Deserialize)]
pub(crate) struct AttemptItem {
    #[serde(rename = "n")]
    number: u32,
    #[serde(rename = "t")]
    at: Timestamp,
    #[serde(rename = "d")]
    duration_ms: u32,
    #[serde(rename = "o")]
    outcome: AttemptOutcome,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<IpAddr>,
    #[serde(
        rename = "h",
        default,
        skip_serializing_if = "ResponseHeaders::is_empty"
    )]
    response_headers: ResponseHeaders,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    response_excerpt: Option<String>,
    /// Absent for the requests of a subscription whose requests were never changed.
    #[serde(rename = "w", default = "first", skip_serializing_if = "is_first")]
    request_version: u64,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    timings: Option<ByteBuf>,
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u32>,
    #[serde(rename = "u", default, skip_serializing_if = "std::ops::Not::not")]
    is_cut: bool,
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    digest: Option<ByteBuf>,
    /// The attempt whose answer it is: its own number if the answer has an item, or that of an
    /// earlier one.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    answer_of: Option<u32>,
}

impl From<&Attempt> for AttemptItem {
    fn from(attempt: &Attempt) -> Self {
        let body = &attempt.answer_body;
        Self {
            number: attempt.number,
            at: attempt.at,
            duration_ms: attempt.duration_ms,
            outcome: attempt.outcome,
            status: attempt.status,
            error: attempt.error.clone(),
            addresses: attempt.addresses.clone(),
            response_headers: attempt.response_headers.clone(),
            response_excerpt: attempt.response_excerpt.clone(),
            request_version: attempt.request_version,
            timings: (!attempt.timings.is_empty()).then(|| attempt.timings.to_bytes().into()),
            size_bytes: body.size_bytes,
            is_cut: body.is_cut,
            digest: body.digest.map(|digest| ByteBuf::from(*digest.as_bytes())),
            answer_of: match body.place {
                BodyPlace::Excerpt => None,
                BodyPlace::OwnItem => Some(attempt.number),
                BodyPlace::SameAs(number) => Some(number),
            },
        }
    }
}

impl From<AttemptItem> for Attempt {
    fn from(item: AttemptItem) -> Self {
        let digest = item.digest.and_then(|bytes| bytes[..].try_into().ok());
        let timings = item.timings.and_then(|bytes| Timings::from_bytes(&bytes));
        Self {
            number: item.number,
            at: item.at,
            duration_ms: item.duration_ms,
            outcome: item.outcome,
            status: item.status,
            error: item.error,
            addresses: item.addresses,
            response_headers: item.response_headers,
            response_excerpt: item.response_excerpt,
            request_version: item.request_version,
            timings: timings.unwrap_or_default(),
            answer_body: AnswerBody {
                size_bytes: item.size_bytes,
                is_cut: item.is_cut,
                digest: digest.map(AnswerDigest::from_bytes),
                place: match item.answer_of {
                    None => BodyPlace::Excerpt,
                    Some(number) if number == item.number => BodyPlace::OwnItem,
                    Some(number) => BodyPlace::SameAs(number),
                },
            },
        }
    }
}
