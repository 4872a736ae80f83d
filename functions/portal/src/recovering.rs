//! The pages of recoveries: count, start, watch.

use lambda_http::http::StatusCode;
use tracing::info;
use webhooks_api_types::RecoveryCount;
use webhooks_domain::fields::FieldError;
use webhooks_domain::ids::{RecoveryId, SubscriptionId};
use webhooks_domain::portal_access::{Access, CustomerScope};
use webhooks_domain::portal_session::{Capability, LimitedAction};
use webhooks_domain::ports::Clock;
use webhooks_domain::recovery::RecoveryRequest;
use webhooks_pages::frame::Frame;
use webhooks_pages::href::Href;
use webhooks_pages::paths::Route;
use webhooks_pages::problem::FormProblem;
use webhooks_pages::recoveries::{self, OfEndpoint, Recoveries, RecoveryView};
use webhooks_pages::recovery_form::{self, RecoveryForm};
use webhooks_wire::{answers, lists, requests};

use crate::answer::{Answer, page, see_other};
use crate::data::{Owned, Queue, Table, Workflow};
use crate::form::Fields;
use crate::refusal::Refusal;
use crate::router::Portal;

/// The number of recoveries on a page.
const RECOVERIES: u32 = 20;

/// The form of the page, and what became of it.
#[derive(Default)]
pub(crate) struct Filled {
    form: RecoveryForm,
    problem: Option<FormProblem>,
    counted: Option<RecoveryCount>,
}

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// The recoveries of a subscription, and the form for a new one.
    pub(crate) async fn recoveries(
        &self,
        frame: &Frame,
        scope: &CustomerScope,
        id: &SubscriptionId,
        before: Option<&str>,
        filled: Filled,
    ) -> Result<String, Refusal> {
        let subscription = self.data.subscription(scope, id).await?;
        let subscription = subscription.ok_or(Refusal::NotFound)?;
        let before = before.map(str::parse).transpose();
        let before: Option<RecoveryId> = before.map_err(|_| Refusal::Malformed)?;
        let recoveries = &self.data.recoveries;
        let listed = recoveries.list(scope, id, before.as_ref(), RECOVERIES);
        let listed = listed.await?;
        let view = Recoveries {
            endpoint: of_endpoint(scope, id, &subscription),
            form: filled.form,
            problem: filled.problem,
            counted: filled.counted,
            page: lists::by_id(
                listed.recoveries,
                listed.has_more,
                |recovery| recovery.id,
                |recovery| answers::recovery(&recovery),
            ),
        };
        Ok(recoveries::page(frame, &view))
    }

    /// One recovery, with its progress.
    pub(crate) async fn recovery(
        &self,
        frame: &Frame,
        scope: &CustomerScope,
        subscription: SubscriptionId,
        id: RecoveryId,
        query: &Fields,
    ) -> Result<String, Refusal> {
        let found = self.data.subscription(scope, &subscription).await?;
        let found = found.ok_or(Refusal::NotFound)?;
        let recovery = self.data.recoveries.show(scope, subscription, id).await?;
        let view = RecoveryView {
            endpoint: of_endpoint(scope, &subscription, &found),
            recovery: answers::recovery(&recovery),
            of: query.get("of").and_then(|of| of.parse().ok()),
        };
        Ok(recoveries::recovery_page(frame, &view))
    }

    /// Counts what a recovery would send, and asks whether to start it.
    pub(crate) async fn counted(
        &self,
        access: &Access,
        id: &SubscriptionId,
        form: RecoveryForm,
    ) -> Result<Answer, Refusal> {
        let (counted, problem) = match self.request(&form, true) {
            Ok(request) => {
                let scope = &access.scope;
                scope.require(Capability::Resend)?;
                let taken = self.data.allowance.take(scope, LimitedAction::Count);
                let taken = taken.await?;
                let count = self.data.recoveries.count(scope, &taken, id, &request);
                let count = count.await?;
                let counted = RecoveryCount {
                    count: count.count,
                    complete: count.complete,
                };
                (Some(counted), None)
            }
            Err(problem) => (None, Some(problem)),
        };
        let filled = Filled {
            form,
            problem,
            counted,
        };
        self.filled(access, id, filled).await
    }

    /// Starts a recovery.
    pub(crate) async fn started(
        &self,
        access: &Access,
        id: &SubscriptionId,
        form: RecoveryForm,
        of: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let scope = &access.scope;
        let request = match self.request(&form, false) {
            Ok(request) => request,
            Err(problem) => {
                let filled = Filled {
                    form,
                    problem: Some(problem),
                    counted: None,
                };
                return self.filled(access, id, filled).await;
            }
        };
        let recoveries = &self.data.recoveries;
        // A start that is refused is not counted. The start checks again, now alone.
        recoveries.require_none_runs(scope, id).await?;
        let taken = self.data.allowance.take(scope, LimitedAction::Recovery);
        let taken = taken.await?;
        let started = recoveries.start(scope, &taken, id, &request).await;
        self.data.allowance.finish(scope, &taken).await;
        let recovery = started?;
        info!(
            customer.id = %scope.customer(),
            session.id = %scope.session().id,
            actor = scope.actor().map(display),
            subscription.id = %id,
            recovery.id = %recovery.id,
            recovery.kind = recovery.kind.as_str(),
            "recovery started",
        );
        let route = Route::Recovery {
            customer: scope.customer().to_string(),
            subscription: id.to_string(),
            recovery: recovery.id.to_string(),
        };
        let page = Href::from(route).with([("of", of)]);
        Ok(see_other(page.as_str()))
    }

    async fn filled(
        &self,
        access: &Access,
        id: &SubscriptionId,
        filled: Filled,
    ) -> Result<Answer, Refusal> {
        let frame = self.frame(access);
        let html = self
            .recoveries(&frame, &access.scope, id, None, filled)
            .await?;
        Ok(page(StatusCode::OK, html))
    }

    /// The request that a form stands for.
    fn request(&self, form: &RecoveryForm, counts: bool) -> Result<RecoveryRequest, FormProblem> {
        let now = self.clock.now();
        let request = match form.request(counts)? {
            recovery_form::RecoveryRequest::Recover(request) => requests::recover(request, now),
            recovery_form::RecoveryRequest::Replay(request) => requests::replay(request, now),
        };
        request.map_err(problem)
    }
}

/// A problem of a field, in the words of the API.
pub(crate) fn problem(error: FieldError) -> FormProblem {
    FormProblem {
        field: Some(error.field),
        text: error.problem,
    }
}

fn of_endpoint(scope: &CustomerScope, id: &SubscriptionId, subscription: &Owned) -> OfEndpoint {
    OfEndpoint {
        customer: scope.customer().to_string(),
        subscription: id.to_string(),
        url: subscription.url().to_owned(),
    }
}
