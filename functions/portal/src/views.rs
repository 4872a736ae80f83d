//! Makes the pages from the data.

use std::collections::BTreeSet;

use futures_util::future::join;
use lambda_http::Request;
use lambda_http::http::StatusCode;
use webhooks_api_types as api;
use webhooks_domain::ids::{CustomerId, DeliveryId, SubscriptionId};
use webhooks_domain::portal_access::{Access, CheckedSession, CustomerScope};
use webhooks_domain::portal_session::{Capability, CsrfToken, Holder, PortalSession, ReturnUrl};
use webhooks_domain::ports::Clock;
use webhooks_pages::deliveries::Deliveries;
use webhooks_pages::delivery::DeliveryView;
use webhooks_pages::endpoints::Endpoints;
use webhooks_pages::frame::{CustomerName, Frame, Viewer};
use webhooks_pages::href::Href;
use webhooks_pages::problem::FormProblem;
use webhooks_pages::{deliveries, delivery, endpoint, endpoints};
use webhooks_wire::{answers, lists, statistics};

use crate::answer::{Answer, page, with_cookie};
use crate::data::{Owned, Queue, Table, Workflow};
use crate::editing;
use crate::flash::Done;
use crate::form::Fields;
use crate::hidden;
use crate::recovering::{Filled, problem};
use crate::refusal::Refusal;
use crate::router::{Portal, Target};

