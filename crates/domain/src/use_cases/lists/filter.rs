//! The filter of a list of deliveries.

use crate::delivery::DeliveryStatus;
use crate::event_type::{EventType, EventTypePattern};

/// Selects the deliveries of a list. Without any condition it selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// The current status.
    pub status: Option<StatusFilter>,
    /// The event types.
    pub event_type: Option<EventTypePattern>,
}

impl DeliveryFilter {
    pub(super) fn wants_type(&self, event_type: &EventType) -> bool {
        let wanted = self.event_type.as_ref();
        wanted.is_none_or(|wanted| wanted.matches(event_type))
    }

    /// Like [`wants_type`](Self::wants_type), for a type that may be unreadable. An unreadable type
    /// counts as a match.
    pub(super) fn may_want_type(&self, event_type: Option<&EventType>) -> bool {
        event_type.is_none_or(|event_type| self.wants_type(event_type))
    }

    pub(super) fn wants_status(&self, status: DeliveryStatus) -> bool {
        self.status.is_none_or(|wanted| wanted.is(status))
    }

    /// Returns true if the sparse index has all selected deliveries. A pending delivery without an
    /// attempt is not in it.
    pub(super) fn is_of_undelivered(&self) -> bool {
        matches!(self.status, Some(StatusFilter::Failed | StatusFilter::Held))
    }
}

/// The status of a delivery, without its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// An attempt is due, now or later.
    Pending,
    /// Not sent, because the subscription is paused or disabled, or its endpoint is unavailable.
    Held,
    /// The endpoint accepted it.
    Succeeded,
    /// It was given up.
    Failed,
    /// It is no longer needed.
    Cancelled,
}

impl StatusFilter {
    /// Returns true if this is the status.
    pub fn is(self, status: DeliveryStatus) -> bool {
        self == match status {
            DeliveryStatus::Pending => Self::Pending,
            DeliveryStatus::Held(_) => Self::Held,
            DeliveryStatus::Succeeded => Self::Succeeded,
            DeliveryStatus::Failed(_) => Self::Failed,
            DeliveryStatus::Cancelled(_) => Self::Cancelled,
        }
    }
}
