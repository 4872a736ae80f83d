//! The management of subscriptions on an in-memory backend.

use std::time::Duration;

use futures_util::FutureExt;
use ring::rand::SystemRandom;
use webhooks_domain::manage::{
    EventTypeRule, ExpectedVersion, Manage, ManageError, UnknownTypes, Updated,
};
use webhooks_domain::subscription::Subscription;
use webhooks_domain::vault::Vault;

use crate::changes::change;
use crate::{InMemoryBackend, samples};

/// The management of subscriptions on an in-memory backend.
pub type InMemoryManage = Manage<
    InMemoryBackend,
    Vault<InMemoryBackend, InMemoryBackend, InMemoryBackend>,
    InMemoryBackend,
>;

impl InMemoryBackend {
    /// The management of this backend's subscriptions, with the default parameters of a stack.
    pub fn manage(&self) -> InMemoryManage {
        Manage {
            table: self.clone(),
            vault: Vault::new(self.clone(), self.clone(), self.clone()),
            clock: self.clone(),
            random: SystemRandom::new(),
            retention: Duration::from_hours(24 * 90),
            request_timeout: "15".parse().expect("a timeout"),
            quota: samples::QUOTA,
            event_types: EventTypeRule {
                unknown: UnknownTypes::Warned,
                operator: None,
            },
        }
    }
}

/// A subscription that was created, and the use case that manages it.
pub struct ManagedSubscription {
    /// The table and the clock.
    pub backend: InMemoryBackend,
    /// The use case.
    pub manage: InMemoryManage,
    /// The subscription as it was created.
    pub created: Subscription,
}

impl ManagedSubscription {
    /// Creates a subscription with the fields of a request's body.
    pub fn create(body: &str) -> Self {
        let backend = InMemoryBackend::default();
        let manage = backend.manage();
        let customer = samples::customer("acme");
        let created = manage.create(&customer, change(body), None).now_or_never();
        let created = created.expect("answers").expect("a valid subscription");
        Self {
            backend,
            manage,
            created: created.subscription,
        }
    }

    /// Changes it by a request's body.
    ///
    /// # Errors
    /// If the change is refused.
    pub fn update(&self, body: &str) -> Result<Updated, ManageError> {
        let (customer, id) = (&self.created.customer_id, &self.created.id);
        let updated = self
            .manage
            .update(customer, id, &ExpectedVersion::Any, change(body));
        updated.now_or_never().expect("answers")
    }

    /// The subscription as it is stored.
    pub fn stored(&self) -> Subscription {
        let (customer, id) = (&self.created.customer_id, &self.created.id);
        let stored = self.manage.show(customer, id).now_or_never();
        stored.expect("answers").expect("a readable subscription")
    }
}
