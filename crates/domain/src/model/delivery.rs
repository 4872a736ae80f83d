//! A delivery and its attempts: the state machine at the core.
//!
//! ```text
//! pending ── attempt ──> succeeded | failed | pending (due later)
//!    ├──── the subscription is gone, or the message cancelled ──> cancelled
//!    ├──── the subscription is paused, or its endpoint unavailable ──> held
//!    └──── the deadline has passed ──> failed
//!
//! held | succeeded | failed ── resend ──> pending
//! ```

mod answer;
mod due_entry;
mod reopen;
mod task;
mod trigger;
mod verdict;

pub use answer::{Answer, AnswerBody, AnswerDigest, BodyPlace, ExchangeId, KeptAnswer};
pub use due_entry::DueEntry;
pub use reopen::{ReopenError, Reopening};
pub use task::{Deferral, DeliveryTask, DiscardReason, OutgoingTask, RefusedTask, TaskDecision};
pub use trigger::DeliveryTrigger;
pub use verdict::{Terms, Verdict};

use std::net::IpAddr;
use std::time::Duration;

use crate::due::OVERDUE_AFTER;
use crate::event_type::EventType;
use crate::ids::{CustomerId, DeliveryId};
use crate::message::{Message, json_string_len};
use crate::outbound::{AttemptOutcome, ResponseHeaders, Timings};
use crate::payload_format::PayloadFormat;
use crate::timestamp::Timestamp;

/// A delivery is given up this long before it expires. This is longer than any delay of the queue.
const TIME_TO_END: Duration = Duration::from_hours(1);

/// The delivery of one message to one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, which names the message and the subscription.
    pub id: DeliveryId,
    /// The customer.
    pub customer_id: CustomerId,
    /// The message's type.
    pub event_type: EventType,
    /// The format of its body, for every attempt.
    pub payload_format: PayloadFormat,
    /// The version of the subscription's requests that has the shape of its body. `None` if the
    /// format says everything.
    pub shape_version: Option<u64>,
    /// The link in its body, if the format has one and the stack has a template.
    pub link: Option<String>,
    /// Why it exists, or is attempted again.
    pub trigger: DeliveryTrigger,
    /// The status.
    pub status: DeliveryStatus,
    /// The attempts, in order.
    pub attempts: Vec<Attempt>,
    /// The number of attempts before the last resend. The retry policy counts from there.
    pub earlier_attempts: u32,
    /// The time at which it was prepared.
    pub created_at: Timestamp,
    /// The time at which the next attempt is due. `None` before the first failed attempt or resend,
    /// unless the event names the time of the first attempt.
    pub next_attempt_at: Option<Timestamp>,
    /// The time at which it expires.
    pub expires_at: Timestamp,
}

/// The status of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// An attempt is due, now or later.
    Pending,
    /// Not sent for now.
    Held(HoldReason),
    /// The endpoint accepted it. Terminal.
    Succeeded,
    /// It was given up. Terminal.
    Failed(FailureReason),
    /// It is no longer needed. Terminal.
    Cancelled(CancelReason),
}

/// The reason why a delivery is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldReason {
    /// The subscription is paused or disabled.
    NotActive,
    /// The circuit breaker of the endpoint has been open for long. The delivery continues with its
    /// next attempt when the endpoint is available again.
    EndpointUnavailable,
}

/// The reason why a delivery was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureReason {
    /// The retry policy has no further attempt.
    AttemptsExhausted,
    /// The endpoint answered 410.
    EndpointGone,
    /// Its deadline passed: the event's own, or its expiry.
    Expired,
    /// It was a test, which is attempted once.
    TestFailed,
    /// Its subscription is stored in a form that cannot be read.
    SubscriptionUnreadable,
    /// The subscription's transform makes a body that is too large.
    BodyTooLarge,
}

impl FailureReason {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::AttemptsExhausted,
        Self::EndpointGone,
        Self::Expired,
        Self::TestFailed,
        Self::SubscriptionUnreadable,
        Self::BodyTooLarge,
    ];

    /// Returns true if an operational event is published for it: for all but a failed test, which
    /// its caller sees.
    pub fn is_published(self) -> bool {
        self != Self::TestFailed
    }
}

/// The reason why a delivery is no longer needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelReason {
    /// Its subscription was deleted.
    SubscriptionDeleted,
    /// It was held, and somebody discarded it.
    Discarded,
    /// Somebody cancelled its message.
    Requested,
}

impl DeliveryStatus {
    /// Returns true if it is undelivered: neither succeeded nor cancelled.
    pub fn is_undelivered(self) -> bool {
        match self {
            Self::Failed(FailureReason::TestFailed) | Self::Succeeded | Self::Cancelled(_) => false,
            Self::Pending | Self::Held(_) | Self::Failed(_) => true,
        }
    }

