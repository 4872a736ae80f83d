//! One delivery for each subscription that wants a message.

use std::time::Duration;

use crate::delivery::{Delivery, DeliveryStatus};
use crate::ids::DeliveryId;
use crate::look_up::MatchedSubscription;
use crate::message::Message;
use crate::subscription::SubscriptionStatus;
use crate::timestamp::Timestamp;

/// The delivery of a message to a subscription: `pending`, or `held` when the
/// subscription is paused or disabled.
///
/// The id follows from the two, so a duplicate execution prepares the same one.
pub fn prepare(
    message: &Message,
    subscription: &MatchedSubscription,
    now: Timestamp,
    retention: Duration,
) -> Delivery {
    let status = match subscription.status {
        SubscriptionStatus::Active => DeliveryStatus::Pending,
        SubscriptionStatus::Paused | SubscriptionStatus::Disabled => DeliveryStatus::Held,
    };
    Delivery {
        id: DeliveryId {
            message: message.id,
            subscription: subscription.id,
        },
        customer_id: message.customer_id.clone(),
        event_type: message.event_type.clone(),
        payload_format: subscription.payload_format,
        status,
        attempts: Vec::new(),
        earlier_attempts: 0,
        created_at: now,
        next_attempt_at: None,
        expires_at: now + retention,
    }
}
