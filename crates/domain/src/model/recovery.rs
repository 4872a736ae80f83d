//! Recoveries: many missed deliveries of a subscription are resent at a steady rate.
//!
//! [`crate::recover`] runs them.

mod request;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use request::{RecoveryRequest, Requested};

use crate::broken::Readable;
use crate::delivery::DeliveryStatus;
use crate::ids::{CustomerId, RecoveryId, SubscriptionId};
use crate::limits::Limits;
use crate::paging::Place;
use crate::timestamp::Timestamp;

/// A recovery: its request and its progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Its id.
    pub id: RecoveryId,
    /// The customer.
    pub customer_id: CustomerId,
    /// The subscription.
    pub subscription_id: SubscriptionId,
    /// The list that it reads.
    pub kind: RecoveryKind,
    /// The time range of that list.
    pub range: Range,
    /// The rate at which it sends.
    pub per_second: Rate,
    /// The status that its workflow last wrote.
    pub status: RecoveryStatus,
    /// The progress.
    pub progress: Progress,
    /// The time of the request.
    pub started_at: Timestamp,
    /// The time of the workflow's last write.
    pub updated_at: Timestamp,
    /// The time at which it expires.
    pub expires_at: Timestamp,
    /// The number of its changes, so that a stop is not overwritten.
    pub version: u64,
}

/// The key of a recovery.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecoveryKey {
    /// The customer.
    pub customer: CustomerId,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The recovery's id.
    pub id: RecoveryId,
}

/// A page of a subscription's recoveries, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryPage {
    /// The recoveries.
    pub recoveries: Vec<Readable<Recovery, RecoveryId>>,
    /// True if there are more after the last of them.
    pub has_more: bool,
}

/// The list that a recovery reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryKind {
    /// The subscription's undelivered deliveries with one of these statuses.
    Recover(UndeliveredStatuses),
    /// The customer's messages that match the subscription now and were never delivered to it.
    Replay,
    /// The subscription's held deliveries, which are cancelled.
    Discard,
    /// The subscription's deliveries that were held because the endpoint was unavailable, which
    /// continue.
    Release,
}

impl RecoveryKind {
    /// Its name in the table and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recover(_) => "recover",
            Self::Replay => "replay",
            Self::Discard => "discard",
            Self::Release => "release",
        }
    }
}

/// The fate of the deliveries that were held, when their subscription is made active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeldFate {
    /// A recovery sends them, the oldest first.
    #[default]
    Send,
    /// They stay held.
    Keep,
    /// A recovery cancels them.
    Discard,
}

/// The status of an undelivered delivery for which no attempt is planned.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum UndeliveredStatus {
    /// It was given up.
    Failed,
    /// It is held.
    Held,
}

/// One or both of these statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndeliveredStatuses {
    /// One of them.
    Only(UndeliveredStatus),
    /// Both.
    Both,
}

impl UndeliveredStatuses {
    /// Made from a list that is not empty and names no status twice.
    pub fn from_list(list: &[UndeliveredStatus]) -> Option<Self> {
        match *list {
            [only] => Some(Self::Only(only)),
            [one, other] if one != other => Some(Self::Both),
            _ => None,
        }
    }

    /// As a list.
    pub fn to_list(self) -> Vec<UndeliveredStatus> {
        match self {
            Self::Only(only) => vec![only],
            Self::Both => vec![UndeliveredStatus::Failed, UndeliveredStatus::Held],
        }
    }

    /// Returns true if a delivery's status is one of them.
    pub fn contain(self, status: DeliveryStatus) -> bool {
        let undelivered = match status {
            DeliveryStatus::Failed(_) => UndeliveredStatus::Failed,
            DeliveryStatus::Held(_) => UndeliveredStatus::Held,
            DeliveryStatus::Pending | DeliveryStatus::Succeeded | DeliveryStatus::Cancelled(_) => {
                return false;
            }
        };
        self == Self::Both || self == Self::Only(undelivered)
    }
}

/// A time range that excludes its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The inclusive start.
    pub since: Timestamp,
    /// The exclusive end.
    pub until: Timestamp,
}

/// Attempts a second: 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(u32);

impl Rate {
    /// The largest rate.
    pub const MAX: u32 = 100;

    /// A rate, if the number is allowed.
    pub fn per_second(number: u32) -> Option<Self> {
        (1..=Self::MAX).contains(&number).then_some(Self(number))
    }

    /// The rate for an endpoint with these limits: its own rate, or the default.
    pub fn of(limits: &Limits) -> Self {
        let limit = limits
            .rate
            .map(|rate| u64::from(rate).min(Self::MAX.into()));
        let limit = limit.and_then(|rate| Self::per_second(u32::try_from(rate).ok()?));
        limit.unwrap_or_default()
    }

    /// As a number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The interval between two attempts, in whole milliseconds, rounded up.
    pub(crate) fn interval(self) -> Duration {
        Duration::from_millis(u64::from(1_000_u32.div_ceil(self.0)))
    }
}