/// The number of endpoints on a page. The statistics of a day of each cost at most 3.5 read units: 25
/// items of at most 1 KB, eventually consistent.
const ENDPOINTS: u32 = 12;
/// The number of deliveries on a page.
const DELIVERIES: u32 = 25;

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// Shows a page of the customer of a session.
    pub(crate) async fn show(
        &self,
        access: &Access,
        target: Target,
        request: &Request,
    ) -> Result<Answer, Refusal> {
        let (scope, query) = (&access.scope, Fields::of_query(request)?);
        let mut frame = self.frame(access);
        frame.return_to = self.return_link(request);
        let done = self.was_done(request);
        frame.flash = done.map(Done::flash);
        scope.require(Capability::View)?;
        let html = match target {
            Target::Endpoints => self.endpoints(&frame, scope, &query).await?,
            Target::Endpoint(id) => self.endpoint(&frame, scope, &id).await?,
            Target::NewEndpoint => editing::form_page(&frame, scope, None)?,
            Target::EditEndpoint(id) => {
                scope.require(Capability::Manage)?;
                let found = self.owned(scope, &id).await?;
                editing::form_page(&frame, scope, Some(&found))?
            }
            Target::DeleteEndpoint(id) => {
                scope.require(Capability::Manage)?;
                let found = self.owned(scope, &id).await?;
                endpoint::deletion_page(&frame, &found.shown(scope))
            }
            Target::Deliveries(id) => self.deliveries(&frame, scope, &id, request, &query).await?,
            Target::Delivery(id) => self.delivery(&frame, scope, &id).await?,
            Target::Recoveries(id) => {
                let before = query.get("cursor");
                self.recoveries(&frame, scope, &id, before, Filled::default())
                    .await?
            }
            Target::EventTypes => self.event_types(&frame, scope, &query).await?,
            Target::EventType(name) => self.event_type(&frame, scope, &name).await?,
            Target::Recovery(subscription, id) => {
                self.recovery(&frame, scope, subscription, id, &query)
                    .await?
            }
        };
        let answer = page(StatusCode::OK, html);
        Ok(match done {
            Some(_) => with_cookie(answer, &self.settings.kind.remove_done()),
            None => answer,
        })
    }

    async fn endpoints(
        &self,
        frame: &Frame,
        scope: &CustomerScope,
        query: &Fields,
    ) -> Result<String, Refusal> {
        let after = query.get("cursor").map(str::parse).transpose();
        let after: Option<SubscriptionId> = after.map_err(|_| Refusal::Malformed)?;
        let found = self.data.subscriptions(scope, after.as_ref(), ENDPOINTS);
        let (found, contacts) = join(found, self.data.contacts(scope)).await;
        let (found, days) = found?;
        let numbers = days.iter().map(Option::as_ref);
        let view = Endpoints {
            customer: scope.customer().to_string(),
            statistics: numbers.map(|day| day.map(statistics::answer)).collect(),
            contacts,
            page: answers::subscription_page(found),
        };
        Ok(endpoints::page(frame, &view))
    }

    async fn endpoint(
        &self,
        frame: &Frame,
        scope: &CustomerScope,
        id: &SubscriptionId,
    ) -> Result<String, Refusal> {
        let found = self.owned(scope, id).await?;
        self.endpoint_with(frame, scope, &found, None).await
    }

    /// The page of an endpoint, with the problem of a form that was refused.
    pub(crate) async fn endpoint_with(
        &self,
        frame: &Frame,
        scope: &CustomerScope,
        found: &Owned,
        problem: Option<&FormProblem>,
    ) -> Result<String, Refusal> {
        let numbers = self.data.statistics(found).await?;
        let numbers = numbers.as_ref().map(statistics::answer);
        let shown = found.shown(scope);
        Ok(endpoint::page(frame, &shown, numbers.as_ref(), problem))
    }

    /// A subscription of the customer.
    pub(crate) async fn owned(
        &self,
        scope: &CustomerScope,
        id: &SubscriptionId,
    ) -> Result<Owned, Refusal> {
        let found = self.data.subscription(scope, id).await?;
        found.ok_or(Refusal::NotFound)
    }

    async fn deliveries(
        &self,
        frame: &Frame,
        scope: &CustomerScope,
        id: &SubscriptionId,
        request: &Request,
        query: &Fields,
    ) -> Result<String, Refusal> {
        let found = self.data.subscription(scope, id).await?;
        let subscription = found.ok_or(Refusal::NotFound)?;
        let read = deliveries::query(request.uri().query().unwrap_or_default());
        let selected = read.clone().and_then(|query| {
            let limit = Some(api::ListLimit::up_to(DELIVERIES));
            let selected = lists::selected(api::DeliveriesQuery { limit, ..query });
            selected.map_err(problem)
        });
        let (page, problem) = match selected {
            Ok((filter, range)) => {
                let listed = self.data.deliveries(&subscription, &filter, &range).await?;
                let shown = |delivery| {
                    hidden::in_delivery(scope.capabilities(), answers::delivery(delivery))
                };
                (lists::page(listed, shown), None)
            }
            Err(problem) => (empty(), Some(problem)),
        };
        let view = Deliveries {
            customer: scope.customer().to_string(),
            subscription: id.to_string(),
            url: subscription.url().to_owned(),
            query: read.unwrap_or_else(|_| as_typed(query)),
            problem,
            page,
        };
        Ok(deliveries::page(frame, &view))
    }

    async fn delivery(
        &self,
        frame: &Frame,
        scope: &CustomerScope,
        id: &DeliveryId,
    ) -> Result<String, Refusal> {
        let found = self.data.delivery(scope, id).await?;
        let found = found.ok_or(Refusal::NotFound)?;
        let (exchanges, url) = self.data.exchanges(scope, &found, id).await?;
        let mut shown = match answers::delivery_with_body(found, exchanges) {
            api::Shown::Whole(shown) => *shown,
            api::Shown::Broken(broken) => return Err(Refusal::Broken(broken.to_string())),
        };
        if !scope.has(Capability::Payloads) {
            (shown.body, shown.body_problem) = (None, None);
        }
        shown.delivery = hidden::in_delivery(scope.capabilities(), shown.delivery);
        let view = DeliveryView {
            delivery: shown,
            url,
        };
        Ok(delivery::page(frame, &view))
    }

    /// The frame of a page without a session.
    pub(crate) fn empty_frame(&self) -> Frame {
        Frame {
            brand: self.settings.brand.clone(),
            viewer: Viewer::Nobody,
            customer: None,
            capabilities: BTreeSet::new(),
            csrf: String::new(),
            now: self.clock.now(),
            flash: None,
            return_to: None,
        }
    }

    /// The frame of a page of a customer.
    pub(crate) fn frame(&self, access: &Access) -> Frame {
        self.frame_with(
            access.scope.session(),
            &access.csrf,
            Some(access.scope.customer()),
        )
    }

    /// The frame of a page of a session.
    pub(crate) fn frame_of(&self, checked: &CheckedSession) -> Frame {
        let session = checked.session();
        let audience = session.holder.audience();
        self.frame_with(session, &checked.csrf(), audience.customer())
    }

    fn frame_with(
        &self,
        session: &PortalSession,
        csrf: &CsrfToken,
        customer: Option<&CustomerId>,
    ) -> Frame {
        Frame {
            viewer: match &session.holder {
                Holder::Customer(_) => Viewer::Customer,
                Holder::Support(actor) => Viewer::Support {
                    actor: actor.to_string(),
                },
            },
            customer: customer.map(|customer| CustomerName {
                id: customer.to_string(),
                name: None,
            }),
            capabilities: session.capabilities.iter().collect(),
            csrf: csrf.as_str().to_owned(),
            ..self.empty_frame()
        }
    }

    /// The URL to return to, if the browser has one that the operator allows.
    pub(crate) fn return_url(&self, request: &Request) -> Option<ReturnUrl> {
        let text = self.settings.kind.return_url(request.headers())?;
        self.settings.return_url(&text)
    }

    /// The same as a link.
    pub(crate) fn return_link(&self, request: &Request) -> Option<Href> {
        Href::external(self.return_url(request)?.as_str()).ok()
    }
}

/// The filters of a form that cannot be read, for its fields.
fn as_typed(form: &Fields) -> api::DeliveriesQuery {
    let text = |name| form.get(name).map(str::to_owned);
    api::DeliveriesQuery {
        event_type: text("eventType"),
        since: text("since"),
        until: text("until"),
        ..api::DeliveriesQuery::default()
    }
}

fn empty() -> api::DeliveryPage {
    api::Page {
        data: Vec::new(),
        next_cursor: None,
        broken: Vec::new(),
    }
}
