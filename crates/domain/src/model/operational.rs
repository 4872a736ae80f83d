//! Operational events: what happens to deliveries and subscriptions, for the operators of the
//! system.
//!
//! They are published on the stack's own bus after the change is stored, best-effort: if one is
//! lost, the table still shows the change. If the stack has an operator's customer id, it reads
//! these events as that customer's events, and sends them as webhooks. **That cannot loop**:
//! nothing is published about the operator's own deliveries and subscriptions.

use serde::Serialize;

use crate::event_type::EventType;
use crate::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use crate::outbound::AttemptOutcome;

/// The `source` of every operational event. No producer may use it.
pub const SOURCE: &str = "webhooks";

/// The kind of an operational event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A delivery was given up.
    DeliveryFailed,
    /// A delivery that had been given up or held was resent and succeeded.
    DeliveryRecovered,
    /// An endpoint is failing: a retry has failed, and no attempt has succeeded since.
    SubscriptionFailing,
    /// A failing endpoint accepts webhooks again.
    SubscriptionRecovered,
    /// The system holds a subscription's deliveries from now on.
    SubscriptionDisabled,
    /// A subscription's deliveries are sent again.
    SubscriptionEnabled,
    /// A subscription signs with a new secret.
    SubscriptionSecretRotated,
    /// A subscription was created.
    SubscriptionCreated,
    /// Fields of a subscription were changed.
    SubscriptionChanged,
    /// A subscription was deleted.
    SubscriptionDeleted,
    /// The owner of an endpoint should be told about it.
    SubscriptionWarning,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::DeliveryFailed,
        Self::DeliveryRecovered,
        Self::SubscriptionFailing,
        Self::SubscriptionRecovered,
        Self::SubscriptionDisabled,
        Self::SubscriptionEnabled,
        Self::SubscriptionSecretRotated,
        Self::SubscriptionCreated,
        Self::SubscriptionChanged,
        Self::SubscriptionDeleted,
        Self::SubscriptionWarning,
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
            Self::SubscriptionCreated => "subscription.created",
            Self::SubscriptionChanged => "subscription.changed",
            Self::SubscriptionDeleted => "subscription.deleted",
            Self::SubscriptionWarning => "subscription.warning",
        }
    }
}

/// An operational event. Its JSON is the event's `detail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationalEvent {
    /// The kind.
    #[serde(skip)]
    pub kind: Kind,
    /// The customer.
    pub customer_id: CustomerId,
    /// The subscription.
    pub subscription_id: SubscriptionId,
    /// The other fields, which depend on the kind.
    #[serde(flatten)]
    pub about: About,
}

/// The fields of an operational event besides customer and subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum About {
    /// About a delivery.
    Delivery {
        /// The delivery.
        delivery_id: DeliveryId,
        /// Its message.
        message_id: MessageId,
        /// The message's type.
        event_type: EventType,
        /// The reason why it was given up.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        /// Its last attempt, if that ended the delivery.
        #[serde(skip_serializing_if = "Option::is_none")]
        last_attempt: Option<LastAttempt>,
    },
    /// About a secret.
    Secret {
        /// The version that signs from now on.
        secret_version: u32,
        /// Its kind: `v1` or `v1a`.
        secret_kind: &'static str,
    },
    /// About a change.
    Change {
        /// The names of the fields that have changed. No values.
        changed_fields: Vec<&'static str>,
    },
    /// About a warning.
    Warning(EndpointInTrouble),
    /// The reason why the system did it.
    Reason {
        /// The reason in one word.
        reason: &'static str,
    },
    /// No further fields.
    Nothing {},
}

/// The fields of a warning. They are all that a message to the endpoint's owner needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointInTrouble {
    /// The step: one of [`WarningStep::NAMES`](crate::health::WarningStep::NAMES).
    pub step: &'static str,
    /// The reason why the subscription was disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The URL of the endpoint, without its query.
    pub endpoint: String,
    /// The beginning of the failing period (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
    /// The time at which the subscription is disabled if the endpoint goes on failing (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<String>,
    /// The end of the client certificate, if the step is about it (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_not_after: Option<String>,
    /// The attempt after which the step was reached.
    pub last_attempt: LastAttempt,
    /// The confirmed addresses of the customer. May be empty.
    pub contacts: Vec<String>,
}

/// The published part of an attempt. It contains nothing from the endpoint's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastAttempt {
    /// Counted from 1.
    pub number: u32,
    /// The time at which it began (RFC 3339).
    pub at: String,
    /// The outcome.
    pub outcome: AttemptOutcome,
    /// The HTTP status, if there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl OperationalEvent {
    /// The event's `detail`, as JSON.
    pub fn detail(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers are always JSON")
    }
}