/// Ten a second, which a small receiver can take.
impl Default for Rate {
    fn default() -> Self {
        Self(10)
    }
}

/// The status of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryStatus {
    /// Its workflow is running.
    Running,
    /// A stop was requested, but its workflow has not read that yet.
    Stopping,
    /// It was stopped: by a request, because its subscription is no longer active or the circuit
    /// breaker is open again, or because it is too long for one workflow.
    Stopped,
    /// It has read the whole list.
    Succeeded,
    /// Its workflow has failed, or has been silent for too long.
    Failed,
}

/// The text is not a status of a recovery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("status `{0}` of a recovery is not known")]
pub struct UnknownStatus(String);

impl RecoveryStatus {
    const ALL: [Self; 5] = [
        Self::Running,
        Self::Stopping,
        Self::Stopped,
        Self::Succeeded,
        Self::Failed,
    ];

    /// Its name in the table and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Returns true if its workflow should continue.
    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Running | Self::Stopping)
    }
}

impl FromStr for RecoveryStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == text);
        known.ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

impl fmt::Display for RecoveryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The progress of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// The number of entries that were read. In a second reading only those that are queued count.
    pub examined: u64,
    /// The number of those that are sent, or cancelled if that is the recovery's kind.
    pub queued: u64,
    /// The number of the others: there was nothing to do, or it could not be done.
    pub skipped: u64,
    /// The last entry that was read.
    pub place: Option<Place>,
    /// The time up to which attempts were handed out.
    pub paced_until: Option<Timestamp>,
    /// The number of pages that were begun.
    pub pages: u32,
    /// True since the second reading of the list began, if there is one.
    pub is_second_reading: bool,
}

impl Recovery {
    /// The longest silence of a running workflow. It is longer than a page with all its retries and
    /// the wait after it.
    pub const SILENCE: Duration = Duration::from_mins(15);
    /// The largest number of pages: a workflow has at most 25,000 events, and a page has 9 of them.
    pub const MAX_PAGES: u32 = 2_500;

    /// Its key.
    pub fn key(&self) -> RecoveryKey {
        RecoveryKey {
            customer: self.customer_id.clone(),
            subscription: self.subscription_id,
            id: self.id,
        }
    }

    /// Returns true if it was started by the activation of its subscription. The range of any other
    /// recovery ends before the recovery starts.
    pub fn is_of_activation(&self) -> bool {
        self.range.until > self.started_at
    }

    /// Returns true if the list must be read once more, from `range.until` on: a run that read the
    /// subscription before its activation may hold a delivery while the list is read, and the list
    /// itself is eventually consistent.
    pub fn must_read_again(&self) -> bool {
        self.is_of_activation() && !self.progress.is_second_reading
    }

    /// The status now. If its workflow has been silent for too long, it has failed.
    pub fn status_at(&self, now: Timestamp) -> RecoveryStatus {
        if self.status.is_live() && now.since(self.updated_at) > Self::SILENCE {
            RecoveryStatus::Failed
        } else {
            self.status
        }
    }

    /// The next version, with another status.
    pub(crate) fn with_status(&self, status: RecoveryStatus, now: Timestamp) -> Self {
        Self {
            status,
            updated_at: now,
            version: self.version + 1,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{CancelReason, FailureReason, HoldReason};

    #[test]
    fn status_names_are_parsed() {
        for status in RecoveryStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("lost".parse::<RecoveryStatus>().is_err());
    }

    #[test]
    fn a_rate_is_one_to_a_hundred_and_its_interval_is_rounded_up() {
        assert_eq!(Rate::per_second(0), None);
        assert_eq!(Rate::per_second(101), None);
        for number in 1..=100 {
            let rate = Rate::per_second(number).unwrap();
            assert!(
                rate.interval() * number >= Duration::from_secs(1),
                "{number}"
            );
        }
    }

    #[test]
    fn only_failed_and_held_deliveries_are_undelivered() {
        let failed = DeliveryStatus::Failed(FailureReason::EndpointGone);
        let list = |list: &[UndeliveredStatus]| UndeliveredStatuses::from_list(list);
        let (fail, hold) = (UndeliveredStatus::Failed, UndeliveredStatus::Held);
        assert_eq!(list(&[]), None);
        assert_eq!(list(&[fail, fail]), None);
        let both = list(&[hold, fail]).unwrap();
        let paused = DeliveryStatus::Held(HoldReason::NotActive);
        assert!(both.contain(failed) && both.contain(paused));
        let one = list(&[fail]).unwrap();
        assert!(one.contain(failed) && !one.contain(paused));
        assert_eq!(UndeliveredStatuses::from_list(&one.to_list()), Some(one));
        for status in [
            DeliveryStatus::Pending,
            DeliveryStatus::Succeeded,
            DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted),
        ] {
            assert!(!both.contain(status), "{status:?}");
        }
    }
}
