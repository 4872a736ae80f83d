//! In-memory statistics of attempts.

use std::collections::BTreeMap;

use webhooks_domain::ids::SubscriptionId;
use webhooks_domain::ports::{StatisticsTable, StoreError};
use webhooks_domain::statistics::{Hour, Statistics};

use super::InMemoryBackend;

impl StatisticsTable for InMemoryBackend {
    async fn add_statistics(
        &self,
        subscription: &SubscriptionId,
        hour: Hour,
        statistics: &Statistics,
    ) -> Result<(), StoreError> {
        self.store(|state| {
            let stored = state.statistics.entry((*subscription, hour));
            *stored.or_default() += statistics;
        })
    }

    async fn statistics(
        &self,
        subscription: &SubscriptionId,
        first: Hour,
        last: Hour,
    ) -> Result<BTreeMap<Hour, Statistics>, StoreError> {
        self.store(|state| {
            let now = state.now();
            let range = (*subscription, first)..=(*subscription, last);
            let stored = state.statistics.range(range);
            let stored = stored.map(|((_, hour), statistics)| (*hour, statistics.clone()));
            stored.filter(|(hour, _)| hour.expires_at() > now).collect()
        })
    }
}
