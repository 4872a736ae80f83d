//! Unhealthy subscriptions.

use serde::{Deserialize, Serialize};

use crate::{DisabledReason, SubscriptionStatus};

/// A kind of problem of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ProblemKind {
    /// The system has disabled it.
    Disabled,
    /// The circuit breaker of its endpoint is open.
    CircuitOpen,
    /// Every attempt fails.
    Failing,
    /// Attempts take so long that deliveries go through the slow queue.
    Slow,
    /// Deliveries are held because the endpoint is unavailable, or a recovery is about to send them.
    Holding,
}

/// A problem of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubscriptionProblem {
    /// Its kind.
    pub kind: ProblemKind,
    /// The time since which the subscription has it.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub since: String,
}

/// The number of deliveries that a subscription is owed: held, or pending after a failed attempt
/// or a resend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwedDeliveries {
    /// The number, counted among the 50 newest undelivered deliveries.
    pub count: u32,
    /// True if this is the whole number. False if there may be more.
    pub complete: bool,
}

/// A subscription with a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnhealthySubscription {
    /// The subscription's id.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "sub_70e79b2df96dcca5a0a362236c8d86f4")
    )]
    pub id: String,
    /// Its customer.
    #[cfg_attr(feature = "openapi", schema(example = "cust_1001"))]
    pub customer_id: String,
    /// The URL of its endpoint.
    #[cfg_attr(feature = "openapi", schema(example = "https://example.com/webhooks"))]
    pub url: String,
    /// Its status.
    pub status: SubscriptionStatus,
    /// The reason why the system has disabled it, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<DisabledReason>,
    /// The time since which it has one of its problems.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub since: String,
    /// Its problems, at least one, the most serious first.
    pub problems: Vec<SubscriptionProblem>,
    /// The deliveries that it is owed.
    pub owed: OwedDeliveries,
}
