//! Requests that change something.

use lambda_http::Request;
use webhooks_domain::portal_access::CheckedSession;
use webhooks_domain::ports::Clock;

use crate::data::{Queue, Table, Workflow};
use crate::form::Fields;
use crate::refusal::Refusal;
use crate::router::Portal;

/// The field with the token of the session.
const CSRF: &str = "csrf";

/// Returns true if a form has the token of this session.
pub(crate) fn is_of_session(form: &Fields, session: &CheckedSession) -> bool {
    let token = form.get(CSRF);
    token.is_some_and(|token| session.accepts_csrf(token))
}

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// The form of a request from a page of the portal. It costs no read.
    pub(crate) fn own_form(&self, request: &Request) -> Result<Fields, Refusal> {
        if !self.settings.is_own(request) {
            return Err(Refusal::Foreign);
        }
        Fields::of_body(request)
    }

    /// Checks a request that changes something: its origin, its form, its session, and that the form
    /// has the token of the session.
    pub(crate) async fn change(
        &self,
        request: &Request,
    ) -> Result<(CheckedSession, Fields), Refusal> {
        let form = self.own_form(request)?;
        let session = self.session(request).await?;
        if is_of_session(&form, &session) {
            Ok((session, form))
        } else {
            Err(Refusal::Foreign)
        }
    }
}
