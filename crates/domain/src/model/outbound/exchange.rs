//! The HTTP request of one attempt, and its result.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::authentication::ClientIdentity;
use super::{EndpointUrl, Method, RequestTimeout, ResponseHeaders, Timings};

/// The outcome of an attempt. [`Succeeded`](Self::Succeeded) is the only success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttemptOutcome {
    /// The endpoint answered with a status from 200 to 299.
    Succeeded,
    /// The endpoint answered with another status, redirects included.
    HttpError,
    /// There were no status line and headers within the deadline.
    TimedOut,
    /// There was no answer, because name resolution, connection, TLS or protocol failed.
    Unreachable,
    /// The address policy refused an address; nothing was sent.
    Blocked,
    /// There was no access token for the request, which was not sent.
    NoToken,
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
            Self::NoToken => "noToken",
        }
    }
}

impl fmt::Display for AttemptOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One request, ready to be sent. The body is sent byte for byte.
///
/// `Debug` shows only sizes and header names, because values may be secrets and the body is the
/// payload.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookRequest {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: EndpointUrl,
    /// Headers in order, from [`request_headers`](super::request_headers). The sender adds only what
    /// HTTP needs (`host`, `content-length`) and `accept`.
    pub headers: Vec<(String, String)>,
    /// The body that was signed.
    pub body: Vec<u8>,
    /// The time limit of this exchange, if it is shorter than the sender's own.
    pub timeout: Option<RequestTimeout>,
    /// The time that the attempt has used before, in other requests. It is a part of the limit.
    pub spent: Duration,
    /// The client certificate that the connection shows if the endpoint asks for one.
    pub identity: Option<Box<ClientIdentity>>,
}

impl fmt::Debug for WebhookRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        formatter
            .debug_struct("WebhookRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .field("timeout", &self.timeout)
            .field("spent", &self.spent)
            .field("has_identity", &self.identity.is_some())
            .finish()
    }
}

impl WebhookRequest {
    /// Sets the value of a header that it has.
    pub fn set_header(&mut self, name: &str, value: String) {
        let mut headers = self.headers.iter_mut();
        if let Some((_, placeholder)) = headers.find(|(header, _)| header == name) {
            *placeholder = value;
        }
    }
}

/// The result of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookResponse {
    /// The outcome of the attempt.
    pub outcome: AttemptOutcome,
    /// The HTTP status, if there was a response.
    pub status: Option<u16>,
    /// The failure in a few words such as `connect: connection refused`: the phase, then the cause.
    /// It never contains a query, a header's value or the body.
    pub error: Option<String>,
    /// The address that answered. Without an answer, all addresses to which a new connection was
    /// tried: none if nothing was dialled, or if a kept connection broke during an answer.
    pub addresses: Vec<IpAddr>,
    /// The kept headers of the response.
    pub headers: ResponseHeaders,
    /// The beginning of the response body.
    pub body: ResponseBody,
    /// The unchanged `Retry-After` header, if it has at most
    /// [`MAX_RETRY_AFTER_BYTES`](Self::MAX_RETRY_AFTER_BYTES) of visible ASCII and spaces.
    pub retry_after: Option<String>,
    /// The time from the start of name resolution to the end of the response's head, or to the
    /// failure, in milliseconds. The body does not count: it decides nothing, and an endpoint that
    /// never ends its body is not slow.
    pub duration_ms: u32,
    /// The durations of its parts.
    pub timings: Timings,
}

/// The kept part of a response body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseBody {
    /// Its beginning as [legible](super::legible_lines) text.
    pub text: String,
    /// The number of bytes that were read. A body that is longer than the sender reads has more.
    pub size_bytes: u32,
    /// True if the text is not the whole body.
    pub is_cut: bool,
}

/// The text that replaces a secret. A secret that is shorter than this text is not hidden, so that
/// no text becomes longer.
pub const MASK: &str = "***";

/// The length of the shortest word of a secret, and of the shortest start of a secret, that is
/// hidden. A shorter text may be in the answer by chance.
const MIN_WORD_BYTES: usize = 8;

impl WebhookResponse {
    /// The largest total size of addresses, headers and excerpt of a failure. They are recorded with
    /// the attempt, and every later update of the delivery pays for them again.
    pub const MAX_DETAIL_BYTES: usize = 512;

    /// The longest `Retry-After` that is returned; an HTTP date takes 29 bytes.
    pub const MAX_RETRY_AFTER_BYTES: usize = 64;

