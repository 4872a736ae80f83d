//! The beginning and the end of a session.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use tracing::info;
use webhooks_domain::portal_access::CheckedSession;
use webhooks_domain::portal_session::{Audience, Holder, PortalCode, PortalSession};
use webhooks_domain::ports::Clock;
use webhooks_pages::notices;
use webhooks_pages::paths::Route;

use crate::answer::{Answer, page, see_other, with_cookie};
use crate::change::is_of_session;
use crate::cookies::Kind;
use crate::data::{Queue, Table, Workflow};
use crate::form::Fields;
use crate::refusal::Refusal;
use crate::router::Portal;

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// The page that exchanges a code. It is the same for everybody.
    pub(crate) fn enter_page(&self) -> Answer {
        let answer = page(StatusCode::OK, notices::enter(&self.empty_frame()));
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
            let html = notices::open_in_new_tab(&self.empty_frame(), &code.expose());
            return Ok(page(StatusCode::OK, html));
        }
        let other = self.session_of_another(request, &code).await?;
        if let Some(other) = &other
            && !is_confirmed(&form, other)
        {
            return Ok(self.ask(other, &code));
        }
        let entered = self.access.enter(&code).await?;
        let (session, token) = entered.ok_or(Refusal::LinkUsed)?;
        log("portal session entered", &session);
        if let Some(other) = &other {
            self.leave(other).await?;
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

    /// The live session of another customer, or of somebody's in the console, which a code would
    /// replace. Another session of the same customer sees and changes the same.
    async fn session_of_another(
        &self,
        request: &Request,
        code: &PortalCode,
    ) -> Result<Option<CheckedSession>, Refusal> {
        let token = self.settings.kind.token(request.headers());
        let token = token.filter(|token| {
            let is_of_console = *token.audience() == Audience::Console;
            is_of_console || token.audience() != code.audience()
        });
        match token {
            Some(token) => Ok(self.access.check(token).await?),
            None => Ok(None),
        }
    }

    fn ask(&self, current: &CheckedSession, code: &PortalCode) -> Answer {
        let frame = self.frame_of(current);
        let html = notices::replace_session(&frame, &code.expose());
        page(StatusCode::OK, html)
    }

    /// Ends the session of a request.
    pub(crate) async fn end(&self, request: &Request) -> Result<Answer, Refusal> {
        let (session, _) = self.change(request).await?;
        self.leave(&session).await?;
        let answer = see_other(&Route::Ended.path());
        Ok(with_cookie(answer, &self.settings.kind.remove_session()))
    }

    async fn leave(&self, session: &CheckedSession) -> Result<(), Refusal> {
        self.access.leave(session).await?;
        log("portal session left", session.session());
        Ok(())
    }
}

/// Returns true if somebody has confirmed, on a page of the session, that another one may replace it.
fn is_confirmed(form: &Fields, current: &CheckedSession) -> bool {
    form.get("replace") == Some("yes") && is_of_session(form, current)
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
