//! The request of an attempt: its headers, and the form in which it is shown later.

use std::collections::BTreeMap;

use super::{CustomHeaders, EndpointUrl, MASK, Method, QueryParameters};
use crate::ids::MessageId;
use crate::payload_shape::PayloadShape;
use crate::timestamp::Timestamp;

/// Our `user-agent`.
pub(super) const USER_AGENT: &str = concat!("webhooks/", env!("CARGO_PKG_VERSION"));

/// The headers of a request, in order. The sender and [`RequestShape::shown`] use it, so that what
/// is shown is what was sent.
///
/// The id is the same for every attempt; the timestamp and the signature are the attempt's own
/// (Standard Webhooks 1.0.0).
pub fn request_headers(
    content_type: &str,
    message: &MessageId,
    at: Timestamp,
    signature: String,
    custom: &CustomHeaders,
    secret: impl IntoIterator<Item = (String, String)>,
) -> Vec<(String, String)> {
    let mut headers = vec![
        ("content-type".to_owned(), content_type.to_owned()),
        ("user-agent".to_owned(), USER_AGENT.to_owned()),
        ("webhook-id".to_owned(), message.to_string()),
        ("webhook-timestamp".to_owned(), at.as_secs().to_string()),
        ("webhook-signature".to_owned(), signature),
    ];
    let custom = custom.iter();
    headers.extend(custom.map(|(name, value)| (name.to_owned(), value.to_owned())));
    headers.extend(secret);
    headers
}

/// The part of a subscription that decides about its requests, without any secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestShape {
    /// The URL.
    pub url: EndpointUrl,
    /// The headers with values that are not secret.
    pub headers: CustomHeaders,
    /// The names of the headers with secret values, in lower case and sorted: the secret headers,
    /// and that of the authentication.
    pub secret_headers: Vec<String>,
    /// The method.
    pub method: Method,
    /// The query parameters that are added to the URL.
    pub query: QueryParameters,
    /// The shape of the bodies of deliveries that name this version.
    pub payload: PayloadShape,
}

impl RequestShape {
    /// Treats headers as secret that have these names, because they became secret later.
    pub fn hide<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let mut headers = BTreeMap::from(std::mem::take(&mut self.headers));
        for name in names {
            if headers.remove(name).is_some() {
                self.secret_headers.push(name.to_owned());
            }
        }
        self.secret_headers.sort_unstable();
        self.headers = CustomHeaders::from_stored(headers);
    }

    /// The request of an attempt that began at this time, with masked secrets. The content type
    /// belongs to the body, so it is the delivery's own.
    pub fn shown(&self, message: &MessageId, at: Timestamp, content_type: &str) -> ShownRequest {
        let masked = |name: &String| (name.clone(), MASK.to_owned());
        let secret = self.secret_headers.iter().map(masked);
        let headers = request_headers(
            content_type,
            message,
            at,
            MASK.to_owned(),
            &self.headers,
            secret,
        );
        ShownRequest {
            method: self.method,
            url: self.url.with_query(&self.query),
            headers,
        }
    }
}

/// A request that was made, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownRequest {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: EndpointUrl,
    /// The headers in order. Those that HTTP itself needs (`host`, `content-length`) and `accept`
    /// are left out.
    pub headers: Vec<(String, String)>,
}
