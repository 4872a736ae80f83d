//! The pages of the console, beside those of every customer.

mod data;
mod queues;

use lambda_http::Request;
use lambda_http::http::StatusCode;
use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};
use webhooks_api_types as api;
use webhooks_domain::ids::MessageId;
use webhooks_domain::portal_access::{CheckedSession, ConsoleScope};
use webhooks_domain::portal_session::Capability;
use webhooks_domain::ports::Clock;
use webhooks_pages::console::{
    Runbook, Search, Unhealthy, message_page, queues_page, runbook_page, search_page,
    unhealthy_page,
};
use webhooks_pages::frame::{CustomerName, Frame};
use webhooks_pages::paths::Route;
use webhooks_pages::problem::FormProblem;
use webhooks_wire::cursor::Cursor;
use webhooks_wire::lists;

use crate::answer::{Answer, page, see_other};
use crate::data::{Queue, Table, Workflow};
use crate::form::Fields;
use crate::hidden;
use crate::refusal::Refusal;
use crate::router::Portal;

pub(crate) use data::ConsoleData;
use data::Wanted;
#[cfg(test)]
pub(crate) use queues::CountMessages;
pub(crate) use queues::Queues;

/// The number of customers on a page.
const CUSTOMERS: u32 = 25;
/// The number of unhealthy subscriptions on a page. Each costs a read, and those of its deliveries that
/// are counted.
const UNHEALTHY: u32 = 10;
/// The number of deliveries on the page of a message.
const DELIVERIES: u32 = 25;

/// A page of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConsolePage {
    Search,
    Unhealthy,
    Queues,
    Runbook(Runbook),
    Message(MessageId),
}

impl ConsolePage {
    /// The page of a path. `None` for a path of no page, and for one with a malformed id.
    pub(crate) fn of(route: &Route) -> Option<Self> {
        Some(match route {
            Route::Search => Self::Search,
            Route::Unhealthy => Self::Unhealthy,
            Route::Queues => Self::Queues,
            Route::Runbook { alarm } => Self::Runbook(Runbook::of(alarm)?),
            Route::Message { message } => Self::Message(message.parse().ok()?),
            _ => return None,
        })
    }
}

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// Shows a page of the console.
    pub(crate) async fn show_console(
        &self,
        session: &CheckedSession,
        target: ConsolePage,
        request: &Request,
    ) -> Result<Answer, Refusal> {
        let scope = session.of_console().ok_or(Refusal::NotFound)?;
        scope.require(Capability::View)?;
        let (frame, query) = (self.frame_of(session), Fields::of_query(request)?);
        let html = match target {
            ConsolePage::Search => return self.search(&frame, &scope, &query).await,
            ConsolePage::Unhealthy => self.unhealthy(&frame, &scope, &query).await?,
            ConsolePage::Queues => {
                let queues = self.console.queues(&scope).await;
                queues_page(&frame, &queues)
            }
            ConsolePage::Runbook(runbook) => runbook_page(&frame, runbook),
            ConsolePage::Message(id) => {
                let after = query.get("cursor").map(str::parse).transpose();
                let after = after.map_err(|_| Refusal::Malformed)?;
                let found = self
                    .console
                    .message(&scope, &id, after.as_ref(), DELIVERIES);
                let mut message = lists::message(found.await?);
                let capabilities = &session.session().capabilities;
                let deliveries = message.deliveries.into_iter();
                message.deliveries = deliveries
                    .map(|delivery| hidden::in_delivery(capabilities, delivery))
                    .collect();
                let customer = message.customer_id.clone();
                message_page(&of_customer(frame, customer), &message)
            }
        };
        Ok(page(StatusCode::OK, html))
    }

    /// Leads to what has the id that was entered, or says that there is none.
    async fn search(
        &self,
        frame: &Frame,
        scope: &ConsoleScope,
        query: &Fields,
    ) -> Result<Answer, Refusal> {
        let entered = query.get("q").unwrap_or_default().trim();
        let problem = if entered.is_empty() {
            None
        } else {
            let wanted = Wanted::parse(entered);
            match self.console.find(scope, &wanted).await? {
                Some(route) => return Ok(see_other(&route.path())),
                None => Some(wanted.not_found()),
            }
        };
        let after = lists::place(query.get("cursor")).map_err(|_| Refusal::Malformed)?;
        let listed = self.console.customers(scope, after, CUSTOMERS).await?;
        let listed = lists::customers(listed);
        let view = Search {
            query: entered.to_owned(),
            problem: problem.map(|text| FormProblem {
                field: Some("q".to_owned()),
                text: text.to_owned(),
            }),
            customers: listed.data.into_iter().map(named).collect(),
            next_cursor: listed.next_cursor,
        };
        Ok(page(StatusCode::OK, search_page(frame, &view)))
    }

    async fn unhealthy(
        &self,
        frame: &Frame,
        scope: &ConsoleScope,
        query: &Fields,
    ) -> Result<String, Refusal> {
        let kind = query.get("kind").map(problem_kind).transpose()?;
        let after = lists::place(query.get("cursor")).map_err(|_| Refusal::Malformed)?;
        let wanted = kind.map(lists::problem_kind);
        let listed = self
            .console
            .unhealthy(scope, wanted, after.as_ref(), UNHEALTHY);
        let view = Unhealthy {
            kind,
            page: lists::unhealthy(listed.await?, |place| Cursor(place).to_string()),
        };
        Ok(unhealthy_page(frame, &view))
    }
}

fn problem_kind(name: &str) -> Result<api::ProblemKind, Refusal> {
    let name = StrDeserializer::<ValueError>::new(name);
    api::ProblemKind::deserialize(name).map_err(|_| Refusal::Malformed)
}

fn named(customer: api::Customer) -> CustomerName {
    CustomerName {
        id: customer.id,
        name: customer.name,
    }
}

fn of_customer(frame: Frame, customer: String) -> Frame {
    Frame {
        customer: Some(CustomerName {
            id: customer,
            name: None,
        }),
        ..frame
    }
}
