//! The allowance of one customer.

use tracing::warn;
use webhooks_domain::portal_access::CustomerScope;
use webhooks_domain::portal_allowance::{PortalAllowance, Taken};
use webhooks_domain::portal_session::LimitedAction;
use webhooks_domain::ports::Clock;
use webhooks_lambda::with_sources;

use super::Table;
use crate::refusal::Refusal;

/// The allowance of a customer's sessions.
pub(crate) struct ScopedAllowance<T, C>(pub(super) PortalAllowance<T, C>);

impl<T: Table, C: Clock + Sync> ScopedAllowance<T, C> {
    /// Takes an action from the allowance, before it is done. Support staff have no limit.
    pub(crate) async fn take(
        &self,
        scope: &CustomerScope,
        action: LimitedAction,
    ) -> Result<Taken, Refusal> {
        if scope.actor().is_some() {
            return Ok(self.0.exempt(action));
        }
        Ok(self.0.take(scope.customer(), action).await?)
    }

    /// Permits the next action of an exclusive kind. If the table fails, the next one has to wait.
    pub(crate) async fn finish(&self, scope: &CustomerScope, taken: &Taken) {
        if let Err(error) = self.0.finish(scope.customer(), taken).await {
            let error = with_sources(&error);
            warn!(customer.id = %scope.customer(), error, "the next action has to wait");
        }
    }
}
