//! Recoveries: sending a subscription much of what it has missed, at a steady rate.
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
use crate::paging::Place;
use crate::timestamp::Timestamp;

/// A recovery: what it is to do, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Its id.
    pub id: RecoveryId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// To whom it sends.
    pub subscription_id: SubscriptionId,
    /// What it goes through.
    pub kind: RecoveryKind,
    /// Which part of that.
    pub range: Range,
    /// How much it sends.
    pub per_second: Rate,
    /// Where it stands, as its workflow has last said.
    pub status: RecoveryStatus,
    /// How far it has come.
    pub progress: Progress,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When its workflow was last heard of.
    pub updated_at: Timestamp,
    /// When the table may forget it.
    pub expires_at: Timestamp,
    /// Counts its changes, so that a stop is not overwritten.
    pub version: u64,
}

/// What names a recovery.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecoveryKey {
    /// Whose it is.
    pub customer: CustomerId,
    /// To whom it sends.
    pub subscription: SubscriptionId,
    /// Which one.
    pub id: RecoveryId,
}

/// A page of a subscription's recoveries, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryPage {
    /// The recoveries.
    pub recoveries: Vec<Readable<Recovery, RecoveryId>>,
    /// Whether there are more after the last of them.
    pub has_more: bool,
}

/// What a recovery goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryKind {
    /// Deliveries that the subscription is owed, with one of these statuses.
    Recover(UndeliveredStatuses),
    /// The customer's messages: those that the subscription wants now and never had.
    Replay,
}

impl RecoveryKind {
    /// The word for it in the table and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recover(_) => "recover",
            Self::Replay => "replay",
        }
    }
}

/// The status of a delivery that is owed and that nothing sends any more.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum UndeliveredStatus {
    /// It was given up.
    Failed,
    /// It was kept while the subscription was paused or disabled.
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
    /// From a list that is neither empty nor names one twice.
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

    /// Whether a delivery's status is one of them.
    pub fn contain(self, status: DeliveryStatus) -> bool {
        let owed = match status {
            DeliveryStatus::Failed(_) => UndeliveredStatus::Failed,
            DeliveryStatus::Held => UndeliveredStatus::Held,
            DeliveryStatus::Pending | DeliveryStatus::Succeeded | DeliveryStatus::Cancelled(_) => {
                return false;
            }
        };
        self == Self::Both || self == Self::Only(owed)
    }
}

/// A range of time, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Its beginning, which belongs to it.
    pub since: Timestamp,
    /// Its end, which does not.
    pub until: Timestamp,
}

/// Attempts a second: 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(u32);

impl Rate {
    /// The greatest rate.
    pub const MAX: u32 = 100;

    /// A rate within the bounds.
    pub fn per_second(number: u32) -> Option<Self> {
        (1..=Self::MAX).contains(&number).then_some(Self(number))
    }

    /// As a number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The time from one attempt to the next, in whole milliseconds: never too short.
    pub(crate) fn interval(self) -> Duration {
        Duration::from_millis(u64::from(1_000_u32.div_ceil(self.0)))
    }
}

/// Ten a second: what a small receiver takes.
impl Default for Rate {
    fn default() -> Self {
        Self(10)
    }
}

/// Where a recovery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryStatus {
    /// Its workflow goes on.
    Running,
    /// Somebody asked to stop it; its workflow has not seen it yet.
    Stopping,
    /// It was stopped: by somebody, because its subscription is not active any more, or
    /// because it is too long for one workflow.
    Stopped,
    /// It has gone through everything.
    Succeeded,
    /// Its workflow has failed, or was not heard of for too long.
    Failed,
}

/// A text that is no status of a recovery.
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

    /// The word for it in the table and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Whether its workflow is to go on.
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

/// How far a recovery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Entries that were looked at.
    pub examined: u64,
    /// Those of them that are sent.
    pub queued: u64,
    /// The others: there was nothing to send, or it cannot be sent.
    pub skipped: u64,
    /// The last entry that was looked at.
    pub place: Option<Place>,
    /// Until when attempts were handed out.
    pub paced_until: Option<Timestamp>,
    /// How many pages were begun.
    pub pages: u32,
}

impl Recovery {
    /// For how long its workflow can be silent: longer than a page takes with all its
    /// tries and the wait after it.
    pub const SILENCE: Duration = Duration::from_mins(15);
    /// The most pages: a workflow has at most 25,000 events, and a page makes 9 of them.
    pub const MAX_PAGES: u32 = 2_500;

    /// Its key.
    pub fn key(&self) -> RecoveryKey {
        RecoveryKey {
            customer: self.customer_id.clone(),
            subscription: self.subscription_id,
            id: self.id,
        }
    }

    /// Where it stands now: one whose workflow has died has failed.
    pub fn status_at(&self, now: Timestamp) -> RecoveryStatus {
        if self.status.is_live() && now.since(self.updated_at) > Self::SILENCE {
            RecoveryStatus::Failed
        } else {
            self.status
        }
    }

    /// The same with another status, as its next version.
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
    use crate::delivery::{CancelReason, FailureReason};

    #[test]
    fn status_words_are_read_back() {
        for status in RecoveryStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("lost".parse::<RecoveryStatus>().is_err());
    }

    #[test]
    fn a_rate_is_one_to_a_hundred_and_its_interval_never_too_short() {
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
    fn what_is_owed_is_failed_or_held() {
        let failed = DeliveryStatus::Failed(FailureReason::EndpointGone);
        let list = |list: &[UndeliveredStatus]| UndeliveredStatuses::from_list(list);
        let (fail, hold) = (UndeliveredStatus::Failed, UndeliveredStatus::Held);
        assert_eq!(list(&[]), None);
        assert_eq!(list(&[fail, fail]), None);
        let both = list(&[hold, fail]).unwrap();
        assert!(both.contain(failed) && both.contain(DeliveryStatus::Held));
        let one = list(&[fail]).unwrap();
        assert!(one.contain(failed) && !one.contain(DeliveryStatus::Held));
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
