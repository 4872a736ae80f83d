//! Recoveries: many deliveries sent again, as a job.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::DeliveryStatus;

/// What a recovery sends.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum RecoveryKind {
    /// Deliveries that failed or were held.
    Recover,
    /// Messages that the subscription never had.
    Replay,
}

/// How a recovery stands.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum RecoveryStatus {
    /// It goes on.
    Running,
    /// Somebody asked it to stop, and it has not yet.
    Stopping,
    /// It ended because somebody asked.
    Stopped,
    /// It has queued all that there was.
    Succeeded,
    /// It ended because something of ours failed.
    Failed,
}

impl RecoveryStatus {
    /// Whether it has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Stopped | Self::Succeeded | Self::Failed)
    }
}

impl fmt::Display for RecoveryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Recover => "recover",
            Self::Replay => "replay",
        })
    }
}

impl fmt::Display for RecoveryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        })
    }
}

/// A job that sends many deliveries of one subscription.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    /// `rec_…`
    pub id: String,
    /// What it sends.
    pub kind: RecoveryKind,
    /// How it stands.
    pub status: RecoveryStatus,
    /// From when on, inclusive, RFC 3339.
    pub since: String,
    /// Until when, exclusive, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Deliveries of these statuses only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<DeliveryStatus>>,
    /// How many it queues for each second.
    pub per_second: u32,
    /// How many it has looked at.
    #[serde(default)]
    pub examined: u64,
    /// How many of them it has queued.
    #[serde(default)]
    pub queued: u64,
    /// How many of them it has left.
    #[serde(default)]
    pub skipped: u64,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// RFC 3339, UTC.
    pub updated_at: String,
}

/// How many deliveries a recovery would send.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryCount {
    /// So many, at least.
    pub count: u64,
    /// Whether that is all; counting ends at a bound.
    pub complete: bool,
}
