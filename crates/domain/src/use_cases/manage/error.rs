//! Failures of a request that manages a subscription.

use crate::fields::FieldError;
use crate::ids::{CustomerId, SubscriptionId};
use crate::manage::ExpectedVersion;
use crate::ports::StoreError;
use crate::quota::Quota;
use crate::read_subscription::ReadError;
use crate::subscription::BrokenSubscription;
use crate::vault::VaultError;

/// The reason why a subscription could not be managed.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    /// A field of the request is missing or not valid.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The customer has no such subscription.
    #[error("customer `{customer}` has no subscription `{subscription}`")]
    NotFound {
        /// The customer.
        customer: CustomerId,
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// There was a concurrent change.
    #[error("subscription `{subscription}` was changed at the same time: read it and try again")]
    Conflict {
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// It does not have the version that the request requires.
    #[error("subscription `{subscription}` has another version by now: read it and try again")]
    AnotherVersion {
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// The idempotency key was used with another body.
    #[error("the key was used with another body, which created subscription `{subscription}`")]
    KeyReused {
        /// The subscription that it created.
        subscription: SubscriptionId,
    },
    /// The customer has as many subscriptions as it may have.
    #[error("customer `{customer}` has {max} subscriptions, its maximum")]
    TooMany {
        /// The customer.
        customer: CustomerId,
        /// The quota.
        max: u32,
    },
    /// The customer's subscriptions together would be too large.
    #[error(
        "the subscriptions of customer `{customer}` would take more than {max} bytes together",
        max = Quota::MAX_BYTES
    )]
    TooLargeTogether {
        /// The customer.
        customer: CustomerId,
    },
    /// The customer is being deleted.
    #[error("customer `{customer}` is being deleted: try again when it does not exist any more")]
    CustomerDeleted {
        /// The customer.
        customer: CustomerId,
    },
    /// The subscription cannot be read completely.
    #[error("{0}")]
    Broken(Box<BrokenSubscription>),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret could not be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<ReadError> for ManageError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Broken(broken) => Self::Broken(broken),
            ReadError::Store(error) => error.into(),
        }
    }
}

/// The error after a concurrent change. If the request expects a version, the subscription has
/// another one by now.
pub(super) fn conflict(subscription: SubscriptionId, expected: &ExpectedVersion) -> ManageError {
    match expected {
        ExpectedVersion::Any | ExpectedVersion::Existing => ManageError::Conflict { subscription },
        ExpectedVersion::OneOf(_) => ManageError::AnotherVersion { subscription },
    }
}
