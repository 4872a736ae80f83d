//! Recoveries: jobs that send many deliveries of one subscription.

use serde::{Deserialize, Serialize};

/// The kind of a recovery: of failed or held deliveries, or of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RecoveryKind {
    /// Deliveries that failed or were held.
    Recover,
    /// Messages that the subscription never had.
    Replay,
    /// Held deliveries, which are cancelled.
    Discard,
    /// Deliveries that were held until the endpoint was available again. Starts by itself.
    Release,
}

/// The status of a recovery.
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
    /// Returns true if it has ended.
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
    /// It is held.
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
    /// Its kind.
    pub kind: RecoveryKind,
    /// Its status.
    pub status: RecoveryStatus,
    /// The beginning of the range, which belongs to it.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub since: String,
    /// The end of the range, which does not.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub until: String,
    /// The statuses of the deliveries to resend, with `recover`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<UndeliveredStatus>>,
    /// The number of deliveries that it queues per second.
    pub per_second: u32,
    /// Deliveries or messages that were looked at.
    pub examined: u64,
    /// The number of these that are sent, or with `discard` cancelled.
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

/// The result of a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecoveryCount {
    /// Deliveries.
    pub count: u64,
    /// True if all were counted, false if counting stopped after 5 seconds.
    pub complete: bool,
}
