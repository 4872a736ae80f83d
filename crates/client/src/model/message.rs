//! Messages.

use serde::{Deserialize, Serialize};

use super::{Broken, Delivery};

/// The stack's copy of one event, and what is owed for it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// `msg_…`
    pub id: String,
    /// Whose event it is.
    pub customer_id: String,
    /// The event's `detail-type`.
    pub event_type: String,
    /// When the event happened, RFC 3339.
    pub time: String,
    /// When the stack wrote it, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<String>,
    /// One for each matching subscription.
    pub deliveries: Vec<Delivery>,
    /// Those of which not everything can be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Broken>,
    /// Where the next page of deliveries starts.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

impl Message {
    /// The delivery owed to a subscription.
    pub fn delivery_to(&self, subscription_id: &str) -> Option<&Delivery> {
        self.deliveries
            .iter()
            .find(|delivery| delivery.subscription_id == subscription_id)
    }
}

/// A message in a list.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageSummary {
    /// `msg_…`
    pub id: String,
    /// Whose event it is.
    pub customer_id: String,
    /// The event's `detail-type`.
    pub event_type: String,
    /// When the event happened, RFC 3339.
    pub time: String,
    /// When the stack wrote it, RFC 3339.
    pub received_at: String,
}
