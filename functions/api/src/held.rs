//! The deliveries that were held, once their subscription is active again.

use tracing::info;
use webhooks_domain::manage::Updated;
use webhooks_domain::recovery::HeldFate;

use crate::Api;
use crate::problem::Problem;
use crate::subscriptions::{Answer, with_etag};
use webhooks_wire::answers;

impl Api {
    /// Publishes that a request has made a subscription active, and returns the answer. It names
    /// the recovery that sends or discards what was held.
    ///
    /// The status is stored before. If the recovery cannot be started the answer is an error, and a
    /// repeated request starts it.
    pub(crate) async fn activated(
        &self,
        updated: Updated,
        held: HeldFate,
    ) -> Result<Answer, Problem> {
        let is_activated = updated.is_enabled();
        let subscription = updated.subscription;
        if is_activated {
            self.publisher.enabled(&subscription).await;
        }
        let recovery = self.recoveries.release(&subscription, held, is_activated);
        let recovery = recovery.await?;
        if let Some(recovery) = &recovery {
            info!(
                recovery.id = %recovery.id,
                recovery.kind = recovery.kind.as_str(),
                subscription.id = %subscription.id,
                "recovery of held deliveries"
            );
        }
        let (etag, mut shown) = with_etag(subscription);
        shown.recovery = recovery.map(|recovery| Box::new(answers::recovery(&recovery)));
        Ok((etag, shown))
    }
}
