//! What follows from an attempt for its subscription, beside what follows for the delivery.

use super::DueAttempt;
use crate::delivery::{DeliveryStatus, FailureReason, Verdict};
use crate::health::{Endpoint, HealthChange, HealthPolicy, ObservedAttempt, Observation, HealthTracker, is_slow};
use crate::ports::{HealthStore, StoreError, SubscriptionSwitch, WriteOutcome};
use crate::subscription::DisabledReason;

/// Watches over endpoints, and acts when one fares otherwise than before.
#[derive(Debug)]
pub struct HealthMonitor {
    /// From when on is acted.
    pub policy: HealthPolicy,
    /// What was seen before.
    pub tracker: HealthTracker,
}

impl HealthMonitor {
    /// Takes in an attempt that is recorded, and writes what has changed by it.
    ///
    /// Conflict means that somebody has changed the subscription or its health since it was
    /// read: then their word counts.
    pub(super) async fn after<T: HealthStore + SubscriptionSwitch>(
        &self,
        table: &T,
        due: &DueAttempt<'_>,
        observation: Observation,
        verdict: &Verdict,
    ) -> Result<Vec<HealthChange>, StoreError> {
        let (subscription, now) = (due.subscription, observation.at);
        let health = subscription
            .health
            .after(&self.see(due, observation), &self.policy);
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
            WriteOutcome::Conflict => Vec::new(),
        })
    }

    /// What an attempt shows, together with those before it.
    fn see(&self, due: &DueAttempt<'_>, observation: Observation) -> ObservedAttempt {
        let circuit = self.policy.circuit.as_ref();
        ObservedAttempt {
            observation,
            is_retry: due.number > 1,
            follows_slow: due
                .delivery
                .attempts
                .last()
                // One that was made before a change may have been made to another URL.
                .filter(|last| last.at >= due.subscription.updated_at)
                .is_some_and(|last| is_slow(last.outcome, last.duration_ms)),
            is_probe: due.is_probe,
            summary: self
                .tracker
                .add(Endpoint::of(due.subscription), observation, circuit),
        }
    }
}
