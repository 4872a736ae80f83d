//! The port that makes one HTTP request for one attempt.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{EndpointUrl, RequestTimeout, ResponseHeaders};

/// How an attempt ended. Only [`Succeeded`](Self::Succeeded) ends the delivery well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttemptOutcome {
    /// The endpoint answered with a status from 200 to 299.
    Succeeded,
    /// The endpoint answered with another status, redirects included.
    HttpError,
    /// No status line and headers within the deadline.
    TimedOut,
    /// No answer: name resolution, connection, TLS or protocol failed.
    Unreachable,
    /// The address policy refused an address; nothing was sent.
    Blocked,
}

impl AttemptOutcome {
    /// The outcome's name in the table and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::HttpError => "httpError",
            Self::TimedOut => "timedOut",
            Self::Unreachable => "unreachable",
            Self::Blocked => "blocked",
        }
    }
}

impl fmt::Display for AttemptOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One POST, ready to be sent: the body is sent byte for byte.
///
/// `Debug` shows sizes and header names only: values may be secrets, the body is the payload.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookRequest {
    /// Where to.
    pub url: EndpointUrl,
    /// Headers in order: content type, signature, custom ones. The sender adds only what
    /// HTTP needs (`host`, `content-length`) and `accept`.
    pub headers: Vec<(String, String)>,
    /// The body that was signed.
    pub body: Vec<u8>,
    /// How long the exchange may take, when that is less than the sender's own limit.
    pub timeout: Option<RequestTimeout>,
}

impl fmt::Debug for WebhookRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        formatter
            .debug_struct("WebhookRequest")
            .field("url", &self.url)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookResponse {
    /// How the attempt ended.
    pub outcome: AttemptOutcome,
    /// The HTTP status, when there was a response.
    pub status: Option<u16>,
    /// What failed, in a few words such as `connect: connection refused`: the phase, then
    /// the cause. Never a part of the URL's query, a header's value or the body.
    pub error: Option<String>,
    /// The address that answered. Without an answer, all that a new connection was tried to:
    /// none when nothing was dialled, or when a kept connection broke in an answer.
    pub addresses: Vec<IpAddr>,
    /// What is kept of the response's headers.
    pub headers: ResponseHeaders,
    /// The beginning of the response body, without control characters: as many bytes of UTF-8
    /// as there is [room](Self::room_for_excerpt) for.
    pub excerpt: Option<String>,
    /// The `Retry-After` header as it came, when it is at most
    /// [`MAX_RETRY_AFTER_BYTES`](Self::MAX_RETRY_AFTER_BYTES) of visible ASCII and spaces.
    pub retry_after: Option<String>,
    /// From the start of name resolution to the end of the response's head, or to the failure,
    /// in milliseconds. The body is not in it: it decides nothing, and an endpoint that never
    /// ends it is not slow.
    pub duration_ms: u32,
}

impl WebhookResponse {
    /// The most that is kept of where a response came from and what it said: addresses,
    /// headers and excerpt together. It is recorded with the attempt, and every later update
    /// of the delivery pays for it again.
    pub const MAX_DETAIL_BYTES: usize = 512;

    /// The longest `Retry-After` that is passed on; an HTTP date takes 29 bytes.
    pub const MAX_RETRY_AFTER_BYTES: usize = 64;

    /// The bytes that addresses and headers leave to the excerpt. Each entry counts one byte
    /// more than its text, as the table does.
    pub fn room_for_excerpt(addresses: &[IpAddr], headers: &ResponseHeaders) -> usize {
        let addresses = addresses.iter().map(|address| address.to_string().len());
        let headers = headers.iter().map(|(name, value)| name.len() + value.len());
        let taken: usize = addresses.chain(headers).map(|bytes| bytes + 1).sum();
        Self::MAX_DETAIL_BYTES.saturating_sub(taken)
    }
}

/// Sends webhooks.
///
/// Each call makes at most one HTTP request and follows nothing; except that a request on a kept
/// connection that fails before a byte of an answer came is made once more, on a fresh one: that
/// failure says nothing of the endpoint. It always returns within the
/// sender's deadline, and never fails: what goes wrong is the attempt's outcome. A call that is
/// cancelled (its future dropped) may have reached the endpoint.
pub trait WebhookSender {
    /// Makes the request and waits for the response, at most until the deadline.
    fn send(&self, request: WebhookRequest) -> impl Future<Output = WebhookResponse> + Send;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::DevelopmentNetworks;
    use super::*;

    #[test]
    fn an_outcome_has_one_name_in_text_and_in_json() {
        for outcome in [
            AttemptOutcome::Succeeded,
            AttemptOutcome::HttpError,
            AttemptOutcome::TimedOut,
            AttemptOutcome::Unreachable,
            AttemptOutcome::Blocked,
        ] {
            let json = serde_json::to_value(outcome).unwrap();
            assert_eq!(json, outcome.as_str());
            assert_eq!(json, outcome.to_string());
            assert_eq!(
                serde_json::from_value::<AttemptOutcome>(json).unwrap(),
                outcome
            );
        }
    }

    #[test]
    fn a_request_in_a_log_shows_no_value_and_no_payload() {
        let url = "https://example.com/hook?token=s3cret";
        let request = WebhookRequest {
            url: EndpointUrl::parse(url, &DevelopmentNetworks::none()).unwrap(),
            headers: vec![("authorization".to_owned(), "Bearer s3cret".to_owned())],
            body: b"s3cret".to_vec(),
            timeout: None,
        };
        let text = format!("{request:?}");
        assert!(text.contains("authorization"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}
