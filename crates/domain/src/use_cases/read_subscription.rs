//! Reads a subscription that must be readable completely.

use crate::ids::{CustomerId, SubscriptionId};
use crate::ports::{StoreError, SubscriptionTable};
use crate::subscription::{BrokenSubscription, Subscription};

/// The reason why a subscription was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be read completely.
    #[error("{0}")]
    Broken(Box<BrokenSubscription>),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads a subscription, consistently. An unreadable one is an error with its problems.
pub async fn read_subscription(
    table: &impl SubscriptionTable,
    customer: &CustomerId,
    id: &SubscriptionId,
) -> Result<Option<Subscription>, ReadError> {
    match table.get(customer, id).await {
        Ok(found) => Ok(found.map(Subscription::with_readable_filter).transpose()?),
        Err(unreadable @ StoreError::Corrupt { .. }) => {
            Err(match table.broken(customer, id).await? {
                Some(broken) => ReadError::Broken(Box::new(broken)),
                None => unreadable.into(),
            })
        }
        Err(failure) => Err(failure.into()),
    }
}

impl From<Box<BrokenSubscription>> for ReadError {
    fn from(broken: Box<BrokenSubscription>) -> Self {
        Self::Broken(broken)
    }
}
