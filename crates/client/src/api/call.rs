//! One request to the API, until it is sent.

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, IF_MATCH};
use http::{HeaderName, Method, Request, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Answered, Api};
use crate::Error;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The pauses before a request is sent again.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// One request to the API. `.await` sends it and reads its answer as a `T`.
///
/// Nothing is sent before that, nor when it is dropped.
#[must_use = "nothing is sent before it is awaited"]
pub struct Call<'a, T> {
    api: &'a Api,
    method: Method,
    path: Vec<String>,
    query: String,
    headers: Vec<(HeaderName, String)>,
    body: Option<Bytes>,
    answer: PhantomData<fn() -> T>,
}

/// The answer of a [`Call`] that is sent.
pub type Sent<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

impl<'a, T> Call<'a, T> {
    pub(super) fn new(api: &'a Api, method: Method, path: &[&str]) -> Self {
        Self {
            api,
            method,
            path: path.iter().map(|&segment| segment.to_owned()).collect(),
            query: String::new(),
            headers: Vec::new(),
            body: None,
            answer: PhantomData,
        }
    }

    pub(super) fn json(self, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("what requests hold has a JSON form");
        Self {
            body: Some(body.into()),
            ..self
        }
    }

    /// With whatever a caller gives, well formed or not.
    pub(super) fn bytes(self, body: Option<Bytes>) -> Self {
        Self { body, ..self }
    }

    pub(super) fn query(self, query: &impl Serialize) -> Self {
        let query = serde_urlencoded::to_string(query);
        Self {
            query: query.expect("parameters are texts, numbers and names"),
            ..self
        }
    }

    /// The same request for one version of the subscription only.
    pub fn if_match(mut self, version: u64) -> Self {
        self.headers.push((IF_MATCH, format!("\"{version}\"")));
        self
    }

    /// The same request with a name that makes it safe to send it again.
    pub fn idempotency_key(mut self, key: &str) -> Self {
        let name = HeaderName::from_static(IDEMPOTENCY_KEY);
        self.headers.push((name, key.to_owned()));
        self
    }

    /// Sends it. Any answer is `Ok`.
    ///
    /// A request that is safe to repeat (a `GET`, or one with an idempotency key) is made up to
    /// three times while the answer is 429, 502, 503 or 504.
    ///
    /// # Errors
    /// When it cannot be signed, or no answer comes.
    pub async fn answer(self) -> Result<Answered, Error> {
        // A URL cannot hold them: they would name another path.
        if let Some(dots) = self.path.iter().find(|segment| is_dots(segment)) {
            return Err(Error::Request(
                format!("`{dots}` is no id: it cannot be a part of a URL's path").into(),
            ));
        }
        let mut url = self.api.transport.root();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(&self.path);
        }
        if !self.query.is_empty() {
            url.set_query(Some(&self.query));
        }
        let key = HeaderName::from_static(IDEMPOTENCY_KEY);
        let repeatable = self.method == Method::GET || self.headers.iter().any(|(n, _)| *n == key);
        let mut request = Request::builder().method(self.method).uri(url.as_str());
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(self.body.unwrap_or_default())
            .map_err(|error| Error::Request(error.into()))?;
        let api = self.api;
        let mut pauses = if repeatable { &PAUSES[..] } else { &[] }.iter();
        let response = loop {
            let response = api.transport.send(&api.http, request.clone()).await?;
            match pauses.next() {
                Some(&pause) if is_transient(response.status()) => tokio::time::sleep(pause).await,
                _ => break response,
            }
        };
        let (parts, body) = response.into_parts();
        let content_type = parts.headers.get(CONTENT_TYPE);
        Ok(Answered {
            status: parts.status,
            content_type: content_type
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned(),
            headers: parts.headers,
            body,
        })
    }
}

/// Returns true if the same request may succeed a moment later.
fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502..=504)
}

/// Returns true if a URL parser reads this segment as the same or the parent folder.
fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

impl<'a, T: DeserializeOwned + 'a> IntoFuture for Call<'a, T> {
    type Output = Result<T, Error>;
    type IntoFuture = Sent<'a, T>;

    fn into_future(self) -> Sent<'a, T> {
        Box::pin(async move { self.answer().await?.read() })
    }
}