    /// The result of an attempt for which no access token was granted. Nothing was sent.
    pub fn without_token(error: String, duration: Duration) -> Self {
        Self {
            outcome: AttemptOutcome::NoToken,
            status: None,
            error: Some(error),
            addresses: Vec::new(),
            headers: ResponseHeaders::default(),
            body: ResponseBody::default(),
            retry_after: None,
            duration_ms: u32::try_from(duration.as_millis()).unwrap_or(u32::MAX),
            timings: Timings::default(),
        }
    }

    /// Hides secrets that the endpoint has repeated in its response, because headers and body are
    /// stored and shown.
    ///
    /// A secret is hidden as a whole, and so is each of its words, as in `Bearer TOKEN`. An
    /// endpoint that repeats it in another form, such as base64, is not noticed.
    pub fn hide<'a>(&mut self, secrets: impl IntoIterator<Item = &'a str>) {
        let mut hidden: Vec<&str> = Vec::new();
        for secret in secrets {
            let words = secret
                .split(' ')
                .filter(|word| word.len() >= MIN_WORD_BYTES);
            hidden.extend(std::iter::once(secret).chain(words));
        }
        hidden.retain(|text| text.len() >= MASK.len());
        // The longest first, because it may contain others.
        hidden.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let body = std::iter::once(&mut self.body.text);
        for text in self.headers.values_mut().chain(body) {
            for secret in &hidden {
                // The search is much faster than the replacement.
                if memmem::find(text.as_bytes(), secret.as_bytes()).is_some() {
                    *text = text.replace(secret, MASK);
                }
            }
            // The text may have been cut inside a secret.
            let cut = |secret: &&str| {
                let starts = (MIN_WORD_BYTES..secret.len()).rev();
                let mut starts = starts.filter_map(|bytes| secret.get(..bytes));
                starts.find(|start| text.ends_with(start)).map(str::len)
            };
            if let Some(bytes) = hidden.iter().filter_map(cut).max() {
                text.truncate(text.len() - bytes);
                text.push_str(MASK);
            }
        }
    }

    /// The bytes of `total` that addresses and headers leave for the excerpt. Each entry counts one
    /// byte more than its text, as in the table.
    pub fn room_for_excerpt(
        total: usize,
        addresses: &[IpAddr],
        headers: &ResponseHeaders,
    ) -> usize {
        let addresses = addresses.iter().map(|address| address.to_string().len());
        let headers = headers.iter().map(|(name, value)| name.len() + value.len());
        let taken: usize = addresses.chain(headers).map(|bytes| bytes + 1).sum();
        total.saturating_sub(taken)
    }
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
            AttemptOutcome::NoToken,
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

    /// A response whose excerpt and `server` header are this text.
    fn response(text: &str) -> WebhookResponse {
        let header = |name: &str| (name == "server").then_some(text.as_bytes());
        WebhookResponse {
            outcome: AttemptOutcome::Succeeded,
            status: Some(200),
            error: None,
            addresses: Vec::new(),
            headers: ResponseHeaders::keep(header),
            body: ResponseBody {
                text: text.to_owned(),
                ..ResponseBody::default()
            },
            retry_after: None,
            duration_ms: 1,
            timings: Timings::default(),
        }
    }

    #[test]
    fn a_secret_that_the_endpoint_repeats_is_hidden() {
        let secrets = ["Bearer t0ken-of-acme", "k3y", "", "a"];
        for (text, hidden) in [
            ("a: Bearer t0ken-of-acme", "a: ***"),
            ("t0ken-of-acme? t0ken-of-acme!", "***? ***!"),
            ("{\"k\":\"k3y\"}", "{\"k\":\"***\"}"),
            ("cut: Bearer t0ken-", "cut: ***"),
            ("cut: t0ken-of", "cut: ***"),
            ("nothing, Bearer", "nothing, Bearer"),
            ("", ""),
        ] {
            let mut response = response(text);
            response.hide(secrets);
            assert_eq!(response.body.text, hidden);
            let headers: Vec<_> = response.headers.iter().map(|(_, value)| value).collect();
            let expected: Vec<_> = Some(hidden)
                .filter(|text| !text.is_empty())
                .into_iter()
                .collect();
            assert_eq!(headers, expected);
        }
    }

    #[test]
    fn the_debug_form_of_a_request_shows_no_value_and_no_payload() {
        let url = "https://example.com/hook?token=s3cret";
        let request = WebhookRequest {
            method: Method::Post,
            url: EndpointUrl::parse(url, &DevelopmentNetworks::none()).unwrap(),
            headers: vec![("authorization".to_owned(), "Bearer s3cret".to_owned())],
            body: b"s3cret".to_vec(),
            timeout: None,
            spent: Duration::ZERO,
            identity: None,
        };
        let text = format!("{request:?}");
        assert!(text.contains("authorization"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}
