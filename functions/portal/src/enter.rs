//! The beginning and the end of a session.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use tracing::{info, warn};
use webhooks_domain::portal_access::{CheckedSession, Link};
use webhooks_domain::portal_session::{Audience, Holder, PortalCode, PortalSession};
use webhooks_domain::ports::{Clock, StoreError};
use webhooks_lambda::with_sources;
use webhooks_pages::notices::{self, Confirmation};
use webhooks_pages::paths::Route;

use crate::answer::{Answer, page, see_other, with_cookie, with_policy};
use crate::change::is_of_session;
use crate::cookies::Kind;
use crate::data::{Queue, Table, Workflow};
use crate::form::Fields;
use crate::refusal::Refusal;
use crate::router::Portal;

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// The page that exchanges a code. A customer's needs no further confirmation if a page of the
    /// operator's has led to it.
    pub(crate) fn enter_page(&self, request: &Request) -> Answer {
        let is_expected = self.settings.is_led_by_operator(request);
        let answer = page(
            StatusCode::OK,
            notices::enter(&self.empty_frame(), is_expected),
        );
        match self.settings.kind {
            Kind::Own => answer,
            Kind::Framed => with_cookie(answer, &Kind::Framed.set_probe()),
        }
    }

    /// Exchanges a code for a session.
    pub(crate) async fn start(&self, request: &Request) -> Result<Answer, Refusal> {
        let form = self.own_form(request)?;
        let code = form.get("code").and_then(|code| code.parse().ok());
        let code: PortalCode = code.ok_or(Refusal::LinkUsed)?;
        let kind = self.settings.kind;
        let keeps_cookies = kind == Kind::Own || kind.has_probe(request.headers());
        if !keeps_cookies && form.get("tab").is_none() {
            let confirmed = confirmed(&form, code.audience(), None);
            let frame = self.empty_frame();
            let html = notices::open_in_new_tab(&frame, &code.expose(), confirmed);
            return Ok(page(StatusCode::OK, html));
        }
        let link = self.access.find(code).await?.ok_or(Refusal::LinkUsed)?;
        let current = self.current(request).await?;
        let confirmed = confirmed(&form, link.audience(), current.as_ref());
        if !is_own(&link, current.as_ref()) && confirmed.is_none() {
            return Ok(self.ask(&link, current.as_ref()));
        }
        let entered = self.access.enter(&link).await?;
        let (session, token) = entered.ok_or(Refusal::LinkUsed)?;
        log("portal session entered", &session);
        if let Some(current) = &current {
            // The link is used up, so its session must reach the browser.
            if let Err(error) = self.leave(current).await {
                let error = with_sources(&error);
                warn!(session.id = %current.session().id, error, "portal session not left");
            }
        }
        let kept = session.ends_at.since(self.clock.now());
        let first_page = match &session.holder {
            Holder::Customer(customer) => Route::Endpoints {
                customer: customer.to_string(),
            },
            Holder::Support(_) => Route::Search,
        };
        let answer = see_other(&first_page.path());
        let answer = with_cookie(answer, &kind.set_session(&token, kept));
        let back = session.return_url.as_ref();
        Ok(with_cookie(answer, &kind.set_return(back, kept)))
    }

    /// The live session that a link would replace.
    async fn current(&self, request: &Request) -> Result<Option<CheckedSession>, Refusal> {
        match self.settings.kind.token(request.headers()) {
            Some(token) => Ok(self.access.check(token).await?),
            None => Ok(None),
        }
    }

    fn ask(&self, link: &Link, current: Option<&CheckedSession>) -> Answer {
        let frame = match current {
            Some(current) => self.frame_of(current),
            None => self.empty_frame(),
        };
        let customer = link.audience().customer().map(ToString::to_string);
        let html = notices::open_session(&frame, customer.as_deref(), &link.code().expose());
        let answer = page(StatusCode::OK, html);
        match link.audience() {
            Audience::Customer(_) => answer,
            Audience::Console => with_policy(answer, &self.settings.console_policy),
        }
    }

    /// Ends the session of a request.
    pub(crate) async fn end(&self, request: &Request) -> Result<Answer, Refusal> {
        let (session, _) = self.change(request).await?;
        self.leave(&session).await?;
        let answer = see_other(&Route::Ended.path());
        Ok(with_cookie(answer, &self.settings.kind.remove_session()))
    }

    async fn leave(&self, session: &CheckedSession) -> Result<(), StoreError> {
        self.access.leave(session).await?;
        log("portal session left", session.session());
        Ok(())
    }
}

/// Returns true if a link is of the customer whose session the browser has: then it sees and changes
/// the same. In the console changes have the name of an actor, so each link of the console asks.
fn is_own(link: &Link, current: Option<&CheckedSession>) -> bool {
    current.is_some_and(|current| match link.audience() {
        Audience::Console => false,
        own @ Audience::Customer(_) => *own == current.session().holder.audience(),
    })
}

/// The confirmation of somebody on a page of the portal that the link may open. If the browser has a
/// session, it must be a page of that session. A link of the console is confirmed by the page that asks
/// only: otherwise a page of the operator's with a stranger's link would open it.
fn confirmed(
    form: &Fields,
    audience: &Audience,
    current: Option<&CheckedSession>,
) -> Option<Confirmation> {
    let needed = match audience {
        Audience::Customer(_) => Confirmation::Portal,
        Audience::Console => Confirmation::Console,
    };
    let is_of_current = current.is_none_or(|current| is_of_session(form, current));
    (form.get("open") == Some(needed.as_str()) && is_of_current).then_some(needed)
}

fn log(message: &str, session: &PortalSession) {
    let audience = session.holder.audience();
    info!(
        customer.id = audience.customer().map(display),
        session.id = %session.id,
        actor = session.holder.actor().map(display),
        "{message}",
    );
}
