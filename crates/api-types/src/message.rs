//! Messages.

use serde::{Deserialize, Serialize};

use crate::{Broken, Delivery};

/// A message, with a page of its deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// The message's id.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "msg_9d621ecde980c9e89ef2b0fa0f4cc7e6")
    )]
    pub id: String,
    /// The customer of the event.
    #[cfg_attr(feature = "openapi", schema(example = "cust_1001"))]
    pub customer_id: String,
    /// The event's `detail-type`.
    #[cfg_attr(feature = "openapi", schema(example = "order.created"))]
    pub event_type: String,
    /// The event's own time, unchanged.
    pub time: String,
    /// The time when it was stored.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub received_at: String,
    /// The time that the producer has set for the first attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = DateTime, nullable = false))]
    pub deliver_at: Option<String>,
    /// The time when it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = DateTime, nullable = false))]
    pub cancelled_at: Option<String>,
    /// One for each matching subscription, in the order of their ids.
    pub deliveries: Vec<Delivery>,
    /// Its deliveries that cannot be read completely.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub broken: Vec<Broken>,
    /// The cursor of the next page of deliveries.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub next_cursor: Option<String>,
}

impl Message {
    /// The delivery to a subscription.
    pub fn delivery_to(&self, subscription_id: &str) -> Option<&Delivery> {
        let mut deliveries = self.deliveries.iter();
        deliveries.find(|delivery| delivery.subscription_id == subscription_id)
    }
}

/// A page of a message's deliveries after they were cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cancellation {
    /// The message's id.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "msg_9d621ecde980c9e89ef2b0fa0f4cc7e6")
    )]
    pub message_id: String,
    /// The time when it was cancelled first.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub cancelled_at: String,
    /// The number of deliveries that this request has cancelled.
    pub cancelled: u32,
    /// The number of those whose attempt was due, so that a request may be under way.
    pub due: u32,
    /// The number of deliveries that had ended before.
    pub ended: u32,
    /// The number of deliveries that cannot be read.
    pub broken: u32,
    /// The cursor of the next page of deliveries.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub next_cursor: Option<String>,
}

/// A message in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageEntry {
    /// The message's id.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "msg_9d621ecde980c9e89ef2b0fa0f4cc7e6")
    )]
    pub id: String,
    /// The customer of the event.
    #[cfg_attr(feature = "openapi", schema(example = "cust_1001"))]
    pub customer_id: String,
    /// The event's `detail-type`.
    #[cfg_attr(feature = "openapi", schema(example = "order.created"))]
    pub event_type: String,
    /// The event's own time, unchanged.
    pub time: String,
    /// The time when it was stored.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub received_at: String,
}
