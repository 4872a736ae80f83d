//! In-memory usage of the portal.

use std::collections::BTreeMap;

use webhooks_domain::ids::CustomerId;
use webhooks_domain::portal_session::{LimitedAction, UtcDay};
use webhooks_domain::ports::{PortalUsageTable, StoreError, TakeOutcome, Taking};
use webhooks_domain::timestamp::Timestamp;

use super::InMemoryBackend;

/// The usage of a customer on one day.
#[derive(Default)]
pub(super) struct Usage {
    counts: BTreeMap<LimitedAction, u32>,
    exclusive_until: BTreeMap<LimitedAction, Timestamp>,
}

impl PortalUsageTable for InMemoryBackend {
    async fn take(
        &self,
        customer: &CustomerId,
        taking: &Taking,
    ) -> Result<TakeOutcome, StoreError> {
        self.store(|state| {
            let key = (customer.clone(), taking.day);
            let usage = state.portal_usage.entry(key).or_default();
            let used = usage.counts.entry(taking.action).or_default();
            if *used >= taking.max {
                return TakeOutcome::UsedUp;
            }
            if let Some(exclusive_until) = taking.exclusive_until {
                let other = usage.exclusive_until.get(&taking.action);
                if let Some(until) = other.filter(|until| **until > taking.now) {
                    return TakeOutcome::Busy { until: *until };
                }
                usage.exclusive_until.insert(taking.action, exclusive_until);
            }
            *used += 1;
            TakeOutcome::Taken
        })
    }

    async fn release(
        &self,
        customer: &CustomerId,
        day: UtcDay,
        action: LimitedAction,
        exclusive_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.store(|state| {
            let usage = state.portal_usage.get_mut(&(customer.clone(), day));
            if let Some(usage) = usage
                && usage.exclusive_until.get(&action) == Some(&exclusive_until)
            {
                usage.exclusive_until.remove(&action);
            }
        })
    }
}
