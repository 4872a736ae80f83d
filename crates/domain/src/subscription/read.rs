//! Reading a subscription that has to be whole.

use super::{BrokenSubscription, Subscription};
use crate::ids::{CustomerId, SubscriptionId};
use crate::manage::FieldError;
use crate::ports::{StoreError, SubscriptionStore};

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
pub async fn read(
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

impl Subscription {
    /// The subscription, if its filter is one that can be evaluated. One that was stored under
    /// other rules may not be, and nothing is sent to a subscription with it.
    ///
    /// # Errors
    /// The subscription as a broken one.
    pub fn with_readable_filter(self) -> Result<Self, Box<BrokenSubscription>> {
        let problem = self.filter.as_ref().map(|filter| filter.matches("{}"));
        match problem {
            Some(Err(problem)) => Err(Box::new(BrokenSubscription {
                readable: self,
                problems: vec![FieldError::new("filter", problem)],
            })),
            Some(Ok(_)) | None => Ok(self),
        }
    }
}
