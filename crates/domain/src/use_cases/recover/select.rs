//! Decides what a recovery does with an entry of its list.

use std::time::Duration;

use crate::delivery::{
    Delivery, DeliveryStatus, DeliveryTask, DeliveryTrigger, ReopenError, Reopening,
};
use crate::due::NextAttempt;
use crate::event_type::EventType;
use crate::filter::{Document, FilterError};
use crate::message::{Message, PayloadError, StoredMessage, detail};
use crate::payload_shape::MessageLinkTemplate;
use crate::prepare::{MatchedSubscription, prepare};
use crate::recovery::RecoveryKind;
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;

/// The decision about an entry.
#[derive(Debug)]
pub(super) enum Finding {
    /// The delivery must be resent, or continue if it awaits its endpoint.
    Again(Delivery, Message),
    /// The message was never delivered to the subscription.
    First(Delivery, Message),
    /// The delivery was already resent, by a page that was killed or by another request, and has no
    /// attempt since then.
    Resent(DeliveryTask),
    /// The delivery is held, and must be cancelled.
    Discard(Delivery),
    /// There is nothing to do.
    Nothing,
}

impl Finding {
    /// The reopening of a delivery that must be sent again, if its status allows it.
    pub(super) fn reopening(&self, next: &NextAttempt) -> Option<Reopening<'_>> {
        let Self::Again(delivery, message) = self else {
            return None;
        };
        let resumption = delivery.resume(*next);
        resumption.or_else(|| match delivery.reopen(message, *next) {
            Ok(reopening) => Some(reopening),
            // Its task ends it: a held delivery must end too.
            Err(ReopenError::Expired { .. }) => delivery.end_hold(*next),
            Err(ReopenError::Pending | ReopenError::AttemptsExhausted { .. }) => None,
        })
    }

    /// The time of an attempt that could be due at `due_at`: not before the time that the event names
    /// for its first attempt, unless somebody has resent the delivery to send it earlier.
    pub(super) fn due_at(&self, due_at: Timestamp) -> Timestamp {
        match self {
            Self::Again(delivery, message)
                if delivery.attempts.is_empty() && delivery.trigger != DeliveryTrigger::Resend =>
            {
                message.waits_until(due_at).unwrap_or(due_at)
            }
            Self::First(_, message) => message.waits_until(due_at).unwrap_or(due_at),
            _ => due_at,
        }
    }

    /// Returns true if an attempt is queued, which is due at `next`.
    pub(super) fn is_sent(&self, next: &NextAttempt) -> bool {
        match self {
            Self::Again(..) => self.reopening(next).is_some(),
            Self::First(delivery, message) => next.due_at <= delivery.deadline(message),
            Self::Resent(_) | Self::Discard(_) | Self::Nothing => false,
        }
    }
}

/// An entry that cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The subscription's filter cannot be evaluated.
    #[error("filter of the subscription cannot be evaluated")]
    Filter(#[from] FilterError),
    /// The stored payload cannot be read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

/// Decides which entries a recovery sends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selection<'a> {
    pub(super) kind: RecoveryKind,
    pub(super) subscription: &'a Subscription,
    /// The links in thin webhooks.
    pub(super) links: Option<&'a MessageLinkTemplate>,
}

impl Selection<'_> {
    /// Returns true if an entry must be read. An entry with an unreadable type is read too, because
    /// only that gives the reason.
    pub(super) fn concerns(&self, event_type: Option<&EventType>) -> bool {
        match (self.kind, event_type) {
            (RecoveryKind::Replay, Some(event_type)) => {
                self.subscription.event_types.matches(event_type)
            }
            (RecoveryKind::Recover(_) | RecoveryKind::Discard | RecoveryKind::Release, _)
            | (RecoveryKind::Replay, None) => true,
        }
    }

    /// The decision about a message and its delivery, as they were read.
    pub(super) fn find(
        &self,
        stored: Option<StoredMessage>,
        delivery: Option<Delivery>,
        now: Timestamp,
    ) -> Result<Finding, SelectError> {
        let Some(stored) = stored else {
            return Ok(Finding::Nothing);
        };
        match (delivery, self.kind) {
            (Some(delivery), RecoveryKind::Discard)
                if matches!(delivery.status, DeliveryStatus::Held(_)) =>
            {
                Ok(Finding::Discard(delivery))
            }
            // Somebody has resent it after its message was cancelled, and it continues that resend.
            (Some(delivery), RecoveryKind::Release)
                if delivery.awaits_endpoint() && !delivery.is_cancelled_by(&stored.message) =>
            {
                Ok(Finding::Again(delivery, stored.message))
            }
            // Only a resend of the one delivery sends a cancelled message.
            (Some(delivery), _) if stored.message.cancelled_at.is_some() => {
                Ok(match delivery.status {
                    DeliveryStatus::Held(_) => Finding::Discard(delivery),
                    _ => Finding::Nothing,
                })
            }
            (None, _) if stored.message.cancelled_at.is_some() => Ok(Finding::Nothing),
            (Some(_), RecoveryKind::Discard | RecoveryKind::Release)
            | (None, RecoveryKind::Recover(_) | RecoveryKind::Discard | RecoveryKind::Release) => {
                Ok(Finding::Nothing)
            }
            (Some(delivery), kind) => Ok(match (delivery.resend_task(), kind) {
                (Some(task), _) => Finding::Resent(task),
                (None, RecoveryKind::Recover(statuses)) if statuses.contain(delivery.status) => {
                    Finding::Again(delivery, stored.message)
                }
                (None, _) => Finding::Nothing,
            }),
            (None, RecoveryKind::Replay) => self.missing(stored, now),
        }
    }

    fn missing(&self, stored: StoredMessage, now: Timestamp) -> Result<Finding, SelectError> {
        let event = stored.message.payload.read()?;
        let detail = Document::new(detail(&event)?);
        let answer = self.subscription.wants(&stored.message, &detail)?;
        if !answer.is_wanted {
            return Ok(Finding::Nothing);
        }
        let to = MatchedSubscription::from(self.subscription);
        let delivery = Delivery {
            // It expires together with its message.
            expires_at: stored.expires_at,
            trigger: DeliveryTrigger::Replay,
            ..prepare(&stored.message, &to, now, Duration::ZERO, self.links)
        };
        Ok(Finding::First(delivery, stored.message))
    }
}
