//! The management API of a stack.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header::CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::{
    CreatedSubscription, Delivery, Error, Message, Page, Problem, RotatedSecret, SignedHttp,
    Subscription,
};

/// Between two looks at a message that is waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// An answer of the API as it came.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: StatusCode,
    /// The `content-type` header, empty when there was none.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

impl Answered {
    /// The body as problem details, when it is that.
    pub fn problem(&self) -> Option<Problem> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as text, cut to 1,024 characters.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body)
            .chars()
            .take(1024)
            .collect()
    }

    fn into_success(self) -> Result<Bytes, Error> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        Err(self
            .problem()
            .map_or_else(|| self.unexpected(), Error::Problem))
    }

    fn read<T: DeserializeOwned>(self) -> Result<T, Error> {
        let unexpected = self.unexpected();
        let body = self.into_success()?;
        serde_json::from_slice(&body).map_err(|_| unexpected)
    }

    fn unexpected(&self) -> Error {
        Error::UnexpectedAnswer {
            status: self.status.as_u16(),
            body: self.text(),
        }
    }
}

/// The management API, behind its Function URL.
#[derive(Clone, Debug)]
pub struct Api {
    url: Url,
    http: SignedHttp,
}

impl Api {
    pub(crate) fn new(url: &str, http: SignedHttp) -> Result<Self, Error> {
        let url = url
            .parse()
            .map_err(|error: url::ParseError| Error::Request(error.into()))?;
        Ok(Self { url, http })
    }

    /// The same API without signatures: it refuses every request.
    #[must_use]
    pub fn unsigned(&self) -> Self {
        Self {
            url: self.url.clone(),
            http: self.http.unsigned(),
        }
    }

    /// Creates a subscription from `{url, eventTypes, filter?, description?,
    /// headers?, secret?, status?}`.
    pub async fn create_subscription(
        &self,
        customer_id: &str,
        subscription: &Value,
    ) -> Result<CreatedSubscription, Error> {
        let path = ["customers", customer_id, "subscriptions"];
        self.request(Method::POST, &path, &[], Some(subscription))
            .await?
            .read()
    }

    /// One page of a customer's subscriptions.
    pub async fn subscriptions(
        &self,
        customer_id: &str,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<Page<Subscription>, Error> {
        let limit = limit.map(|limit| limit.to_string());
        let query: Vec<_> = [("limit", limit.as_deref()), ("cursor", cursor)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let path = ["customers", customer_id, "subscriptions"];
        self.request(Method::GET, &path, &query, None).await?.read()
    }

    /// One subscription.
    pub async fn subscription(
        &self,
        customer_id: &str,
        subscription_id: &str,
    ) -> Result<Subscription, Error> {
        let path = ["customers", customer_id, "subscriptions", subscription_id];
        self.request(Method::GET, &path, &[], None).await?.read()
    }

    /// Changes a subscription by a JSON merge patch (RFC 7396).
    pub async fn update_subscription(
        &self,
        customer_id: &str,
        subscription_id: &str,
        changes: &Value,
    ) -> Result<Subscription, Error> {
        let path = ["customers", customer_id, "subscriptions", subscription_id];
        self.request(Method::PATCH, &path, &[], Some(changes))
            .await?
            .read()
    }

    /// Gives a subscription a new secret, by `{overlapSeconds?, kind?, secret?}`.
    pub async fn rotate_secret(
        &self,
        customer_id: &str,
        subscription_id: &str,
        rotation: &Value,
    ) -> Result<RotatedSecret, Error> {
        let path = [
            "customers",
            customer_id,
            "subscriptions",
            subscription_id,
            "secret",
            "rotate",
        ];
        self.request(Method::POST, &path, &[], Some(rotation))
            .await?
            .read()
    }

    /// Deletes a subscription.
    pub async fn delete_subscription(
        &self,
        customer_id: &str,
        subscription_id: &str,
    ) -> Result<(), Error> {
        let path = ["customers", customer_id, "subscriptions", subscription_id];
        self.request(Method::DELETE, &path, &[], None)
            .await?
            .into_success()
            .map(drop)
    }

    /// A message with its deliveries.
    pub async fn message(&self, message_id: &str) -> Result<Message, Error> {
        self.request(Method::GET, &["messages", message_id], &[], None)
            .await?
            .read()
    }

    /// A delivery with its attempts.
    pub async fn delivery(&self, delivery_id: &str) -> Result<Delivery, Error> {
        self.request(Method::GET, &["deliveries", delivery_id], &[], None)
            .await?
            .read()
    }

    /// Asks for a message until it is as wanted.
    ///
    /// # Errors
    /// [`Error::StillWaiting`] with the last answer when the time is up. An
    /// answer that the message is unknown is waited out, any other error is
    /// returned at once.
    pub async fn message_when(
        &self,
        message_id: &str,
        within: Duration,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Message, Error> {
        let deadline = Instant::now() + within;
        loop {
            let last = match self.message(message_id).await {
                Ok(message) if wanted(&message) => return Ok(message),
                Ok(message) => serde_json::to_string_pretty(&message).unwrap_or_default(),
                Err(Error::Problem(problem)) if problem.status == 404 => problem.to_string(),
                Err(error) => return Err(error),
            };
            if Instant::now() >= deadline {
                return Err(Error::StillWaiting { within, last });
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Sends any request and returns the answer as it came.
    pub async fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answered, Error> {
        let body = body.map(|body| Bytes::from(body.to_string()));
        self.request_bytes(method, path, query, body).await
    }

    /// Sends any request with a body that need not be JSON.
    pub async fn request_bytes(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Answered, Error> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = Request::builder().method(method).uri(url.as_str());
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(body.unwrap_or_default())
            .map_err(|error| Error::Request(error.into()))?;
        let response = self.http.send("lambda", request).await?;
        let content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        Ok(Answered {
            status: response.status(),
            content_type,
            body: response.into_body(),
        })
    }
}
