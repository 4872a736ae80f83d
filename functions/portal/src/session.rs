//! The session of a request.

use lambda_http::Request;
use webhooks_domain::portal_access::CheckedSession;
use webhooks_domain::portal_session::{Audience, PortalToken};
use webhooks_domain::ports::Clock;

use crate::data::{Queue, Table, Workflow};
use crate::refusal::Refusal;
use crate::router::Portal;

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// The checked session of a request. A cookie in another form costs no read.
    pub(crate) async fn session(&self, request: &Request) -> Result<CheckedSession, Refusal> {
        let token = self.settings.kind.token(request.headers());
        let token = token.ok_or(Refusal::Ended)?;
        self.access.check(token).await?.ok_or(Refusal::Ended)
    }

    /// The checked session of a request for a page of the console. For a customer's session there is
    /// no such page, which costs no read.
    pub(crate) async fn console_session(
        &self,
        request: &Request,
    ) -> Result<CheckedSession, Refusal> {
        let token = self.settings.kind.token(request.headers());
        match token.as_ref().map(PortalToken::audience) {
            Some(Audience::Customer(_)) => Err(Refusal::NotFound),
            Some(Audience::Console) | None => self.session(request).await,
        }
    }
}