    /// The name of the status in the table and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Held(_) => "held",
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::Cancelled(_) => "cancelled",
        }
    }

    /// The name of the reason, if there is one.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Failed(FailureReason::AttemptsExhausted) => Some("attemptsExhausted"),
            Self::Failed(FailureReason::EndpointGone) => Some("endpointGone"),
            Self::Failed(FailureReason::Expired) => Some("expired"),
            Self::Failed(FailureReason::TestFailed) => Some("testFailed"),
            Self::Failed(FailureReason::SubscriptionUnreadable) => Some("subscriptionUnreadable"),
            Self::Failed(FailureReason::BodyTooLarge) => Some("bodyTooLarge"),
            Self::Cancelled(CancelReason::SubscriptionDeleted) => Some("subscriptionDeleted"),
            Self::Cancelled(CancelReason::Discarded) => Some("discarded"),
            Self::Cancelled(CancelReason::Requested) => Some("requested"),
            Self::Held(HoldReason::EndpointUnavailable) => Some("endpointUnavailable"),
            Self::Pending | Self::Held(HoldReason::NotActive) | Self::Succeeded => None,
        }
    }

    /// The status with these two names.
    pub fn from_words(status: &str, reason: Option<&str>) -> Option<Self> {
        [
            Self::Pending,
            Self::Held(HoldReason::NotActive),
            Self::Held(HoldReason::EndpointUnavailable),
            Self::Succeeded,
            Self::Cancelled(CancelReason::SubscriptionDeleted),
            Self::Cancelled(CancelReason::Discarded),
            Self::Cancelled(CancelReason::Requested),
        ]
        .into_iter()
        .chain(FailureReason::ALL.map(Self::Failed))
        .find(|known| known.as_str() == status && known.reason() == reason)
    }
}

/// One HTTP request made for a delivery, and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// The time at which it began.
    pub at: Timestamp,
    /// The duration, in milliseconds.
    pub duration_ms: u32,
    /// The outcome.
    pub outcome: AttemptOutcome,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The failure below HTTP.
    pub error: Option<String>,
    /// The address that answered. Without an answer, all that were dialled.
    pub addresses: Vec<IpAddr>,
    /// The version of the subscription's [requests](crate::outbound::RequestShape) that was used.
    pub request_version: u64,
    /// The durations of its parts.
    pub timings: Timings,
    /// The kept headers of the response; see [`Delivery::answer_of`].
    pub response_headers: ResponseHeaders,
    /// The beginning of the response body; see [`Delivery::answer_of`].
    pub response_excerpt: Option<String>,
    /// The rest of what is known of the response body.
    pub answer_body: AnswerBody,
}

impl Delivery {
    /// The largest number of attempts of a delivery, including those of all resends.
    pub const MAX_ATTEMPTS: u32 = 100;

    /// An upper bound of the bytes that it takes in an answer of the API.
    ///
    /// Lambda gives back the answer as a string in JSON, so that each quote of the answer's own JSON
    /// takes two bytes.
    pub fn shown_bytes(&self) -> usize {
        /// Without foreign texts. About half of it is taken.
        const DELIVERY: usize = 1_500;
        const ATTEMPT: usize = 1_000;
        let of_attempt = |attempt: &Attempt| {
            let texts = [&attempt.response_excerpt, &attempt.error];
            let texts = texts.into_iter().flatten().map(String::as_str);
            let texts = texts.chain(attempt.response_headers.iter().map(|(_, value)| value));
            ATTEMPT + 2 * texts.map(json_string_len).sum::<usize>()
        };
        DELIVERY + self.attempts.iter().map(of_attempt).sum::<usize>()
    }

