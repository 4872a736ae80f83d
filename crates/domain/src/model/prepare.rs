//! Makes one delivery for each subscription that matches a message.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::delivery::{Delivery, DeliveryStatus, DeliveryTrigger, HoldReason};
use crate::ids::{DeliveryId, SubscriptionId};
use crate::message::Message;
use crate::payload_format::PayloadFormat;
use crate::payload_shape::{MessageLinkTemplate, UNKNOWN_SHAPE};
use crate::queue::QueueKind;
use crate::subscription::{BrokenSubscription, Subscription, SubscriptionStatus};
use crate::timestamp::Timestamp;

/// A subscription that matches the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MatchedSubscription {
    /// Its id.
    pub id: SubscriptionId,
    /// The status, which decides if its deliveries are sent or held.
    pub status: SubscriptionStatus,
    /// The format of its payloads.
    #[serde(default, skip_serializing_if = "PayloadFormat::is_standard")]
    pub payload_format: PayloadFormat,
    /// The version of its requests, if the format does not say everything about the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape_version: Option<u64>,
    /// The queue of its deliveries.
    #[serde(default, skip_serializing_if = "QueueKind::is_fast")]
    pub queue: QueueKind,
}

impl From<&Subscription> for MatchedSubscription {
    fn from(subscription: &Subscription) -> Self {
        Self {
            id: subscription.id,
            status: subscription.status,
            payload_format: subscription.payload.format(),
            shape_version: subscription.shape_version(),
            queue: subscription.health.queue(),
        }
    }
}

impl From<&BrokenSubscription> for MatchedSubscription {
    /// Its delivery fails. If it is sent after the repair, it must not have another shape than the
    /// subscription: that may be one that leaves most of the event out.
    fn from(broken: &BrokenSubscription) -> Self {
        let read = Self::from(&broken.readable);
        let shape_version = if broken.can_read_shape() {
            read.shape_version
        } else {
            Some(UNKNOWN_SHAPE)
        };
        Self {
            shape_version,
            ..read
        }
    }
}

/// The time of the first attempt is too far away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "event's time of the first attempt: must be at most {days} days (RetentionDays) ahead, is {at}"
)]
pub struct TooFarAhead {
    at: Timestamp,
    days: u64,
}

/// Checks that a message does not wait longer for its first attempts than the stack keeps messages.
///
/// A message that passed this check passes it later too, so no page of an event is refused after
/// another one was written.
pub fn check_wait(message: &Message, now: Timestamp, longest: Duration) -> Result<(), TooFarAhead> {
    match message.waits_until(now) {
        Some(at) if at > now + longest => Err(TooFarAhead {
            at,
            days: longest.as_secs() / 86_400,
        }),
        _ => Ok(()),
    }
}

/// The time at which a message and its deliveries expire. It counts from the time of the first
/// attempt, so that a wait takes no time away from the retries.
pub fn expires_at(message: &Message, now: Timestamp, retention: Duration) -> Timestamp {
    message.waits_until(now).unwrap_or(now) + retention
}

/// The delivery of a message to a subscription: `pending`, or `held` if the subscription is paused
/// or disabled.
///
/// The id is derived from the two, so a duplicate execution prepares the same delivery. Its first
/// attempt is due at once, or at the time that the event names. (If two executions see the event
/// before and after that time, the record of the first one that writes counts, and the task of the
/// other is a stray or a duplicate.)
pub fn prepare(
    message: &Message,
    subscription: &MatchedSubscription,
    now: Timestamp,
    retention: Duration,
    links: Option<&MessageLinkTemplate>,
) -> Delivery {
    let status = match subscription.status {
        SubscriptionStatus::Active => DeliveryStatus::Pending,
        SubscriptionStatus::Paused | SubscriptionStatus::Disabled => {
            DeliveryStatus::Held(HoldReason::NotActive)
        }
    };
    Delivery {
        id: DeliveryId {
            message: message.id,
            subscription: subscription.id,
        },
        customer_id: message.customer_id.clone(),
        event_type: message.event_type.clone(),
        payload_format: subscription.payload_format,
        shape_version: subscription.shape_version,
        link: link(message, subscription.payload_format, links),
        trigger: DeliveryTrigger::Event,
        status,
        attempts: Vec::new(),
        earlier_attempts: 0,
        created_at: now,
        next_attempt_at: message
            .waits_until(now)
            .filter(|_| status == DeliveryStatus::Pending),
        expires_at: expires_at(message, now, retention),
    }
}

/// The link of a delivery, if its body has one. The delivery keeps it, because the template is a
/// setting of the stack, which may change between two attempts.
pub fn link(
    message: &Message,
    format: PayloadFormat,
    links: Option<&MessageLinkTemplate>,
) -> Option<String> {
    let links = links.filter(|_| format == PayloadFormat::Thin)?;
    Some(links.link(&message.customer_id, &message.id))
}
