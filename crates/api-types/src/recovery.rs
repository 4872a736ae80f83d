//! Recoveries: jobs that send many deliveries of one subscription.

use serde::{Deserialize, Serialize};

/// What a recovery goes through: deliveries that failed or were held, or messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RecoveryKind {
    /// Deliveries that failed or were held.
    Recover,
    /// Messages that the subscription never had.
    Replay,
}

/// Where a recovery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

/// The status of a delivery that a recovery can send again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum UndeliveredStatus {
    /// No further attempt is made.
    Failed,
    /// The subscription was paused or disabled.
    Held,
}

/// A recovery, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recovery {
    /// The recovery's id.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "rec_019ab3f0c2d17c6e5d4c3b2a19080706")
    )]
    pub id: String,
    /// What it sends.
    pub kind: RecoveryKind,
    /// Where it stands.
    pub status: RecoveryStatus,
    /// The beginning of the range, which belongs to it.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub since: String,
    /// The end of the range, which does not.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub until: String,
    /// What is sent again, with `recover`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<UndeliveredStatus>>,
    /// How many it queues for each second.
    pub per_second: u32,
    /// Deliveries or messages that were looked at.
    pub examined: u64,
    /// Those of them that are sent.
    pub queued: u64,
    /// The others.
    pub skipped: u64,
    /// When it began.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub started_at: String,
    /// When its workflow last reported.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub updated_at: String,
}

/// How much there is to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecoveryCount {
    /// Deliveries.
    pub count: u64,
    /// Whether that is all, or only what could be counted in 5 seconds.
    pub complete: bool,
}
