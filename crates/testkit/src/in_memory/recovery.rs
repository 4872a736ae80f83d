//! In-memory recoveries.

use std::collections::BTreeSet;

use webhooks_domain::delivery::{CancelReason, Delivery, DeliveryStatus};
use webhooks_domain::ids::{CustomerId, RecoveryId, SubscriptionId};
use webhooks_domain::ports::{
    InsertOutcome, RecoveryTable, RecoveryWorkflow, StoreError, WorkflowError, WriteOutcome,
};
use webhooks_domain::recovery::Recovery;
use webhooks_domain::recovery::{RecoveryKey, RecoveryPage};

use super::{InMemoryBackend, State};

impl InMemoryBackend {
    /// A recovery as it is stored.
    pub fn stored_recovery(&self, key: &RecoveryKey) -> Option<Recovery> {
        self.state().recoveries.get(key).cloned()
    }

    /// The recoveries whose workflows were started.
    pub fn started_recoveries(&self) -> BTreeSet<RecoveryKey> {
        self.state().started.clone()
    }
}

impl State {
    /// A recovery that has not expired.
    fn recovery(&self, key: &RecoveryKey) -> Option<&Recovery> {
        let now = self.now();
        let recovery = self.recoveries.get(key);
        recovery.filter(|recovery| recovery.expires_at > now)
    }
}

impl RecoveryTable for InMemoryBackend {
    async fn discard(&self, read: &Delivery) -> Result<WriteOutcome, StoreError> {
        self.store(|state| {
            let is_as_read = |stored: &&mut Delivery| {
                matches!(stored.status, DeliveryStatus::Held(_))
                    && stored.attempts.len() == read.attempts.len()
            };
            let Some(stored) = state.delivery_mut(&read.id).filter(is_as_read) else {
                return WriteOutcome::Conflict;
            };
            stored.status = DeliveryStatus::Cancelled(CancelReason::Discarded);
            stored.next_attempt_at = None;
            state.undelivered.remove(&read.id);
            WriteOutcome::Written
        })
    }

    async fn insert_recovery(&self, recovery: &Recovery) -> Result<InsertOutcome, StoreError> {
        self.store(|state| {
            if state.recovery(&recovery.key()).is_some() {
                return InsertOutcome::AlreadyThere;
            }
            state.recoveries.insert(recovery.key(), recovery.clone());
            InsertOutcome::Inserted
        })
    }

    async fn recovery(&self, key: &RecoveryKey) -> Result<Option<Recovery>, StoreError> {
        self.store(|state| state.recovery(key).cloned())
    }

    async fn replace_recovery(&self, recovery: &Recovery) -> Result<WriteOutcome, StoreError> {
        let meanwhile = self.state().before_recovery_write.take();
        if let Some(meanwhile) = meanwhile {
            meanwhile(self);
        }
        self.store(|state| {
            let is_there = state.recovery(&recovery.key()).is_some();
            let stored = state.recoveries.get_mut(&recovery.key());
            match stored.filter(|_| is_there) {
                Some(stored) if stored.version + 1 == recovery.version => {
                    *stored = recovery.clone();
                    WriteOutcome::Written
                }
                Some(stored) if stored == recovery => WriteOutcome::Written,
                _ => WriteOutcome::Conflict,
            }
        })
    }

    async fn recoveries(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        before: Option<&RecoveryId>,
        limit: u32,
    ) -> Result<RecoveryPage, StoreError> {
        self.store(|state| {
            let now = state.now();
            let mut older = state.recoveries.values().rev().filter(|recovery| {
                recovery.expires_at > now
                    && recovery.customer_id == *customer
                    && recovery.subscription_id == *subscription
                    && before.is_none_or(|before| recovery.id < *before)
            });
            RecoveryPage {
                recoveries: older
                    .by_ref()
                    .take(limit as usize)
                    .cloned()
                    .map(Ok)
                    .collect(),
                has_more: older.next().is_some(),
            }
        })
    }
}

/// Starts nothing: a test runs the pages itself, of the recoveries that were started.
impl RecoveryWorkflow for InMemoryBackend {
    async fn start(&self, recovery: &Recovery) -> Result<(), WorkflowError> {
        let key = recovery.key();
        self.effect(|state| state.started.insert(key))
            .map(drop)
            .map_err(|planted| WorkflowError(Box::new(planted)))
    }
}
