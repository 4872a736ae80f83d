//! Which deliveries of a list are wanted.

use std::str::FromStr;

use crate::delivery::DeliveryStatus;
use crate::event_type::{EventType, EventTypePattern};

/// Which deliveries are wanted; without a word, all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only those that stand here now.
    pub status: Option<StatusFilter>,
    /// Only those of these types.
    pub event_type: Option<EventTypePattern>,
}

impl DeliveryFilter {
    pub(super) fn wants_type(&self, event_type: &EventType) -> bool {
        let wanted = self.event_type.as_ref();
        wanted.is_none_or(|wanted| wanted.matches(event_type))
    }

    /// The same of a type that may be unreadable: what cannot be told is yes.
    pub(super) fn may_want_type(&self, event_type: Option<&EventType>) -> bool {
        event_type.is_none_or(|event_type| self.wants_type(event_type))
    }

    pub(super) fn wants_status(&self, status: DeliveryStatus) -> bool {
        self.status.is_none_or(|wanted| wanted.is(status))
    }

    /// Whether the sparse index holds all that are wanted. What is pending may never have been
    /// tried, and is then not in it.
    pub(super) fn is_of_undelivered(&self) -> bool {
        matches!(self.status, Some(StatusFilter::Failed | StatusFilter::Held))
    }
}

/// Where a delivery stands, whatever the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// An attempt is due, now or later.
    Pending,
    /// Kept and not sent.
    Held,
    /// The endpoint took it.
    Succeeded,
    /// It was given up.
    Failed,
    /// It is not owed any more.
    Cancelled,
}

impl StatusFilter {
    /// Whether the status is this one.
    pub fn is(self, status: DeliveryStatus) -> bool {
        self == match status {
            DeliveryStatus::Pending => Self::Pending,
            DeliveryStatus::Held => Self::Held,
            DeliveryStatus::Succeeded => Self::Succeeded,
            DeliveryStatus::Failed(_) => Self::Failed,
            DeliveryStatus::Cancelled(_) => Self::Cancelled,
        }
    }

    /// Whether a delivery that stands here can be owed.
    pub fn is_undelivered(self) -> bool {
        matches!(self, Self::Pending | Self::Held | Self::Failed)
    }
}

/// A text that is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `pending`, `held`, `succeeded`, `failed` or `cancelled`")]
pub struct StatusFilterError;

impl FromStr for StatusFilter {
    type Err = StatusFilterError;

    fn from_str(text: &str) -> Result<Self, StatusFilterError> {
        match text {
            "pending" => Ok(Self::Pending),
            "held" => Ok(Self::Held),
            "succeeded" => Ok(Self::Succeeded),
            "failed" => Ok(Self::Failed),
            "cancelled" => Ok(Self::Cancelled),
            _ => Err(StatusFilterError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{CancelReason, FailureReason};

    #[test]
    fn a_status_is_asked_for_by_the_word_that_is_shown() {
        for status in [
            DeliveryStatus::Pending,
            DeliveryStatus::Held,
            DeliveryStatus::Succeeded,
            DeliveryStatus::Failed(FailureReason::Expired),
            DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted),
        ] {
            let filter: StatusFilter = status.as_str().parse().unwrap();
            assert!(filter.is(status));
            assert_eq!(filter.is_undelivered(), status.is_undelivered());
        }
        assert_eq!("Failed".parse::<StatusFilter>(), Err(StatusFilterError));
    }
}
