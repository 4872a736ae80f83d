//! Finds the page or the change of a request.

use lambda_http::http::{Method, StatusCode};
use lambda_http::{Request, RequestExt};
use ring::rand::SystemRandom;
use webhooks_domain::catalogue::TypeName;
use webhooks_domain::ids::{CustomerId, DeliveryId, RecoveryId, SubscriptionId};
use webhooks_domain::portal_access::PortalAccess;
use webhooks_domain::ports::Clock;
use webhooks_pages::paths::Route;
use webhooks_pages::{assets, notices};

use crate::answer::{Answer, asset, page, secured, stylesheet};
use crate::api::ScopedApi;
use crate::console::{ConsoleData, ConsolePage, Queues};
use crate::data::{Data, Queue, Services, Table, Workflow};
use crate::managing::Change;
use crate::refusal::Refusal;
use crate::settings::Settings;

/// The portal.
pub(crate) struct Portal<T, Q, W, C> {
    pub(crate) access: PortalAccess<T, C>,
    pub(crate) data: Data<T, Q, W, C>,
    pub(crate) console: ConsoleData<T>,
    pub(crate) api: ScopedApi,
    pub(crate) clock: C,
    pub(crate) settings: Settings,
}

/// A page of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Endpoints,
    Endpoint(SubscriptionId),
    NewEndpoint,
    EditEndpoint(SubscriptionId),
    DeleteEndpoint(SubscriptionId),
    Deliveries(SubscriptionId),
    Delivery(DeliveryId),
    Recoveries(SubscriptionId),
    Recovery(SubscriptionId, RecoveryId),
    EventTypes,
    EventType(TypeName),
}

impl Target {
    /// The page of a path, with its customer. `None` for a path without a page, and for one with an
    /// id in another form.
    fn of(route: &Route) -> Option<(CustomerId, Self)> {
        let target = match route {
            Route::Endpoints { .. } => Self::Endpoints,
            Route::Endpoint { subscription, .. } => Self::Endpoint(subscription.parse().ok()?),
            Route::NewEndpoint { .. } => Self::NewEndpoint,
            Route::EditEndpoint { subscription, .. } => {
                Self::EditEndpoint(subscription.parse().ok()?)
            }
            Route::DeleteEndpoint { subscription, .. } => {
                Self::DeleteEndpoint(subscription.parse().ok()?)
            }
            Route::Deliveries { subscription, .. } => Self::Deliveries(subscription.parse().ok()?),
            Route::Delivery { delivery, .. } => Self::Delivery(delivery.parse().ok()?),
            Route::Recoveries { subscription, .. } => Self::Recoveries(subscription.parse().ok()?),
            Route::Recovery {
                subscription,
                recovery,
                ..
            } => Self::Recovery(subscription.parse().ok()?, recovery.parse().ok()?),
            Route::EventTypes { .. } => Self::EventTypes,
            Route::EventType { event_type, .. } => Self::EventType(event_type.parse().ok()?),
            _ => return None,
        };
        Some((route.customer()?.parse().ok()?, target))
    }
}

/// A change of one customer's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Resend(DeliveryId),
    Cancel(DeliveryId),
    CountRecovery(SubscriptionId),
    StartRecovery(SubscriptionId),
    StopRecovery(SubscriptionId, RecoveryId),
    Create,
    Change(SubscriptionId, Change),
}

impl Action {
    /// The change of a path, with its customer. `None` for a path without a change, and for one with
    /// an id in another form.
    fn of(route: &Route) -> Option<(CustomerId, Self)> {
        let action = match route {
            Route::ResendDelivery { delivery, .. } => Self::Resend(delivery.parse().ok()?),
            Route::CancelDelivery { delivery, .. } => Self::Cancel(delivery.parse().ok()?),
            Route::CountRecovery { subscription, .. } => {
                Self::CountRecovery(subscription.parse().ok()?)
            }
            Route::Recoveries { subscription, .. } => {
                Self::StartRecovery(subscription.parse().ok()?)
            }
            Route::StopRecovery {
                subscription,
                recovery,
                ..
            } => Self::StopRecovery(subscription.parse().ok()?, recovery.parse().ok()?),
            Route::NewEndpoint { .. } => Self::Create,
            other => {
                let (subscription, change) = Change::of(other)?;
                Self::Change(subscription.parse().ok()?, change)
            }
        };
        Some((route.customer()?.parse().ok()?, action))
    }
}

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync + Clone> Portal<T, Q, W, C> {
    pub(crate) fn new(
        services: Services<T, Q, W, C>,
        queues: Queues,
        api: ScopedApi,
        settings: Settings,
    ) -> Self {
        let clock = services.clock.clone();
        Self {
            access: PortalAccess {
                table: services.table.clone(),
                clock: clock.clone(),
                random: SystemRandom::new(),
            },
            console: ConsoleData::new(services.table.clone(), queues),
            data: Data::new(services),
            api,
            clock,
            settings,
        }
    }
}

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// Answers a request.
    pub(crate) async fn answer(&self, request: &Request) -> Answer {
        let answer = match self.routed(request).await {
            Ok(answer) => answer,
            Err(refusal) => self.refused(&refusal, request),
        };
        secured(answer, self.settings.policy(request))
    }

    /// Answers an event of which no request can be made.
    pub(crate) fn refuse_malformed(&self, request: &Request) -> Answer {
        let answer = self.refused(&Refusal::Malformed, request);
        secured(answer, self.settings.policy(request))
    }

    /// Everything that needs no session is answered before a session is read.
    async fn routed(&self, request: &Request) -> Result<Answer, Refusal> {
        let path = request.raw_http_path();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let posts = *request.method() == Method::POST;
        if let Some(file) = assets::find(path) {
            return reads.then(|| asset(file)).ok_or(Refusal::Method);
        }
        let route = Route::parse(path).ok_or(Refusal::NotFound)?;
        if let Some(target) = ConsolePage::of(&route) {
            if !reads {
                return Err(Refusal::Method);
            }
            let session = self.console_session(request).await?;
            return self.show_console(&session, target, request).await;
        }
        match route {
            Route::Enter if reads => Ok(self.enter_page(request)),
            Route::Ended if reads => Ok(self.ended(request)),
            Route::BrandStyle if reads => Ok(stylesheet(self.settings.brand.stylesheet())),
            Route::Session if posts => self.start(request).await,
            Route::EndSession if posts => self.end(request).await,
            Route::Enter
            | Route::Ended
            | Route::BrandStyle
            | Route::Session
            | Route::EndSession => Err(Refusal::Method),
            of_customer if reads => {
                let (customer, target) = Target::of(&of_customer).ok_or(Refusal::NotFound)?;
                let session = self.session(request).await?;
                let access = session.of_customer(&customer).ok_or(Refusal::NotFound)?;
                self.show(&access, target, request).await
            }
            of_customer => match (Action::of(&of_customer), Target::of(&of_customer)) {
                (Some((customer, action)), _) if posts => {
                    let (session, form) = self.change(request).await?;
                    let access = session.of_customer(&customer).ok_or(Refusal::NotFound)?;
                    self.act(&access, action, request, &form).await
                }
                (None, None) => Err(Refusal::NotFound),
                _ => Err(Refusal::Method),
            },
        }
    }

    /// The page after the end of a session.
    pub(crate) fn ended(&self, request: &Request) -> Answer {
        let mut frame = self.empty_frame();
        frame.return_to = self.return_link(request);
        page(StatusCode::OK, notices::ended(&frame, None))
    }
}
