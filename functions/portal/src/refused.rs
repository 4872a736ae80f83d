//! The answers to requests that are refused.

use lambda_http::Request;
use lambda_http::http::header::RETRY_AFTER;
use lambda_http::http::{Method, StatusCode};
use tracing::error;
use webhooks_api_types::Problem;
use webhooks_domain::ports::Clock;
use webhooks_lambda::with_sources;
use webhooks_pages::notices;

use crate::answer::{Answer, page, see_other, with_cookie};
use crate::data::{Queue, Table, Workflow};
use crate::form::MAX_BYTES;
use crate::refusal::Refusal;
use crate::router::Portal;

const FOREIGN: &str = "The form does not come from a page of this session. Go back, load the page \
                       again, and repeat it.";

const USED: &str = "A link works once, and for 5 minutes. Open the portal again from where you came \
                    from.";

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// The answer to a request that is refused.
    pub(crate) fn refused(&self, refusal: &Refusal, request: &Request) -> Answer {
        let mut frame = self.empty_frame();
        let too_large = format!("A form has at most {MAX_BYTES} bytes.");
        let mut retry_at = None;
        let detail;
        let (status, title, text) = match refusal {
            Refusal::Ended => return self.led_back(request),
            Refusal::NotFound => return page(StatusCode::NOT_FOUND, notices::not_found(&frame)),
            Refusal::LinkUsed => (StatusCode::GONE, "This link works no more", USED),
            Refusal::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "Not possible",
                "This address does not take such a request.",
            ),
            Refusal::Malformed => (
                StatusCode::BAD_REQUEST,
                "Not understood",
                "The request has another form than those of the portal's pages.",
            ),
            Refusal::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "Too large",
                too_large.as_str(),
            ),
            Refusal::Foreign => (StatusCode::FORBIDDEN, "Refused", FOREIGN),
            Refusal::Missing(missing) => (
                StatusCode::FORBIDDEN,
                "Not allowed",
                &*format!("{missing}."),
            ),
            Refusal::Api(problem) => {
                let status = StatusCode::from_u16(problem.status);
                let status = status.unwrap_or(StatusCode::BAD_REQUEST);
                (status, problem.title.as_str(), problem.detail.as_str())
            }
            Refusal::Conflict(problem) => {
                (StatusCode::CONFLICT, "Not possible now", problem.as_str())
            }
            Refusal::Limited(limited) => {
                retry_at = limited.retry_at();
                detail = limited.to_string();
                (
                    StatusCode::TOO_MANY_REQUESTS,
                    "Limit reached",
                    detail.as_str(),
                )
            }
            Refusal::Broken(problem) => (StatusCode::CONFLICT, "Cannot be read", problem.as_str()),
            Refusal::Failed(failure) => {
                error!(error = with_sources(&**failure), "request failed");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Temporarily unavailable",
                    "Try again in a moment.",
                )
            }
        };
        frame.return_to = self.return_link(request);
        let problem = Problem {
            kind: String::new(),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: text.to_owned(),
            field: None,
        };
        let mut answer = page(status, notices::problem(&frame, &problem));
        if let Some(at) = retry_at {
            let seconds = at.since(self.clock.now()).as_secs().max(1);
            answer.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        answer
    }

    /// Leads a browser whose session has ended to the operator's application, or says so.
    ///
    /// A form is answered by a page, because a browser applies the policy of the form's page to the
    /// place to which the form leads.
    fn led_back(&self, request: &Request) -> Answer {
        let back = self.return_url(request);
        let answer = if let Some(url) = back.filter(|_| *request.method() == Method::GET) {
            see_other(url.as_str())
        } else {
            let mut answer = self.ended(request);
            *answer.status_mut() = StatusCode::UNAUTHORIZED;
            answer
        };
        with_cookie(answer, &self.settings.kind.remove_session())
    }
}
