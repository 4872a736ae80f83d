//! Reads a subscription that must be readable completely, and lists subscriptions.

use crate::ids::{CustomerId, SubscriptionId};
use crate::ports::{StoreError, SubscriptionTable};
use crate::subscription::{BrokenSubscription, Subscription, SubscriptionPage};

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

/// Lists a page of a customer's subscriptions.
pub async fn list_subscriptions(
    table: &impl SubscriptionTable,
    customer: &CustomerId,
    after: Option<&SubscriptionId>,
    limit: u32,
) -> Result<SubscriptionPage, StoreError> {
    let mut page = table.page(customer, after, limit).await?;
    let read = std::mem::take(&mut page.subscriptions).into_iter();
    for subscription in read.map(Subscription::with_readable_filter) {
        match subscription {
            Ok(whole) => page.subscriptions.push(whole),
            Err(broken) => page.broken.push(*broken),
        }
    }
    Ok(page)
}

impl From<Box<BrokenSubscription>> for ReadError {
    fn from(broken: Box<BrokenSubscription>) -> Self {
        Self::Broken(broken)
    }
}
