//! In-memory subscriptions.

use std::ops::Bound;

use webhooks_domain::customer::Customer;
use webhooks_domain::health::Health;
use webhooks_domain::idempotency::{IdempotencyKey, IdempotencyRecord};
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::paging::EntryPage;
use webhooks_domain::ports::{
    Creation, CreationOutcome, HealthFate, HoldEntry, HoldIndex, Replacement, ReplacementOutcome,
    StoreError, SubscriptionStore, SubscriptionTable, UnhealthyIndex, WriteOutcome,
};
use webhooks_domain::quota::{CountedUsage, Quota, Usage};
use webhooks_domain::subscription::{
    BrokenSubscription, CertificateWarned, Disabled, DisabledReason, FormerRequests, Subscription,
    SubscriptionPage, SubscriptionStatus, UnhealthyPlace,
};
use webhooks_domain::timestamp::Timestamp;

use super::{InMemoryBackend, State};
use crate::samples;

impl SubscriptionTable for InMemoryBackend {
    async fn get(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<Option<Subscription>, StoreError> {
        let key = (customer.clone(), *id);
        let (found, problems) = self.store(|state| {
            let problems = state.broken.get(&key).cloned();
            (state.subscriptions.get(&key).cloned(), problems)
        })?;
        match problems {
            None => Ok(found),
            Some(problems) => Err(StoreError::Corrupt {
                key: id.to_string(),
                problem: format!("{problems:?}"),
            }),
        }
    }

    async fn broken(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<Option<BrokenSubscription>, StoreError> {
        let key = (customer.clone(), *id);
        self.store(|state| {
            Some(BrokenSubscription {
                problems: state.broken.get(&key)?.clone(),
                readable: state.subscriptions.get(&key)?.clone(),
            })
        })
    }

    async fn page(
        &self,
        customer: &CustomerId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<SubscriptionPage, StoreError> {
        let all = samples::all_subscriptions_of(customer);
        let start = match after {
            Some(id) => Bound::Excluded((customer.clone(), *id)),
            None => Bound::Included(all.0),
        };
        self.store(|state| {
            let mut range = state.subscriptions.range((start, Bound::Included(all.1)));
            let (mut subscriptions, mut broken) = (Vec::new(), Vec::new());
            for (key, found) in range.by_ref().take(limit as usize) {
                match state.broken.get(key) {
                    None => subscriptions.push(found.clone()),
                    Some(problems) => broken.push(BrokenSubscription {
                        readable: found.clone(),
                        problems: problems.clone(),
                    }),
                }
            }
            SubscriptionPage {
                subscriptions,
                broken,
                unnamed: Vec::new(),
                has_more: range.next().is_some(),
            }
        })
    }

    async fn change_health(
        &self,
        read: &Subscription,
        health: &Health,
    ) -> Result<WriteOutcome, StoreError> {
        let meanwhile = self.state().before_health_change.take();
        if let Some(meanwhile) = meanwhile {
            meanwhile(self);
        }
        let key = (read.customer_id.clone(), read.id);
        self.store(|state| match state.subscriptions.get_mut(&key) {
            Some(stored)
                if stored.health == read.health
                    && stored.url == read.url
                    && stored.status != SubscriptionStatus::Disabled =>
            {
                stored.health = *health;
                WriteOutcome::Written
            }
            _ => WriteOutcome::Conflict,
        })
    }

    async fn disable(
        &self,
        read: &Subscription,
        reason: DisabledReason,
        now: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        let key = (read.customer_id.clone(), read.id);
        self.store(|state| match state.subscriptions.get_mut(&key) {
            Some(stored) if stored.version == read.version && stored.health == read.health => {
                stored.status = SubscriptionStatus::Disabled;
                stored.disabled = Some(Disabled { reason, at: now });
                stored.disabled_warned_at = Some(read.disabled_warned_after(now));
                stored.updated_at = now;
                stored.version += 1;
                WriteOutcome::Written
            }
            _ => WriteOutcome::Conflict,
        })
    }

    async fn note_certificate_warning(
        &self,
        read: &Subscription,
        warned: CertificateWarned,
    ) -> Result<WriteOutcome, StoreError> {
        let key = (read.customer_id.clone(), read.id);
        self.store(|state| match state.subscriptions.get_mut(&key) {
            Some(stored)
                if stored.version == read.version
                    && stored.certificate_warned == read.certificate_warned =>
            {
                stored.certificate_warned = Some(warned);
                WriteOutcome::Written
            }
            _ => WriteOutcome::Conflict,
        })
    }
}

impl UnhealthyIndex for InMemoryBackend {
    async fn unhealthy(
        &self,
        after: Option<&UnhealthyPlace>,
        limit: u32,
    ) -> Result<EntryPage<UnhealthyPlace>, StoreError> {
        self.store(|state| {
            let unhealthy = state
                .subscriptions
                .values()
                .filter(|found| found.is_unhealthy());
            let places = unhealthy.map(Subscription::unhealthy_place);
            let mut entries: Vec<_> = places
                .filter(|place| after.is_none_or(|after| place > after))
                .collect();
            entries.sort();
            let has_more = entries.len() > limit as usize;
            entries.truncate(limit as usize);
            EntryPage { entries, has_more }
        })
    }
}

impl HoldIndex for InMemoryBackend {
    async fn holding(
        &self,
        until: Timestamp,
        after: Option<&HoldEntry>,
        limit: u32,
    ) -> Result<EntryPage<HoldEntry>, StoreError> {
        self.store(|state| {
            let mut entries: Vec<_> = state
                .holds()
                .filter(|entry| entry.check_at <= until)
                .filter(|entry| after.is_none_or(|after| entry > after))
                .collect();
            entries.sort();
            let has_more = entries.len() > limit as usize;
            entries.truncate(limit as usize);
            EntryPage { entries, has_more }
        })
    }
}

impl SubscriptionStore for InMemoryBackend {
    async fn insert(&self, creation: &Creation<'_>) -> Result<CreationOutcome, StoreError> {
        self.store(|state| state.create(creation))
    }

    async fn idempotency_record(
        &self,
        customer: &CustomerId,
        key: &IdempotencyKey,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.store(|state| {
            let now = state.now.unwrap_or(samples::NOW);
            let found = state.idempotency.get(&(customer.clone(), key.clone()));
            found.filter(|found| found.expires_at > now).cloned()
        })
    }

    async fn replace(
        &self,
        replacement: &Replacement<'_>,
    ) -> Result<ReplacementOutcome, StoreError> {
        let &Replacement { read, changed, .. } = replacement;
        let key = (read.customer_id.clone(), read.id);
        self.store(|state| {
            let Some(stored) = state.subscriptions.get_mut(&key) else {
                return ReplacementOutcome::Conflict;
            };
            let health = match replacement.health {
                HealthFate::Kept => stored.health,
                HealthFate::Replaced => changed.health,
            };
            let changed = Subscription {
                health,
                ..changed.clone()
            };
            if *stored == changed {
                return ReplacementOutcome::Written;
            }
            if stored.version != read.version {
                return ReplacementOutcome::Conflict;
            }
            let usage = state.usage.entry(key.0.clone()).or_default();
            let growth = Usage::of(&changed) - Usage::of(read);
            let counted = counted(*usage, state.customers.get(&key.0));
            if growth != Usage::default() && is_refused(counted, replacement.quota, growth) {
                return ReplacementOutcome::Refused(counted);
            }
            *usage = *usage + growth;
            *stored = changed;
            state.broken.remove(&key);
            state.keep_former(replacement.former);
            ReplacementOutcome::Written
        })
    }

    async fn remove(
        &self,
        read: &Subscription,
        former: Option<&FormerRequests>,
    ) -> Result<WriteOutcome, StoreError> {
        let key = (read.customer_id.clone(), read.id);
        self.store(|state| match state.subscriptions.get(&key) {
            Some(stored) if stored.version == read.version => {
                state.subscriptions.remove(&key);
                state.broken.remove(&key);
                state.keep_former(former);
                state.token_records.remove(&key);
                let usage = state.usage.entry(key.0).or_default();
                *usage = *usage - Usage::of(read);
                WriteOutcome::Written
            }
            _ => WriteOutcome::Conflict,
        })
    }

    async fn correct_usage(
        &self,
        customer: &CustomerId,
        counted: Usage,
        actual: Usage,
    ) -> Result<WriteOutcome, StoreError> {
        self.store(|state| {
            let usage = state.usage.entry(customer.clone()).or_default();
            if *usage != counted {
                return WriteOutcome::Conflict;
            }
            *usage = actual;
            WriteOutcome::Written
        })
    }
}

fn counted(usage: Usage, customer: Option<&Customer>) -> CountedUsage {
    CountedUsage {
        usage,
        max_subscriptions: customer.and_then(|customer| customer.max_subscriptions),
        is_being_deleted: customer.is_some_and(|customer| customer.deletion.is_some()),
    }
}

fn is_refused(counted: CountedUsage, quota: Quota, growth: Usage) -> bool {
    let quota = quota.with_own(counted.max_subscriptions);
    counted.is_being_deleted || !quota.has_room(counted.usage, growth)
}

impl State {
    /// The active subscriptions whose deliveries are held.
    pub(super) fn holds(&self) -> impl Iterator<Item = HoldEntry> {
        let active = self
            .subscriptions
            .values()
            .filter(|found| found.status == SubscriptionStatus::Active);
        active.filter_map(|found| {
            Some(HoldEntry {
                check_at: found.health.hold?.check_at,
                customer: found.customer_id.clone(),
                subscription: found.id,
            })
        })
    }

    /// Returns true if a delivery awaits the endpoint, or its circuit breaker has closed.
    pub(super) fn has_work(&self, entry: &HoldEntry) -> bool {
        let key = (entry.customer.clone(), entry.subscription);
        let is_open = self.subscriptions[&key].health.circuit.is_some();
        let mut deliveries = self.deliveries.values();
        !is_open
            || deliveries.any(|delivery| {
                delivery.id.subscription == entry.subscription && delivery.awaits_endpoint()
            })
    }

    fn create(&mut self, creation: &Creation<'_>) -> CreationOutcome {
        let subscription = creation.subscription;
        let now = self.now.unwrap_or(samples::NOW);
        let customer = subscription.customer_id.clone();
        if let Some(record) = creation.record {
            let key = (customer.clone(), record.key.clone());
            if let Some(found) = self.idempotency.get(&key)
                && found.expires_at > now
                && Some(found.subscription) != creation.deleted
            {
                return CreationOutcome::KeyInUse(found.clone());
            }
        }
        let key = (customer.clone(), subscription.id);
        if self.subscriptions.contains_key(&key) {
            return CreationOutcome::AlreadyThere;
        }
        let usage = self.usage.entry(customer.clone()).or_default();
        let growth = Usage::of(subscription);
        let counted = counted(*usage, self.customers.get(&customer));
        if is_refused(counted, creation.quota, growth) {
            return CreationOutcome::Refused(counted);
        }
        *usage = *usage + growth;
        self.make_known(&customer);
        self.subscriptions.insert(key, subscription.clone());
        if let Some(record) = creation.record {
            let key = (customer, record.key.clone());
            self.idempotency.insert(key, record.clone());
        }
        CreationOutcome::Created
    }
}
