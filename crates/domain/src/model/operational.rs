//! Operational events: what becomes of deliveries and subscriptions, for those who run the
//! system.
//!
//! They are put on the stack's own bus, after what they tell is recorded, and at best
//! effort: one that is lost is still in the table. With an operator's customer id the stack
//! takes them up again as that customer's events, and sends them as webhooks. **That cannot
//! loop**: what happens to the operator's own deliveries and subscriptions is never told.

use serde::Serialize;

use crate::event_type::EventType;
use crate::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use crate::outbound::AttemptOutcome;

/// The `source` of every operational event. No producer's may be the same.
pub const SOURCE: &str = "webhooks";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A delivery was given up.
    DeliveryFailed,
    /// A delivery that had been given up or held was sent again, and taken.
    DeliveryRecovered,
    /// An endpoint fails, and nothing has succeeded since.
    SubscriptionFailing,
    /// An endpoint that failed takes something again.
    SubscriptionRecovered,
    /// The system holds a subscription's deliveries from now on.
    SubscriptionDisabled,
    /// A subscription's deliveries are sent again.
    SubscriptionEnabled,
    /// A subscription signs with another secret.
    SubscriptionSecretRotated,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::DeliveryFailed,
        Self::DeliveryRecovered,
        Self::SubscriptionFailing,
        Self::SubscriptionRecovered,
        Self::SubscriptionDisabled,
        Self::SubscriptionEnabled,
        Self::SubscriptionSecretRotated,
    ];

    /// Its event type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeliveryFailed => "delivery.failed",
            Self::DeliveryRecovered => "delivery.recovered",
            Self::SubscriptionFailing => "subscription.failing",
            Self::SubscriptionRecovered => "subscription.recovered",
            Self::SubscriptionDisabled => "subscription.disabled",
            Self::SubscriptionEnabled => "subscription.enabled",
            Self::SubscriptionSecretRotated => "subscription.secret_rotated",
        }
    }
}

/// An operational event. Its JSON is the event's `detail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationalEvent {
    /// What happened.
    #[serde(skip)]
    pub kind: Kind,
    /// To whom.
    pub customer_id: CustomerId,
    /// At which endpoint.
    pub subscription_id: SubscriptionId,
    /// The rest, by kind.
    #[serde(flatten)]
    pub about: About,
}

/// What an operational event says beside the subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum About {
    /// Of a delivery.
    Delivery {
        /// Which one.
        delivery_id: DeliveryId,
        /// The message that it owes.
        message_id: MessageId,
        /// The message's type.
        event_type: EventType,
        /// Why it was given up.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        /// Its last attempt, if that ended it.
        #[serde(skip_serializing_if = "Option::is_none")]
        last_attempt: Option<LastAttempt>,
    },
    /// Of a secret.
    Secret {
        /// The version that signs from now on.
        secret_version: u32,
        /// Its kind: `v1` or `v1a`.
        secret_kind: &'static str,
    },
    /// Why the system did it.
    Reason {
        /// In one word.
        reason: &'static str,
    },
    /// Nothing.
    Nothing {},
}

/// What is told of an attempt: nothing that the endpoint said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastAttempt {
    /// Counted from 1.
    pub number: u32,
    /// When it began (RFC 3339).
    pub at: String,
    /// What came of it.
    pub outcome: AttemptOutcome,
    /// The HTTP status, when there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl OperationalEvent {
    /// The event's `detail`, as JSON.
    pub fn detail(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers are always JSON")
    }
}
