//! Changes of an endpoint, and its secrets.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use webhooks_api_types as api;
use webhooks_domain::ids::SubscriptionId;
use webhooks_domain::portal_access::{Access, CustomerScope};
use webhooks_domain::portal_session::{Capability, LimitedAction};
use webhooks_domain::ports::Clock;
use webhooks_pages::endpoint::{self, SecretsView};
use webhooks_pages::paths::Route;

use crate::answer::{Answer, page, see_other};
use crate::data::{Owned, Queue, Table, Workflow};
use crate::editing::created_as;
use crate::flash::Done;
use crate::form::Fields;
use crate::refusal::{Refusal, accepted};
use crate::router::Portal;

/// A change of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Edit,
    Pause,
    Enable,
    Delete,
    SendTest,
    ShowSecrets,
    RotateSecret,
}

impl Change {
    /// The change of a path.
    pub(crate) fn of(route: &Route) -> Option<(&str, Self)> {
        Some(match route {
            Route::EditEndpoint { subscription, .. } => (subscription, Self::Edit),
            Route::PauseEndpoint { subscription, .. } => (subscription, Self::Pause),
            Route::EnableEndpoint { subscription, .. } => (subscription, Self::Enable),
            Route::DeleteEndpoint { subscription, .. } => (subscription, Self::Delete),
            Route::TestEndpoint { subscription, .. } => (subscription, Self::SendTest),
            Route::Secrets { subscription, .. } => (subscription, Self::ShowSecrets),
            Route::RotateSecret { subscription, .. } => (subscription, Self::RotateSecret),
            _ => return None,
        })
    }

    fn capability(self) -> Capability {
        match self {
            Self::Edit | Self::Pause | Self::Enable | Self::Delete | Self::SendTest => {
                Capability::Manage
            }
            Self::ShowSecrets | Self::RotateSecret => Capability::Secrets,
        }
    }
}

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// Changes an endpoint. If the API refuses it, the page of the endpoint says why.
    pub(crate) async fn change_endpoint(
        &self,
        access: &Access,
        id: &SubscriptionId,
        change: Change,
        request: &Request,
        form: &Fields,
    ) -> Result<Answer, Refusal> {
        let scope = &access.scope;
        scope.require(change.capability())?;
        let found = self.owned(scope, id).await?;
        let changed = match change {
            Change::Edit => return self.edit(access, &found, request).await,
            Change::Pause => self.pause(scope, &found).await,
            Change::Enable => self.enable(scope, &found, form).await,
            Change::Delete => self.delete(scope, &found).await,
            Change::SendTest => self.send_test(scope, &found, form).await,
            Change::ShowSecrets => self.show_secrets(access, &found).await,
            Change::RotateSecret => self.rotate(access, &found, form).await,
        };
        match accepted(changed)? {
            Ok(answer) => Ok(answer),
            Err(problem) => {
                let frame = self.frame(access);
                let html = self
                    .endpoint_with(&frame, scope, &found, Some(&problem))
                    .await?;
                Ok(page(StatusCode::OK, html))
            }
        }
    }

    async fn pause(&self, scope: &CustomerScope, of: &Owned) -> Result<Answer, Refusal> {
        self.api.pause(scope, of).await?;
        Ok(self.done_at_endpoint(Done::Paused, scope, &of.id().to_string()))
    }

    async fn enable(
        &self,
        scope: &CustomerScope,
        of: &Owned,
        form: &Fields,
    ) -> Result<Answer, Refusal> {
        let fates = [
            api::HeldFate::Send,
            api::HeldFate::Keep,
            api::HeldFate::Discard,
        ];
        let held = form.get("held").map(|text| {
            let mut fates = fates.into_iter();
            let fate = fates.find(|fate| fate.to_string() == text);
            fate.ok_or(Refusal::Malformed)
        });
        match held.transpose()? {
            Some(api::HeldFate::Keep) => self.api.enable_and_keep(scope, of).await?,
            fate => {
                let allowance = &self.data.allowance;
                let taken = allowance.take(scope, LimitedAction::Recovery).await?;
                let enabled = self.api.enable(scope, &taken, of, fate).await;
                allowance.finish(scope, &taken).await;
                enabled?;
            }
        }
        Ok(self.done_at_endpoint(Done::Enabled, scope, &of.id().to_string()))
    }

    async fn delete(&self, scope: &CustomerScope, of: &Owned) -> Result<Answer, Refusal> {
        self.api.delete(scope, of).await?;
        let customer = scope.customer().to_string();
        Ok(self.done(Done::Deleted, &Route::Endpoints { customer }))
    }

    async fn send_test(
        &self,
        scope: &CustomerScope,
        of: &Owned,
        form: &Fields,
    ) -> Result<Answer, Refusal> {
        let allowance = &self.data.allowance;
        let taken = allowance.take(scope, LimitedAction::Test).await?;
        let event_type = form.get("eventType");
        let sent = self.api.send_test(scope, &taken, of, event_type).await;
        allowance.finish(scope, &taken).await;
        let route = Route::Delivery {
            customer: scope.customer().to_string(),
            delivery: sent?.id,
        };
        Ok(see_other(&route.path()))
    }

    async fn show_secrets(&self, access: &Access, of: &Owned) -> Result<Answer, Refusal> {
        let secrets = self.api.secrets(&access.scope, of).await?;
        Ok(self.secrets_page(access, of.shown(&access.scope), secrets, None))
    }

    async fn rotate(&self, access: &Access, of: &Owned, form: &Fields) -> Result<Answer, Refusal> {
        let overlap = form.get("overlapSeconds").map(str::parse).transpose();
        let overlap = overlap.map_err(|_| Refusal::Malformed)?;
        let version = form.get("version").unwrap_or_default();
        let scope = &access.scope;
        self.api.rotate(scope, of, version, overlap).await?;
        Ok(match self.api.secrets(scope, of).await {
            Ok(secrets) => self.secrets_page(
                access,
                of.shown(&access.scope),
                secrets,
                Some(Done::Rotated),
            ),
            // It is rotated, and can be shown later.
            Err(_) => self.done_at_endpoint(Done::Rotated, scope, &of.id().to_string()),
        })
    }

    /// The page of a new endpoint with its secret.
    pub(crate) fn created_page(
        &self,
        access: &Access,
        created: api::CreatedSubscription,
    ) -> Answer {
        let api::CreatedSubscription {
            subscription,
            secret,
            public_key,
        } = created;
        let current = subscription.secrets.first();
        let secrets = current.map(|current| api::ActiveSecret {
            version: current.version,
            kind: current.kind,
            secret,
            public_key,
            expires_at: None,
        });
        let secrets = secrets.into_iter().collect();
        let done = created_as(&subscription);
        self.secrets_page(access, subscription, secrets, Some(done))
    }

    fn secrets_page(
        &self,
        access: &Access,
        subscription: api::Subscription,
        secrets: Vec<api::ActiveSecret>,
        done: Option<Done>,
    ) -> Answer {
        let mut frame = self.frame(access);
        frame.flash = done.map(Done::flash);
        let view = SecretsView {
            subscription,
            secrets,
        };
        page(StatusCode::OK, endpoint::secrets_page(&frame, &view))
    }
}
