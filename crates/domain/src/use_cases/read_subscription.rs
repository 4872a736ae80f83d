//! Reading a subscription that has to be whole.

use crate::ids::{CustomerId, SubscriptionId};
use crate::ports::{StoreError, SubscriptionStore};
use crate::subscription::{BrokenSubscription, Subscription};

/// Why a subscription was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not everything of it can be read.
    #[error("{0}")]
    Broken(Box<BrokenSubscription>),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads a subscription, consistently. One that is broken is an error that says so.
pub async fn read_subscription(
    table: &impl SubscriptionStore,
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
