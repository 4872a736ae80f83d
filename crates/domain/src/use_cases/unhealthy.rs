//! Lists the unhealthy subscriptions, with the deliveries that each is owed.
//!
//! The index of unhealthy subscriptions has those of all customers. A customer's own list reads its
//! subscriptions instead, of which there are few. A filter is applied to entries that were already
//! read. So each page reads a bounded number of entries, and may be short, or even empty, while
//! there are more.

use futures_util::future::try_join_all;

use crate::broken::Readable;
use crate::delivery::{Delivery, DeliveryStatus};
use crate::ids::{CustomerId, DeliveryId, SubscriptionId};
use crate::lists::Listed;
use crate::paging::Window;
use crate::ports::{Directory, StoreError, SubscriptionTable, UnhealthyIndex};
use crate::read_subscription::{ReadError, read_subscription};
use crate::subscription::{
    BrokenSubscription, ProblemKind, Subscription, SubscriptionProblem, UnhealthyPlace,
};

/// The largest number of undelivered deliveries of a subscription that are read, to count those that
/// are owed.
pub const MAX_COUNTED: u32 = 50;
/// The number of subscriptions that a page of a customer's list reads.
pub const MAX_READ: u32 = 200;
/// The number of subscriptions whose deliveries are read concurrently.
const AT_ONCE: usize = 10;

/// The number of deliveries that a subscription is owed: those that are held, or pending after a
/// failed attempt or a resend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwedDeliveries {
    /// The number.
    pub count: u32,
    /// True if this is the whole number. False if there may be more.
    pub complete: bool,
}

/// An unhealthy subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unhealthy {
    /// The subscription.
    pub subscription: Subscription,
    /// Its problems, at least one, the most serious first.
    pub problems: Vec<SubscriptionProblem>,
    /// The deliveries that it is owed.
    pub owed: OwedDeliveries,
}

/// An entry of the list. A subscription that cannot be read completely is listed whatever its
/// problems are.
pub type ListedUnhealthy = Result<Unhealthy, Box<BrokenSubscription>>;

/// The lists of unhealthy subscriptions, with their port.
#[derive(Debug)]
pub struct UnhealthyLists<T> {
    /// The subscriptions, the index, and the deliveries.
    pub table: T,
    /// The number of undelivered deliveries of each subscription that are read, at most
    /// [`MAX_COUNTED`].
    pub counted: u32,
}

impl<T: SubscriptionTable + UnhealthyIndex + Directory> UnhealthyLists<T> {
    /// Lists the unhealthy subscriptions of all customers, in the order of their creation, with
    /// this kind of problem or with any.
    pub async fn all(
        &self,
        kind: Option<ProblemKind>,
        after: Option<&UnhealthyPlace>,
        limit: u32,
    ) -> Result<Listed<ListedUnhealthy, UnhealthyPlace>, StoreError> {
        let page = self.table.unhealthy(after, limit).await?;
        let mut found = Vec::new();
        for entries in page.entries.chunks(AT_ONCE) {
            let reads = entries.iter().map(async |entry| {
                let read = read_subscription(&self.table, &entry.customer, &entry.subscription);
                match read.await {
                    Ok(Some(subscription)) => self.listed(subscription, kind).await,
                    // It was deleted meanwhile.
                    Ok(None) => Ok(None),
                    Err(ReadError::Broken(broken)) => Ok(Some(Err(broken))),
                    Err(ReadError::Store(failure)) => Err(failure),
                }
            });
            found.extend(try_join_all(reads).await?.into_iter().flatten());
        }
        let next = page.entries.into_iter().next_back();
        Ok(Listed {
            found,
            next: next.filter(|_| page.has_more),
        })
    }

    /// Lists the unhealthy subscriptions of a customer, in the order of their ids.
    pub async fn of_customer(
        &self,
        customer: &CustomerId,
        kind: Option<ProblemKind>,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<Listed<ListedUnhealthy, SubscriptionId>, StoreError> {
        let page = self.table.page(customer, after, MAX_READ).await?;
        let (mut wanted, mut next, mut has_more) = (Vec::new(), None, page.has_more);
        for (id, read) in page.in_order() {
            if wanted.len() >= limit as usize {
                has_more = true;
                break;
            }
            next = Some(id);
            let read = read.cloned().map_err(|broken| Box::new(broken.clone()));
            let read = read.and_then(Subscription::with_readable_filter);
            let is_wanted = |read: &Subscription| is_wanted(&read.problems(), kind);
            if read.as_ref().map_or(true, is_wanted) {
                wanted.push(read);
            }
        }
        let mut found = Vec::new();
        for read in wanted.chunks(AT_ONCE) {
            let listed = read.iter().map(async |read| match read {
                Ok(subscription) => self.listed(subscription.clone(), kind).await,
                Err(broken) => Ok(Some(Err(broken.clone()))),
            });
            found.extend(try_join_all(listed).await?.into_iter().flatten());
        }
        Ok(Listed {
            found,
            next: next.filter(|_| has_more),
        })
    }

    /// A subscription as it is listed. `None` if it has no such problem by now.
    async fn listed(
        &self,
        subscription: Subscription,
        kind: Option<ProblemKind>,
    ) -> Result<Option<ListedUnhealthy>, StoreError> {
        let problems = subscription.problems();
        if !is_wanted(&problems, kind) {
            return Ok(None);
        }
        let owed = self.owed(&subscription.id).await?;
        Ok(Some(Ok(Unhealthy {
            subscription,
            problems,
            owed,
        })))
    }

    /// Counts the deliveries that a subscription is owed, among its newest undelivered ones.
    async fn owed(&self, subscription: &SubscriptionId) -> Result<OwedDeliveries, StoreError> {
        let newest = Window::newest(self.counted.min(MAX_COUNTED));
        let page = self.table.undelivered_of(subscription, &newest).await?;
        let ids: Vec<_> = page.entries.iter().map(|entry| entry.id).collect();
        let read = self.table.read_deliveries(&ids).await?;
        let owed = read.iter().filter(|delivery| is_owed(delivery)).count();
        Ok(OwedDeliveries {
            count: u32::try_from(owed).unwrap_or(u32::MAX),
            complete: !page.has_more,
        })
    }
}

fn is_wanted(problems: &[SubscriptionProblem], kind: Option<ProblemKind>) -> bool {
    problems
        .iter()
        .any(|problem| kind.is_none_or(|kind| problem.kind == kind))
}

fn is_owed(delivery: &Readable<Delivery, DeliveryId>) -> bool {
    let status = delivery.as_ref().map(|delivery| delivery.status);
    matches!(
        status,
        Ok(DeliveryStatus::Pending | DeliveryStatus::Held(_))
    )
}
