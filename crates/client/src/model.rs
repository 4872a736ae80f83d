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

use std::fmt;

use serde::{Deserialize, Serialize};

/// One page of a list.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items of this page.
    pub data: Vec<T>,
    /// Where the next page starts. `None` on the last one.
    pub next_cursor: Option<String>,
    /// Those of which not everything can be read. They hide no others.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Broken>,
}

/// What can be read of something that is stored in a form that cannot be read.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Broken {
    /// Which subscription, message, delivery or recovery.
    pub id: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// What cannot be read, and why.
    pub problem: String,
    /// Of a subscription: where deliveries would be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of a subscription: its status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<SubscriptionStatus>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, problem, .. } = self;
        write!(
            f,
            "`{id}` is stored in a form that cannot be read: {problem}"
        )
    }
}

/// Whether a filter takes an event.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FilterTest {
    /// It does.
    pub matches: bool,
}
