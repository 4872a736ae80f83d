//! Describes deliveries and attempts in words and colours.

use crate::terminal::Tone;
use webhooks_client::{
    Attempt, AttemptOutcome, Delivery, DeliveryStatus, SubscriptionStatus, words,
};
use webhooks_domain::timestamp::Timestamp;

pub(crate) use webhooks_client::words::outcome;

use crate::when;

/// The colour of a delivery's status.
pub(crate) fn tone(status: DeliveryStatus) -> Tone {
    match status {
        DeliveryStatus::Succeeded => Tone::Good,
        DeliveryStatus::Pending | DeliveryStatus::Held => Tone::Waiting,
        DeliveryStatus::Failed => Tone::Bad,
        DeliveryStatus::Cancelled => Tone::Faint,
    }
}

/// The colour of a subscription's status.
pub(crate) fn subscription_tone(status: SubscriptionStatus) -> Tone {
    match status {
        SubscriptionStatus::Active => Tone::Good,
        SubscriptionStatus::Paused => Tone::Waiting,
        SubscriptionStatus::Disabled => Tone::Bad,
    }
}

/// The colour of an attempt.
pub(crate) fn attempt_tone(attempt: &Attempt) -> Tone {
    match attempt.outcome {
        AttemptOutcome::Succeeded => Tone::Good,
        _ => Tone::Bad,
    }
}

/// Describes the state of a delivery and its reason.
pub(crate) fn state(delivery: &Delivery, now: Timestamp) -> String {
    words::state(delivery, |next| when::until(next, now))
}

/// Describes a delivery's state in a row of a table: the end of the last attempt, and the next
/// step.
pub(crate) fn short_state(delivery: &Delivery, now: Timestamp) -> String {
    words::short_state(delivery, |next| when::until(next, now))
}
