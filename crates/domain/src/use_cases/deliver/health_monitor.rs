//! The effects of an attempt on its subscription: endpoint health, and disabling.

use super::attempt::DueAttempt;
use crate::delivery::{DeliveryStatus, FailureReason, Verdict};
use crate::health::{
    HealthChange, HealthPolicy, HealthTracker, Observation, ObservedAttempt, Warning, is_slow,
};
use crate::ports::{StoreError, SubscriptionTable, WriteOutcome};
use crate::subscription::DisabledReason;

/// The stored effects of an attempt on its subscription. By default there are none.
#[derive(Debug, Default)]
pub(super) struct HealthEffects {
    /// The changes of health.
    pub(super) changes: Vec<HealthChange>,
    /// The warning to the endpoint's owner.
    pub(super) warning: Option<Warning>,
}

/// Tracks endpoint health, and acts when it changes.
#[derive(Debug)]
pub struct HealthMonitor {
    /// The thresholds.
    pub policy: HealthPolicy,
    /// The recent attempts of this execution environment.
    pub tracker: HealthTracker,
}

impl HealthMonitor {
    /// Observes a recorded attempt, and writes the changes of health.
    ///
    /// After a conflict nothing is written: another run or a user has changed the subscription or
    /// its health since it was read, and that change stands.
    pub(super) async fn after<T: SubscriptionTable>(
        &self,
        table: &T,
        due: &DueAttempt<'_>,
        observation: Observation,
        verdict: &Verdict,
    ) -> Result<HealthEffects, StoreError> {
        let (subscription, now) = (due.subscription, observation.at);
        let health = subscription
            .health
            .after(&self.observe(due, observation), &self.policy);
        let gone = Verdict::Ended(DeliveryStatus::Failed(FailureReason::EndpointGone));
        let reason = if *verdict == gone {
            Some(DisabledReason::EndpointGone)
        } else {
            health
                .has_failed_for_too_long(&self.policy, now)
                .then_some(DisabledReason::Failing)
        };
        let (effects, written) = if let Some(reason) = reason {
            let effects = HealthEffects {
                changes: vec![HealthChange::Disabled(reason)],
                warning: subscription
                    .warns_of_disabling(now)
                    .then(|| health.disabled_warning(reason)),
            };
            let disabled = table.disable(subscription, reason, now).await?;
            (effects, disabled)
        } else if health == subscription.health {
            // After nearly every attempt. The end of a certificate can wait for such an attempt.
            let Some((warning, warned)) = subscription.certificate_warning(now) else {
                return Ok(HealthEffects::default());
            };
            let effects = HealthEffects {
                changes: Vec::new(),
                warning: Some(warning),
            };
            let noted = table.note_certificate_warning(subscription, warned).await?;
            (effects, noted)
        } else {
            let effects = HealthEffects {
                changes: health.changes_since(&subscription.health),
                warning: health.warning_since(&subscription.health, &self.policy),
            };
            (effects, table.change_health(subscription, &health).await?)
        };
        Ok(match written {
            WriteOutcome::Written => effects,
            WriteOutcome::Conflict => HealthEffects::default(),
        })
    }

    /// An observation of the attempt together with those before it.
    fn observe(&self, due: &DueAttempt<'_>, observation: Observation) -> ObservedAttempt {
        let circuit = self.policy.circuit.as_ref();
        ObservedAttempt {
            observation,
            is_retry: due.number > 1,
            follows_slow: due
                .delivery
                .attempts
                .last()
                // An attempt before the last change may have gone to another URL.
                .filter(|last| last.at >= due.subscription.updated_at)
                .is_some_and(|last| is_slow(last.outcome, last.duration_ms)),
            is_probe: due.is_probe,
            summary: self
                .tracker
                .add(due.subscription.endpoint(), observation, circuit),
        }
    }
}
