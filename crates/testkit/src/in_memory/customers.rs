//! In-memory customers.

use std::ops::Bound;

use webhooks_domain::broken::Readable;
use webhooks_domain::customer::{Customer, Deletion};
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::limits::{CustomerLimit, LimiterId};
use webhooks_domain::paging::EntryPage;
use webhooks_domain::ports::{CustomerData, CustomerPart, CustomerTable, StoreError, WriteOutcome};
use webhooks_domain::timestamp::Timestamp;

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
            if read.and_then(|read| read.rate_limit) != changed.rate_limit {
                state.set_limit(changed);
            }
            state.customers.insert(changed.id.clone(), written);
            WriteOutcome::Written
        })
    }

    async fn request_deletion(
        &self,
        read: &Customer,
        at: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        self.store(|state| match state.customers.get_mut(&read.id) {
            Some(stored) if stored.version == read.version => {
                stored.version += 1;
                stored.deletion = Some(Deletion {
                    requested_at: at,
                    deleted: 0,
                });
                WriteOutcome::Written
            }
            _ => WriteOutcome::Conflict,
        })
    }
}

impl CustomerData for InMemoryBackend {
    async fn being_deleted(&self) -> Result<Vec<CustomerId>, StoreError> {
        self.store(|state| {
            let customers = state.customers.values();
            let mut requests: Vec<_> = customers
                .filter_map(|found| Some((found.deletion?.requested_at, found.id.clone())))
                .collect();
            requests.sort();
            requests.into_iter().map(|(_, id)| id).collect()
        })
    }

    async fn deletion(
        &self,
        id: &CustomerId,
    ) -> Result<Option<(Deletion, Vec<SubscriptionId>)>, StoreError> {
        self.store(|state| {
            let deletion = state.customers.get(id)?.deletion?;
            let noted = state.deleted_subscriptions.get(id).cloned();
            Some((deletion, noted.into_iter().flatten().collect()))
        })
    }

    async fn delete_some(&self, id: &CustomerId, part: CustomerPart) -> Result<u64, StoreError> {
        self.store(|state| state.delete_one(id, part).map_or(0, |()| 1))
    }

    async fn count_deleted(&self, id: &CustomerId, deleted: u64) -> Result<(), StoreError> {
        self.store(|state| {
            let customer = state.customers.get_mut(id);
            if let Some(deletion) = customer.and_then(|found| found.deletion.as_mut()) {
                deletion.deleted += deleted;
            }
        })
    }

    async fn forget(
        &self,
        id: &CustomerId,
        deletion: &Deletion,
    ) -> Result<WriteOutcome, StoreError> {
        self.store(|state| {
            let stored = state.customers.get(id).and_then(|found| found.deletion);
            if stored.map(|stored| stored.requested_at) != Some(deletion.requested_at) {
                return WriteOutcome::Conflict;
            }
            state.customers.remove(id);
            state.usage.remove(id);
            state.deleted_subscriptions.remove(id);
            WriteOutcome::Written
        })
    }
}

impl State {
    /// Deletes one item of a part, if there is one.
    fn delete_one(&mut self, id: &CustomerId, part: CustomerPart) -> Option<()> {
        match part {
            CustomerPart::Subscriptions => {
                if self.customer_limits.remove(id).is_some() {
                    return Some(());
                }
                if self
                    .limiters
                    .remove(&LimiterId::Customer(id.clone()))
                    .is_some()
                {
                    return Some(());
                }
                let mut tokens = self.token_records.keys();
                if let Some(token) = tokens.find(|(customer, _)| customer == id).cloned() {
                    self.token_records.remove(&token);
                    return Some(());
                }
                let mut keys = self.subscriptions.keys();
                let key = keys.find(|(customer, _)| customer == id).cloned();
                let mut former = self.former_requests.keys();
                let former = former.find(|(customer, ..)| customer == id).cloned();
                let subscription = key.as_ref().map(|(_, subscription)| *subscription);
                let subscription = subscription.or(former.as_ref().map(|former| former.1))?;
                let noted = self.deleted_subscriptions.entry(id.clone()).or_default();
                noted.insert(subscription);
                if let Some(key) = key {
                    self.broken.remove(&key);
                    self.subscriptions.remove(&key);
                } else if let Some(former) = former {
                    self.former_requests.remove(&former);
                }
            }
            CustomerPart::OfSubscription(subscription) => {
                let mut bodies = self.bodies.keys();
                let body = bodies.find(|id| id.delivery.subscription == subscription);
                if let Some(body) = body.copied() {
                    self.bodies.remove(&body);
                } else if self
                    .limiters
                    .remove(&LimiterId::Subscription(subscription))
                    .is_none()
                {
                    let mut keys = self.statistics.keys();
                    let key = *keys.find(|(of, _)| *of == subscription)?;
                    self.statistics.remove(&key);
                }
            }
            CustomerPart::Recoveries => {
                let mut keys = self.recoveries.keys();
                let key = keys.find(|key| key.customer == *id)?.clone();
                self.recoveries.remove(&key);
            }
            CustomerPart::IdempotencyKeys => {
                let mut keys = self.idempotency.keys();
                let key = keys.find(|(customer, _)| customer == id)?.clone();
                self.idempotency.remove(&key);
            }
            CustomerPart::PortalSessions => {
                let mut days = self.portal_usage.keys();
                if let Some(day) = days.find(|(customer, _)| customer == id).cloned() {
                    self.portal_usage.remove(&day);
                    return Some(());
                }
                let mut keys = self.portal_sessions.keys();
                let key = keys
                    .find(|(audience, _)| audience.customer() == Some(id))?
                    .clone();
                self.portal_sessions.remove(&key);
            }
            CustomerPart::Messages => {
                let mut messages = self.messages.iter();
                let (message, _) =
                    messages.find(|(_, record)| record.message.customer_id == *id)?;
                let message = *message;
                self.messages.remove(&message);
                self.deliveries.retain(|id, _| id.message != message);
                self.due.retain(|id, _| id.message != message);
                self.undelivered.retain(|id| id.message != message);
            }
        }
        Some(())
    }

    fn set_limit(&mut self, changed: &Customer) {
        match changed.rate_limit {
            Some(rate) => {
                let version = changed.version;
                let limit = CustomerLimit { rate, version };
                self.customer_limits.insert(changed.id.clone(), limit);
            }
            None => {
                self.customer_limits.remove(&changed.id);
            }
        }
    }

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
