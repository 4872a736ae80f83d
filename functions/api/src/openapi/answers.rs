//! Words of answers, for the document only: the domain has them as types of its own.

#![expect(
    dead_code,
    reason = "nobody makes one: the document is made of their variants"
)]

use utoipa::ToSchema;

/// Where a delivery stands.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum DeliveryStatus {
    Pending,
    Held,
    Succeeded,
    Failed,
    Cancelled,
}

/// Where a delivery stands that is summary.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum UndeliveredStatus {
    Pending,
    Held,
    Failed,
}

/// Why a delivery has ended.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Reason {
    AttemptsExhausted,
    EndpointGone,
    Expired,
    TestFailed,
    SubscriptionUnreadable,
    SubscriptionDeleted,
}

/// How an attempt ended.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    Succeeded,
    HttpError,
    TimedOut,
    Unreachable,
    Blocked,
}

/// What a recovery goes through: deliveries that are summary, or messages.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RecoveryKind {
    Recover,
    Replay,
}

/// Where a recovery stands.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RecoveryStatus {
    Running,
    Stopping,
    Stopped,
    Succeeded,
    Failed,
}
