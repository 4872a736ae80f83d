//! Shows the statistics of a subscription or of a customer.
//!
//! The statistics of a customer are the sum of those of its subscriptions. So they do not include
//! deleted subscriptions.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;

use crate::ids::{CustomerId, SubscriptionId};
use crate::ports::{Clock, StatisticsTable, StoreError, SubscriptionTable};
use crate::statistics::{Hour, Statistics, Summary};

/// The largest number of subscriptions of a customer whose statistics are summed up.
pub const MAX_SUMMED: u32 = 100;
/// The longest period of [`ShowStatistics::last_day`].
const DAY: Duration = Duration::from_hours(24);
/// The number of subscriptions whose statistics are read concurrently.
const AT_ONCE: usize = 10;

/// The reason why statistics are not shown.
#[derive(Debug, thiserror::Error)]
pub enum StatisticsError {
    /// The customer has too many subscriptions.
    #[error(
        "customer `{customer}` has more than {MAX_SUMMED} subscriptions: read the statistics of \
         each subscription"
    )]
    TooManySubscriptions {
        /// The customer.
        customer: CustomerId,
    },
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The statistics, with their ports.
#[derive(Debug)]
pub struct ShowStatistics<T, C> {
    /// The subscriptions and their statistics.
    pub table: T,
    /// Tells the time.
    pub clock: C,
}

impl<T: SubscriptionTable + StatisticsTable, C: Clock> ShowStatistics<T, C> {
    /// The statistics of a subscription.
    pub async fn of_subscription(&self, id: &SubscriptionId) -> Result<Summary, StoreError> {
        let now = self.clock.now();
        let (first, last) = (Summary::first_hour(now), Hour::of(now));
        let hourly = self.table.statistics(id, first, last).await?;
        Ok(Summary::new(&hourly, now))
    }

    /// The statistics of a subscription over the last hour and day. Those of 7 days are incomplete.
    pub async fn last_day(&self, id: &SubscriptionId) -> Result<Summary, StoreError> {
        let now = self.clock.now();
        let (first, last) = (Hour::of(now - DAY), Hour::of(now));
        let hourly = self.table.statistics(id, first, last).await?;
        Ok(Summary::new(&hourly, now))
    }

    /// The sum of the statistics of a customer's subscriptions.
    pub async fn of_customer(&self, customer: &CustomerId) -> Result<Summary, StatisticsError> {
        let subscriptions = self.subscriptions(customer).await?;
        let now = self.clock.now();
        let (first, last) = (Summary::first_hour(now), Hour::of(now));
        let mut sums = BTreeMap::<Hour, Statistics>::new();
        for ids in subscriptions.chunks(AT_ONCE) {
            let reads = ids.iter().map(|id| self.table.statistics(id, first, last));
            for (hour, statistics) in try_join_all(reads).await?.into_iter().flatten() {
                *sums.entry(hour).or_default() += &statistics;
            }
        }
        Ok(Summary::new(&sums, now))
    }

    /// The customer's subscriptions, also those that cannot be read completely.
    async fn subscriptions(
        &self,
        customer: &CustomerId,
    ) -> Result<Vec<SubscriptionId>, StatisticsError> {
        let mut ids = Vec::new();
        loop {
            let after = ids.last();
            let page = self.table.page(customer, after, MAX_SUMMED + 1).await?;
            ids.extend(page.in_order().map(|(id, _)| id));
            if ids.len() > MAX_SUMMED as usize {
                let customer = customer.clone();
                return Err(StatisticsError::TooManySubscriptions { customer });
            }
            if !page.has_more {
                return Ok(ids);
            }
        }
    }
}
