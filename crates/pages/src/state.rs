//! The state of endpoints and deliveries in words and tones.

use maud::{Markup, html};
use webhooks_api_types::{
    Attempt, AttemptOutcome, Delivery, DeliveryStatus, DeliveryTrigger, DisabledReason,
    ProblemKind, RecoveryKind, RecoveryStatus, Subscription, SubscriptionStatus, words,
};
use webhooks_domain::timestamp::Timestamp;

use crate::frame::Tone;
use crate::parts::badge;
use crate::time::{distance, time, time_and_age};

/// The state of an endpoint, and its reasons.
pub(crate) struct EndpointState {
    /// The state in a word.
    pub(crate) badge: Markup,
    /// The reasons, the most serious first. Empty if all is well.
    pub(crate) reasons: Vec<Markup>,
}

/// Describes the state of an endpoint and its reasons.
pub(crate) fn endpoint(subscription: &Subscription, now: Timestamp) -> EndpointState {
    let health = &subscription.health;
    let since = |at: &str| time_and_age(at, now);
    let mut reasons = Vec::new();
    match (subscription.status, &subscription.disabled_at) {
        (SubscriptionStatus::Disabled, Some(at)) => {
            let reason = subscription.disabled_reason.map(disabled);
            reasons.push(html! {
                "Disabled since " (since(at))
                @if let Some(reason) = reason { ", because " (reason) }
                ". New deliveries are held until it is enabled."
            });
        }
        (SubscriptionStatus::Disabled | SubscriptionStatus::Paused, _) => {
            reasons.push(html! { "New deliveries are held until it is enabled." });
        }
        (SubscriptionStatus::Active, _) => {}
    }
    if let Some(at) = &health.circuit_open_since {
        reasons.push(html! {
            "Unavailable since " (since(at)) "."
            @if let Some(until) = &health.circuit_open_until {
                " No attempt begins before " (time(until)) "."
            }
        });
    }
    if let Some(at) = &health.failing_since {
        reasons.push(html! { "Every attempt has failed since " (since(at)) "." });
    }
    if let Some(at) = &health.slow_since {
        reasons.push(html! { "Answers have been slow since " (since(at)) "." });
    }
    if let Some(at) = &health.holding_since {
        reasons.push(html! {
            "Deliveries have been held since " (since(at)) ". They are sent once it answers."
        });
    }
    let (tone, word) = match subscription.status {
        SubscriptionStatus::Disabled => (Tone::Bad, "Disabled"),
        SubscriptionStatus::Paused => (Tone::Waiting, "Paused"),
        SubscriptionStatus::Active if health.circuit_open_since.is_some() => {
            (Tone::Bad, "Unavailable")
        }
        SubscriptionStatus::Active if health.failing_since.is_some() => (Tone::Bad, "Failing"),
        SubscriptionStatus::Active if health.slow_since.is_some() => (Tone::Waiting, "Slow"),
        SubscriptionStatus::Active if health.holding_since.is_some() => {
            (Tone::Waiting, "Catching up")
        }
        SubscriptionStatus::Active => (Tone::Good, "Active"),
    };
    EndpointState {
        badge: badge(tone, word),
        reasons,
    }
}

/// The reason for which the system has disabled an endpoint.
pub(crate) fn disabled(reason: DisabledReason) -> &'static str {
    match reason {
        DisabledReason::EndpointGone => "the endpoint answered 410 (gone)",
        DisabledReason::Failing => "everything had failed for too long",
    }
}

/// A problem of an endpoint.
pub(crate) fn problem(kind: ProblemKind) -> Markup {
    match kind {
        ProblemKind::Disabled => badge(Tone::Bad, "Disabled"),
        ProblemKind::CircuitOpen => badge(Tone::Bad, "Unavailable"),
        ProblemKind::Failing => badge(Tone::Bad, "Failing"),
        ProblemKind::Slow => badge(Tone::Waiting, "Slow"),
        ProblemKind::Holding => badge(Tone::Waiting, "Catching up"),
    }
}

/// The status of a delivery in a word.
pub(crate) fn status_word(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Pending => "Pending",
        DeliveryStatus::Held => "Held",
        DeliveryStatus::Succeeded => "Succeeded",
        DeliveryStatus::Failed => "Failed",
        DeliveryStatus::Cancelled => "Cancelled",
    }
}

/// The status of a delivery.
pub(crate) fn delivery(status: DeliveryStatus) -> Markup {
    let tone = match status {
        DeliveryStatus::Pending | DeliveryStatus::Held => Tone::Waiting,
        DeliveryStatus::Succeeded => Tone::Good,
        DeliveryStatus::Failed => Tone::Bad,
        DeliveryStatus::Cancelled => Tone::Neutral,
    };
    badge(tone, status_word(status))
}

/// The state of a delivery and its reason, as the command line has it.
pub(crate) fn delivery_words(delivery: &Delivery, now: Timestamp) -> String {
    words::state(delivery, |next| until(next, now))
}

/// The last result and the next step of a delivery.
pub(crate) fn delivery_brief(delivery: &Delivery, now: Timestamp) -> String {
    words::short_state(delivery, |next| until(next, now))
}

fn until(next: &str, now: Timestamp) -> String {
    match Timestamp::parse_rfc3339(next) {
        Some(at) if at > now => distance(next, now).unwrap_or_default(),
        Some(_) => "now".to_owned(),
        None => format!("at {next}"),
    }
}

/// Why a delivery exists, if not because of an event.
pub(crate) fn trigger(trigger: DeliveryTrigger) -> Option<&'static str> {
    match trigger {
        DeliveryTrigger::Event => None,
        DeliveryTrigger::Resend => Some("Resent"),
        DeliveryTrigger::Replay => Some("Replayed"),
        DeliveryTrigger::Test => Some("Test"),
    }
}

/// The outcome of an attempt.
pub(crate) fn attempt(attempt: &Attempt) -> Markup {
    let (tone, word) = match attempt.outcome {
        AttemptOutcome::Succeeded => (Tone::Good, "Succeeded"),
        AttemptOutcome::HttpError => (Tone::Bad, "HTTP error"),
        AttemptOutcome::TimedOut => (Tone::Bad, "Timed out"),
        AttemptOutcome::Unreachable => (Tone::Bad, "Not reached"),
        AttemptOutcome::Blocked => (Tone::Bad, "Blocked"),
        AttemptOutcome::NoToken => (Tone::Bad, "No token"),
    };
    badge(tone, word)
}

/// The status of a recovery.
pub(crate) fn recovery(status: RecoveryStatus) -> Markup {
    match status {
        RecoveryStatus::Running => badge(Tone::Waiting, "Running"),
        RecoveryStatus::Stopping => badge(Tone::Waiting, "Stopping"),
        RecoveryStatus::Stopped => badge(Tone::Neutral, "Stopped"),
        RecoveryStatus::Succeeded => badge(Tone::Good, "Done"),
        RecoveryStatus::Failed => badge(Tone::Bad, "Failed"),
    }
}

/// The purpose of a recovery.
pub(crate) fn recovery_kind(kind: RecoveryKind) -> &'static str {
    match kind {
        RecoveryKind::Recover => "Recover",
        RecoveryKind::Replay => "Replay",
        RecoveryKind::Discard => "Discard",
        RecoveryKind::Release => "Release",
    }
}
