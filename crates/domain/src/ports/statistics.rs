//! The table's statistics of attempts.

use std::collections::BTreeMap;
use std::future::Future;

use super::StoreError;
use crate::ids::SubscriptionId;
use crate::statistics::{Hour, Statistics};

/// The statistics of attempts, for each subscription and hour.
pub trait StatisticsTable {
    /// Adds to the statistics of an hour. A repetition adds once more.
    fn add_statistics(
        &self,
        subscription: &SubscriptionId,
        hour: Hour,
        statistics: &Statistics,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Reads the statistics from the first to the last hour, both included. Hours without attempts
    /// are absent. Eventually consistent.
    fn statistics(
        &self,
        subscription: &SubscriptionId,
        first: Hour,
        last: Hour,
    ) -> impl Future<Output = Result<BTreeMap<Hour, Statistics>, StoreError>> + Send;
}
