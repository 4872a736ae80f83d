//! The contacts of a customer, and the confirmation of an address by whoever reads its mail.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use webhooks_domain::portal_access::{Access, CustomerScope};
use webhooks_domain::portal_session::Capability;
use webhooks_domain::ports::Clock;
use webhooks_pages::contacts::{self, Confirmed, Contacts};
use webhooks_pages::frame::Frame;
use webhooks_pages::paths::Route;
use webhooks_pages::problem::FormProblem;
use webhooks_wire::answers;

use crate::answer::{Answer, page};
use crate::data::{Queue, Table, Workflow};
use crate::flash::Done;
use crate::form::Fields;
use crate::refusal::{Refusal, accepted};
use crate::router::Portal;

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// The page of the contacts. Addresses are shown to whoever may change them.
    pub(crate) async fn contacts(
        &self,
        frame: &Frame,
        scope: &CustomerScope,
        entered: &str,
        problem: Option<FormProblem>,
    ) -> Result<String, Refusal> {
        scope.require(Capability::Manage)?;
        let found = self.data.customer(scope).await?;
        let found = found.map(|found| answers::customer(found).contacts);
        let view = Contacts {
            customer: scope.customer().to_string(),
            contacts: found.unwrap_or_default(),
            entered: entered.to_owned(),
            problem,
        };
        Ok(contacts::page(frame, &view))
    }

    /// Adds a contact. The API asks its address for a confirmation.
    pub(crate) async fn add_contact(
        &self,
        access: &Access,
        form: &Fields,
    ) -> Result<Answer, Refusal> {
        let scope = &access.scope;
        let address = form.get("address").unwrap_or_default().trim();
        let added = self.api.add_contact(scope, address).await;
        match accepted(added)? {
            Ok(()) => Ok(self.done(Done::ContactAdded, &of(scope))),
            Err(problem) => {
                let frame = self.frame(access);
                let html = self.contacts(&frame, scope, address, Some(problem)).await?;
                Ok(page(StatusCode::OK, html))
            }
        }
    }

    /// Removes a contact.
    pub(crate) async fn remove_contact(
        &self,
        access: &Access,
        form: &Fields,
    ) -> Result<Answer, Refusal> {
        let scope = &access.scope;
        let address = form.get("address").ok_or(Refusal::Malformed)?;
        let removed = self.api.remove_contact(scope, address).await;
        match accepted(removed)? {
            Ok(()) => Ok(self.done(Done::ContactRemoved, &of(scope))),
            Err(problem) => {
                let frame = self.frame(access);
                let html = self.contacts(&frame, scope, "", Some(problem)).await?;
                Ok(page(StatusCode::OK, html))
            }
        }
    }

    /// The public page that confirms an address. It does nothing by itself.
    pub(crate) fn confirm_page(&self) -> Answer {
        page(StatusCode::OK, contacts::confirm_page(&self.empty_frame()))
    }

    /// Confirms an address, for a form of the page above. The code is the only permission that it
    /// needs, so that the person needs no session.
    pub(crate) async fn confirm_contact(&self, request: &Request) -> Result<Answer, Refusal> {
        let form = self.own_form(request)?;
        let code = form.get("code").unwrap_or_default();
        let confirmed = self.api.confirm_contact(code).await;
        let (status, confirmed) = match accepted(confirmed)? {
            Ok(()) => (StatusCode::OK, Confirmed::Now),
            Err(_) => (StatusCode::GONE, Confirmed::TooLate),
        };
        let html = contacts::confirmed_page(&self.empty_frame(), confirmed);
        Ok(page(status, html))
    }
}

fn of(scope: &CustomerScope) -> Route {
    Route::Contacts {
        customer: scope.customer().to_string(),
    }
}
