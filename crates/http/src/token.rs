//! `HttpSender` as the adapter of the port `TokenEndpoint`.
//!
//! A token endpoint is a URL that a customer chose, so a request to it passes the same checks as a
//! webhook. The answer differs: its whole body is needed, so it is waited for until the deadline,
//! and one that is too large is a failure.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::CONTENT_LENGTH;
use tokio::time::{Instant, timeout_at};
use webhooks_domain::outbound::{TokenAnswer, WebhookRequest};
use webhooks_domain::ports::TokenEndpoint;

use crate::failure::{self, Failure};
use crate::phase::Phase;
use crate::sender::{Answer, Bound, Course, HttpSender, Prepared, is_ambiguous};

impl TokenEndpoint for HttpSender {
    async fn request_token(&self, request: WebhookRequest) -> TokenAnswer {
        match self.ask(request).await {
            Ok(answer) => answer,
            Err(Failure { error, .. }) => TokenAnswer::Failed { error },
        }
    }
}

impl HttpSender {
    async fn ask(&self, request: WebhookRequest) -> Result<TokenAnswer, Failure> {
        let bound = self.bound(&request, Instant::now());
        let url = request.url.clone();
        self.check_url(&url)?;
        let prepared = Prepared::new(request)?;
        let mut course = Course::default();
        let answer = self.request(&prepared, &url, bound, &mut course).await?;
        let (mut connection, response) = match answer {
            Answer::Whole(connection, response) => (connection, response),
            Answer::Status(status, _) => {
                return Ok(TokenAnswer::Answered {
                    status: status.as_u16(),
                    body: Vec::new(),
                });
            }
        };
        let (head, mut body) = response.into_parts();
        let stated = head.headers.get(CONTENT_LENGTH);
        let stated = stated.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if stated.is_some_and(|length| length > TokenAnswer::MAX_BYTES as u64) {
            return Err(too_large());
        }
        let read = read_whole(&mut body, bound).await?;
        if !is_ambiguous(&head.headers) {
            connection.finish();
            self.keep(prepared, connection);
        }
        Ok(TokenAnswer::Answered {
            status: head.status.as_u16(),
            body: read,
        })
    }
}

fn too_large() -> Failure {
    let max = TokenAnswer::MAX_BYTES;
    Failure::unreachable(format!("body: more than {max} bytes"))
}

/// Reads a body to its end. It stops as soon as the body is too large.
async fn read_whole(body: &mut Incoming, bound: Bound) -> Result<Vec<u8>, Failure> {
    let mut read = Vec::new();
    loop {
        let frame = timeout_at(bound.deadline, body.frame()).await;
        let frame = frame.map_err(|_| Failure::timed_out(Phase::Body, bound.limit))?;
        let Some(frame) = frame else { return Ok(read) };
        let frame = frame.map_err(|error| Failure::unreachable(failure::broken_body(&error)))?;
        let Some(chunk) = frame.data_ref() else {
            continue;
        };
        if read.len() + chunk.len() > TokenAnswer::MAX_BYTES {
            return Err(too_large());
        }
        read.extend_from_slice(chunk);
    }
}
