//! The item of a message.

use serde::{Deserialize, Serialize};
use serde_dynamo::Item;
use webhooks_domain::event_type::EventType;
use webhooks_domain::ids::{CustomerId, MessageId};
use webhooks_domain::message::{Message, Payload};
use webhooks_domain::timestamp::Timestamp;

use crate::item::{stored_event_type, to_item};
use crate::key::Key;

/// The item of a new message, as the workflow writes it.
pub fn message_item(message: &Message, received_at: Timestamp, expires_at: Timestamp) -> Item {
    to_item(&MessageItem {
        key: Key::message(&message.id),
        id: message.id,
        customer_id: message.customer_id.clone(),
        event_type: message.event_type.clone(),
        time: message.time.clone(),
        deadline: message.deadline,
        deliver_at: message.deliver_at,
        cancelled_at: message.cancelled_at,
        is_test: message.is_test,
        received_at,
        payload: message.payload.clone(),
        expires_at: expires_at.as_secs(),
    })
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageItem {
    #[serde(flatten)]
    key: Key,
    id: MessageId,
    customer_id: CustomerId,
    #[serde(deserialize_with = "stored_event_type")]
    event_type: EventType,
    time: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deliver_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancelled_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_test: bool,
    received_at: Timestamp,
    payload: Payload,
    expires_at: i64,
}

impl MessageItem {
    /// The time at which it expires.
    pub(crate) fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.expires_at.saturating_mul(1_000))
    }

    /// The time at which it was stored.
    pub(crate) fn received_at(&self) -> Timestamp {
        self.received_at
    }
}

impl From<MessageItem> for Message {
    fn from(item: MessageItem) -> Self {
        Self {
            id: item.id,
            customer_id: item.customer_id,
            event_type: item.event_type,
            time: item.time,
            deadline: item.deadline,
            deliver_at: item.deliver_at,
            cancelled_at: item.cancelled_at,
            is_test: item.is_test,
            payload: item.payload,
        }
    }
}
