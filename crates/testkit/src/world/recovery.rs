//! Recoveries, and what they go through.

use std::time::Duration;

use webhooks_domain::delivery::Delivery;
use webhooks_domain::due::{Due, NextAttempt};
use webhooks_domain::ids::{CustomerId, DeliveryId, RecoveryId, SubscriptionId};
use webhooks_domain::ports::{
    InsertOutcome, RecoveryKey, RecoveryPage, RecoverySource, RecoveryStore, RecoveryWorkflow,
    StoreError, StoredMessage, WorkflowError, WriteOutcome,
};
use webhooks_domain::recovery::Recovery;

use super::World;

/// How long the world keeps a message.
const RETENTION: Duration = Duration::from_hours(24);

impl World {
    /// A recovery as the table has it.
    pub fn stored_recovery(&self, key: &RecoveryKey) -> Option<Recovery> {
        self.state().recoveries.get(key).cloned()
    }
}

impl RecoveryStore for World {
    async fn insert_recovery(&self, recovery: &Recovery) -> Result<InsertOutcome, StoreError> {
        self.store(|state| {
            if state.recoveries.contains_key(&recovery.key()) {
                return InsertOutcome::AlreadyThere;
            }
            state.recoveries.insert(recovery.key(), recovery.clone());
            InsertOutcome::Inserted
        })
    }

    async fn recovery(&self, key: &RecoveryKey) -> Result<Option<Recovery>, StoreError> {
        self.store(|state| state.recoveries.get(key).cloned())
    }

    async fn replace_recovery(&self, recovery: &Recovery) -> Result<WriteOutcome, StoreError> {
        let meanwhile = self.state().before_recovery_write.take();
        if let Some(meanwhile) = meanwhile {
            meanwhile(self);
        }
        self.store(|state| match state.recoveries.get_mut(&recovery.key()) {
            Some(stored) if stored.version + 1 == recovery.version => {
                *stored = recovery.clone();
                WriteOutcome::Written
            }
            Some(stored) if stored == recovery => WriteOutcome::Written,
            _ => WriteOutcome::Overtaken,
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
            let mut older = state.recoveries.values().rev().filter(|recovery| {
                recovery.customer_id == *customer
                    && recovery.subscription_id == *subscription
                    && before.is_none_or(|before| recovery.id < *before)
            });
            RecoveryPage {
                recoveries: older.by_ref().take(limit as usize).cloned().collect(),
                has_more: older.next().is_some(),
            }
        })
    }
}

impl RecoverySource for World {
    async fn read(
        &self,
        id: &DeliveryId,
    ) -> Result<(Option<StoredMessage>, Option<Delivery>), StoreError> {
        self.store(|state| {
            let message = state.messages.get(&id.message);
            let message = message.map(|(stored_at, message)| StoredMessage {
                message: message.clone(),
                expires_at: *stored_at + RETENTION,
            });
            (message, state.deliveries.get(id).cloned())
        })
    }

    async fn insert_due(
        &self,
        delivery: &Delivery,
        next: &NextAttempt,
    ) -> Result<InsertOutcome, StoreError> {
        self.store(|state| {
            if state.deliveries.contains_key(&delivery.id) {
                return InsertOutcome::AlreadyThere;
            }
            let delivery = Delivery {
                next_attempt_at: Some(next.due_at),
                ..delivery.clone()
            };
            state.due.insert(delivery.id, Due::of(&delivery, next));
            state.deliveries.insert(delivery.id, delivery);
            InsertOutcome::Inserted
        })
    }
}

/// Starts nothing: a test runs the pages itself.
impl RecoveryWorkflow for World {
    async fn start(&self, _: &Recovery) -> Result<(), WorkflowError> {
        self.effect(|_| ())
            .map_err(|planted| WorkflowError(Box::new(planted)))
    }
}
