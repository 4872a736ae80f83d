//! Changes of a customer's data.

use lambda_http::Request;
use tracing::info;
use webhooks_domain::ids::{DeliveryId, RecoveryId, SubscriptionId};
use webhooks_domain::portal_access::{Access, CustomerScope};
use webhooks_domain::portal_session::Capability;
use webhooks_domain::ports::Clock;
use webhooks_pages::paths::Route;
use webhooks_pages::recovery_form::RecoveryForm;

use crate::answer::{Answer, see_other};
use crate::api::Cancelled;
use crate::data::{Queue, Table, Workflow};
use crate::flash::Done;
use crate::form::{Fields, bytes};
use crate::refusal::Refusal;
use crate::router::{Action, Portal};

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// Makes a change for the customer of a session, and leads to the page that shows it.
    pub(crate) async fn act(
        &self,
        access: &Access,
        action: Action,
        request: &Request,
        form: &Fields,
    ) -> Result<Answer, Refusal> {
        let scope = &access.scope;
        match action {
            Action::Resend(delivery) => self.resend(scope, &delivery).await,
            Action::Cancel(delivery) => self.cancel(scope, &delivery).await,
            Action::CountRecovery(id) => {
                let form = RecoveryForm::parse(bytes(request));
                self.counted(access, &id, form).await
            }
            Action::StartRecovery(id) => {
                let recovery = RecoveryForm::parse(bytes(request));
                self.started(access, &id, recovery, form.get("of")).await
            }
            Action::StopRecovery(subscription, id) => self.stopped(scope, subscription, id).await,
            Action::Create => self.create(access, request).await,
            Action::Change(id, change) => {
                self.change_endpoint(access, &id, change, request, form)
                    .await
            }
        }
    }

    async fn resend(
        &self,
        scope: &CustomerScope,
        delivery: &DeliveryId,
    ) -> Result<Answer, Refusal> {
        self.data.resend(scope, delivery).await?;
        info!(
            customer.id = %scope.customer(),
            session.id = %scope.session().id,
            actor = scope.actor().map(display),
            delivery.id = %delivery,
            "delivery resent",
        );
        let route = Route::Delivery {
            customer: scope.customer().to_string(),
            delivery: delivery.to_string(),
        };
        Ok(self.done(Done::Resent, &route))
    }

    /// Cancels the message of a delivery. The first page stops what the event has made; the further
    /// ones stop what was resent, and show it.
    async fn cancel(
        &self,
        scope: &CustomerScope,
        delivery: &DeliveryId,
    ) -> Result<Answer, Refusal> {
        scope.require(Capability::Resend)?;
        if self.data.delivery(scope, delivery).await?.is_none() {
            return Err(Refusal::NotFound);
        }
        let done = match self.api.cancel(scope, &delivery.message).await? {
            Cancelled::All => Done::Cancelled,
            Cancelled::Part => Done::CancelledInPart,
        };
        info!(
            customer.id = %scope.customer(),
            session.id = %scope.session().id,
            actor = scope.actor().map(display),
            message.id = %delivery.message,
            "message cancelled",
        );
        let route = Route::Delivery {
            customer: scope.customer().to_string(),
            delivery: delivery.to_string(),
        };
        Ok(self.done(done, &route))
    }

    async fn stopped(
        &self,
        scope: &CustomerScope,
        subscription: SubscriptionId,
        id: RecoveryId,
    ) -> Result<Answer, Refusal> {
        self.data.recoveries.stop(scope, subscription, id).await?;
        info!(
            customer.id = %scope.customer(),
            session.id = %scope.session().id,
            actor = scope.actor().map(display),
            subscription.id = %subscription,
            recovery.id = %id,
            "recovery stopped",
        );
        let route = Route::Recovery {
            customer: scope.customer().to_string(),
            subscription: subscription.to_string(),
            recovery: id.to_string(),
        };
        Ok(see_other(&route.path()))
    }
}
