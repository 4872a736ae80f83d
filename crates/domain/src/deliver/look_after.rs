//! What follows from an attempt for its subscription, beside what follows for the delivery.

use super::Task;
use crate::delivery::{DeliveryStatus, FailureReason, Verdict};
use crate::health::{Endpoint, HealthChange, HealthPolicy, Seen, Sign, Watch, is_slow};
use crate::ports::{HealthStore, StoreError, SubscriptionSwitch, WriteOutcome};
use crate::subscription::DisabledReason;

/// Watches over endpoints, and acts when one fares otherwise than before.
#[derive(Debug)]
pub struct Care {
    /// From when on is acted.
    pub policy: HealthPolicy,
    /// What was seen before.
    pub watch: Watch,
}

impl Care {
    /// Takes in an attempt that is recorded, and writes what has changed by it.
    ///
    /// Overtaken means that somebody has changed the subscription or its health since it was
    /// read: then their word counts.
    pub(super) async fn after<T: HealthStore + SubscriptionSwitch>(
        &self,
        table: &T,
        task: &Task<'_>,
        sign: Sign,
        verdict: &Verdict,
    ) -> Result<Vec<HealthChange>, StoreError> {
        let (subscription, now) = (task.subscription, sign.at);
        let health = subscription
            .health
            .after(&self.see(task, sign), &self.policy);
        let gone = Verdict::Ended(DeliveryStatus::Failed(FailureReason::EndpointGone));
        let reason = if *verdict == gone {
            Some(DisabledReason::EndpointGone)
        } else {
            health
                .has_failed_for_too_long(&self.policy, now)
                .then_some(DisabledReason::Failing)
        };
        let (changes, written) = if let Some(reason) = reason {
            let disabled = table.disable(subscription, reason, now).await?;
            (vec![HealthChange::Disabled(reason)], disabled)
        } else if health == subscription.health {
            return Ok(Vec::new());
        } else {
            let written = table.change_health(subscription, &health).await?;
            (health.changes_since(&subscription.health), written)
        };
        Ok(match written {
            WriteOutcome::Written => changes,
            WriteOutcome::Overtaken => Vec::new(),
        })
    }

    /// What an attempt shows, together with those before it.
    fn see(&self, task: &Task<'_>, sign: Sign) -> Seen {
        let circuit = self.policy.circuit.as_ref();
        Seen {
            sign,
            is_retry: task.number > 1,
            follows_slow: task
                .delivery
                .attempts
                .last()
                // One that was made before a change may have been made to another URL.
                .filter(|last| last.at >= task.subscription.updated_at)
                .is_some_and(|last| is_slow(last.outcome, last.duration_ms)),
            is_probe: task.is_probe,
            signs: self
                .watch
                .add(Endpoint::of(task.subscription), sign, circuit),
        }
    }
}
