//! What the API returns.
//!
//! A field that the API may leave out has a default here, so that a client reads the
//! answers of a stack that is a version older.

mod delivery;
mod message;
mod recovery;
mod subscription;

pub use delivery::{Attempt, AttemptOutcome, Delivery, DeliveryStatus};
pub use message::{Message, MessageSummary};
pub use recovery::{Recovery, RecoveryCount, RecoveryKind, RecoveryStatus};
pub use subscription::{
    ActiveSecret, ActiveSecrets, CreatedSubscription, RotatedSecret, SecretSummary, Subscription,
    SubscriptionStatus,
};

use serde::{Deserialize, Serialize};

/// One page of a list.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items of this page.
    pub data: Vec<T>,
    /// Where the next page starts. `None` on the last one.
    pub next_cursor: Option<String>,
}

/// Whether a filter takes an event.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FilterTest {
    /// It does.
    pub matches: bool,
}