    /// The number of recorded attempts.
    pub fn attempts_made(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX)
    }

    /// The number of the next attempt, which is not recorded yet.
    pub fn next_attempt(&self) -> u32 {
        self.attempts_made().saturating_add(1)
    }

    /// Returns true if its attempt is so late that the sweep sends tasks for it.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.overdue_for(now) >= OVERDUE_AFTER
    }

    /// The time since its attempt was due. Zero if there was no failed attempt and no resend.
    pub fn overdue_for(&self, now: Timestamp) -> Duration {
        self.next_attempt_at
            .map_or(Duration::ZERO, |due_at| now.since(due_at))
    }

    /// Returns true if its message was cancelled, and it must be cancelled too: it was made by the
    /// event or by a replay, and nobody has resent it since.
    pub fn is_cancelled_by(&self, message: &Message) -> bool {
        let is_asked_for = match self.trigger {
            DeliveryTrigger::Event | DeliveryTrigger::Replay => false,
            DeliveryTrigger::Resend | DeliveryTrigger::Test => true,
        };
        message.cancelled_at.is_some() && !is_asked_for
    }

    /// The same delivery, which expires with its message at the latest: nothing is sent without it.
    #[must_use]
    pub fn expiring_with(self, message_expires_at: Timestamp) -> Self {
        let expires_at = self.expires_at.min(message_expires_at);
        Self { expires_at, ..self }
    }

    /// The last moment at which an attempt may begin: the event's own deadline, and at the latest
    /// an hour before the delivery expires. So a task that waits even longer still finds the
    /// delivery and ends it, before it expires and counts as absent.
    pub fn deadline(&self, message: &Message) -> Timestamp {
        let latest = self.expires_at - TIME_TO_END;
        let own = message.deadline;
        own.map_or(latest, |deadline| deadline.min(latest))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::message::Payload;

    pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    /// A pending delivery with this many failed attempts, whose next attempt is due.
    pub(crate) fn delivery(attempts: u32) -> Delivery {
        let attempt = |number| Attempt {
            number,
            at: NOW,
            duration_ms: 1,
            outcome: AttemptOutcome::HttpError,
            status: Some(500),
            error: None,
            addresses: Vec::new(),
            request_version: 1,
            timings: Timings::default(),
            response_headers: ResponseHeaders::default(),
            response_excerpt: None,
            answer_body: AnswerBody::default(),
        };
        Delivery {
            id: format!("dlv_{:032x}_{:032x}", 1, 2).parse().unwrap(),
            customer_id: "acme".parse().unwrap(),
            event_type: "order.created".parse().unwrap(),
            payload_format: PayloadFormat::default(),
            shape_version: None,
            link: None,
            trigger: DeliveryTrigger::Event,
            status: DeliveryStatus::Pending,
            attempts: (1..=attempts).map(attempt).collect(),
            earlier_attempts: 0,
            created_at: NOW,
            next_attempt_at: (attempts > 0).then_some(NOW),
            expires_at: NOW + Duration::from_hours(24),
        }
    }

    /// The message of the delivery.
    pub(crate) fn message_of(delivery: &Delivery) -> Message {
        Message {
            is_test: false,
            id: delivery.id.message,
            customer_id: delivery.customer_id.clone(),
            event_type: delivery.event_type.clone(),
            time: "2026-01-31T09:30:00Z".into(),
            deadline: None,
            deliver_at: None,
            cancelled_at: None,
            payload: Payload::new("{}"),
        }
    }

    #[test]
    fn the_deadline_is_the_events_or_an_hour_before_the_expiry() {
        let delivery = delivery(0);
        let mut message = message_of(&delivery);
        let latest = delivery.expires_at - TIME_TO_END;
        assert_eq!(delivery.deadline(&message), latest);
        message.deadline = Some(NOW);
        assert_eq!(delivery.deadline(&message), NOW);
        message.deadline = Some(latest + Duration::from_secs(1));
        assert_eq!(delivery.deadline(&message), latest);
    }

    #[test]
    fn a_cancelled_message_cancels_what_the_event_or_a_replay_has_made() {
        for (trigger, is_cancelled) in [
            (DeliveryTrigger::Event, true),
            (DeliveryTrigger::Replay, true),
            (DeliveryTrigger::Resend, false),
            (DeliveryTrigger::Test, false),
        ] {
            let delivery = Delivery {
                trigger,
                ..delivery(0)
            };
            let mut message = message_of(&delivery);
            assert!(!delivery.is_cancelled_by(&message), "{trigger:?}");
            message.cancelled_at = Some(NOW);
            assert_eq!(delivery.is_cancelled_by(&message), is_cancelled);
        }
    }

    #[test]
    fn status_names_are_parsed() {
        for status in [
            DeliveryStatus::Pending,
            DeliveryStatus::Held(HoldReason::NotActive),
            DeliveryStatus::Held(HoldReason::EndpointUnavailable),
            DeliveryStatus::Failed(FailureReason::EndpointGone),
            DeliveryStatus::Failed(FailureReason::Expired),
            DeliveryStatus::Failed(FailureReason::TestFailed),
            DeliveryStatus::Failed(FailureReason::SubscriptionUnreadable),
            DeliveryStatus::Failed(FailureReason::BodyTooLarge),
            DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted),
            DeliveryStatus::Cancelled(CancelReason::Requested),
        ] {
            let back = DeliveryStatus::from_words(status.as_str(), status.reason());
            assert_eq!(back, Some(status));
        }
        assert_eq!(DeliveryStatus::from_words("failed", None), None);
        assert_eq!(DeliveryStatus::from_words("lost", None), None);
    }
}
