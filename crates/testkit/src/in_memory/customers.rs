//! In-memory customers.

use std::ops::Bound;

use webhooks_domain::broken::Readable;
use webhooks_domain::customer::Customer;
use webhooks_domain::ids::CustomerId;
use webhooks_domain::paging::EntryPage;
use webhooks_domain::ports::{CustomerTable, StoreError, WriteOutcome};

use super::{InMemoryBackend, State};
use crate::samples;

impl CustomerTable for InMemoryBackend {
    async fn customer(&self, id: &CustomerId) -> Result<Option<Customer>, StoreError> {
        self.store(|state| {
            let found = state.customers.get(id)?;
            Some(state.with_usage(found))
        })
    }

    async fn customers(
        &self,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> Result<EntryPage<Readable<Customer, CustomerId>>, StoreError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.store(|state| {
            let mut rest = state
                .customers
                .range::<CustomerId, _>((start, Bound::Unbounded));
            let page = rest.by_ref().take(limit as usize);
            let entries = page.map(|(_, found)| Ok(state.with_usage(found)));
            EntryPage {
                entries: entries.collect(),
                has_more: rest.next().is_some(),
            }
        })
    }

    async fn write_customer(
        &self,
        read: Option<&Customer>,
        changed: &Customer,
    ) -> Result<WriteOutcome, StoreError> {
        self.store(|state| {
            let stored = state.customers.get(&changed.id);
            if stored.map(|stored| stored.version) != read.map(|read| read.version) {
                return WriteOutcome::Conflict;
            }
            let created_at = stored.map_or(changed.created_at, |stored| stored.created_at);
            let written = Customer {
                created_at,
                ..changed.clone()
            };
            state.customers.insert(changed.id.clone(), written);
            WriteOutcome::Written
        })
    }
}

impl State {
    fn with_usage(&self, customer: &Customer) -> Customer {
        Customer {
            usage: self.usage.get(&customer.id).copied().unwrap_or_default(),
            ..customer.clone()
        }
    }

    /// Creates a customer with its first subscription.
    pub(super) fn make_known(&mut self, id: &CustomerId) {
        let now = self.now.unwrap_or(samples::NOW);
        let customer = self.customers.entry(id.clone());
        customer.or_insert_with(|| Customer {
            version: 1,
            ..Customer::unwritten(id, now)
        });
    }
}
