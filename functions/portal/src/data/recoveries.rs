//! The recoveries of one customer.

use std::time::Duration;

use webhooks_domain::ids::{RecoveryId, SubscriptionId};
use webhooks_domain::portal_access::CustomerScope;
use webhooks_domain::portal_allowance::Taken;
use webhooks_domain::portal_session::Capability;
use webhooks_domain::ports::Clock;
use webhooks_domain::recover::{Count, CountBudget, Recoveries};
use webhooks_domain::recovery::{Recovery, RecoveryKey, RecoveryPage, RecoveryRequest};

use super::{Table, Workflow};
use crate::refusal::Refusal;

/// The effort of counting: a time well below the function's timeout, and about as many read units as
/// twenty pages.
const EFFORT: CountBudget = CountBudget {
    time: Duration::from_secs(5),
    entries: 1_000,
};

/// The recoveries of the table.
pub(crate) struct ScopedRecoveries<T, W, C>(pub(super) Recoveries<T, W, C>);

impl<T: Table, W: Workflow, C: Clock + Sync> ScopedRecoveries<T, W, C> {
    /// A page of the recoveries of a subscription, the newest first.
    pub(crate) async fn list(
        &self,
        scope: &CustomerScope,
        subscription: &SubscriptionId,
        before: Option<&RecoveryId>,
        limit: u32,
    ) -> Result<RecoveryPage, Refusal> {
        scope.require(Capability::Resend)?;
        let page = self.0.list(scope.customer(), subscription, before, limit);
        Ok(page.await?)
    }

    /// A recovery.
    pub(crate) async fn show(
        &self,
        scope: &CustomerScope,
        subscription: SubscriptionId,
        id: RecoveryId,
    ) -> Result<Recovery, Refusal> {
        scope.require(Capability::Resend)?;
        Ok(self.0.show(&key(scope, subscription, id)).await?)
    }

    /// Counts the deliveries that a recovery would send.
    pub(crate) async fn count(
        &self,
        scope: &CustomerScope,
        _: &Taken,
        subscription: &SubscriptionId,
        request: &RecoveryRequest,
    ) -> Result<Count, Refusal> {
        scope.require(Capability::Resend)?;
        let customer = scope.customer();
        let count = self.0.count(customer, subscription, request, EFFORT);
        Ok(count.await?)
    }

    /// Fails if the customer has no such subscription, or a recovery of it runs.
    pub(crate) async fn require_none_runs(
        &self,
        scope: &CustomerScope,
        subscription: &SubscriptionId,
    ) -> Result<(), Refusal> {
        scope.require(Capability::Resend)?;
        let running = self.0.running(scope.customer(), subscription).await?;
        running.map_or(Ok(()), |running| {
            Err(Refusal::Conflict(format!(
                "recovery `{}` of this endpoint runs: stop it, or wait for its end",
                running.id
            )))
        })
    }

    /// Starts a recovery, if none of the subscription runs. The caller makes sure that no other start
    /// of the customer comes in between.
    pub(crate) async fn start(
        &self,
        scope: &CustomerScope,
        _: &Taken,
        subscription: &SubscriptionId,
        request: &RecoveryRequest,
    ) -> Result<Recovery, Refusal> {
        self.require_none_runs(scope, subscription).await?;
        let started = self.0.start(scope.customer(), subscription, request);
        Ok(started.await?)
    }

    /// Asks a recovery to stop.
    pub(crate) async fn stop(
        &self,
        scope: &CustomerScope,
        subscription: SubscriptionId,
        id: RecoveryId,
    ) -> Result<Recovery, Refusal> {
        scope.require(Capability::Resend)?;
        Ok(self.0.stop(&key(scope, subscription, id)).await?)
    }
}

fn key(scope: &CustomerScope, subscription: SubscriptionId, id: RecoveryId) -> RecoveryKey {
    RecoveryKey {
        customer: scope.customer().clone(),
        subscription,
        id,
    }
}
