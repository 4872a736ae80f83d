//! The management of subscriptions on an in-memory backend.

use std::time::Duration;

use ring::rand::SystemRandom;
use webhooks_domain::manage::Manage;
use webhooks_domain::vault::Vault;

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
        }
    }
}
