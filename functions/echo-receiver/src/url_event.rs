//! The event of a Function URL, and the answer to it (payload format version 2.0).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use webhooks_self_test::Answer;

/// The fields that are read from an event. A direct invocation without the URL may omit fields;
/// a missing field counts as empty.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct UrlEvent {
    /// The path. AWS leaves it encoded.
    pub(crate) raw_path: String,
    pub(crate) raw_query_string: String,
    /// The headers by lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) request_context: RequestContext,
    body: Option<String>,
    is_base64_encoded: bool,
}

/// The part of the event that contains the method.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RequestContext {
    pub(crate) http: Http,
}

/// The part that contains the method.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Http {
    pub(crate) method: String,
}

impl UrlEvent {
    /// Returns the body's bytes; `None` if it is longer than `most` bytes, or is invalid base64
    /// although the event declares it as base64.
    pub(crate) fn body(&self, most: usize) -> Option<Vec<u8>> {
        let text = self.body.as_deref().unwrap_or_default();
        // Base64 encodes three bytes in four characters.
        if text.len() / 4 * 3 > most {
            return None;
        }
        let body = if self.is_base64_encoded {
            STANDARD.decode(text).ok()?
        } else {
            text.as_bytes().to_vec()
        };
        (body.len() <= most).then_some(body)
    }
}

/// An answer with an empty body.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UrlAnswer {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    body: &'static str,
}

impl UrlAnswer {
    fn status(status_code: u16) -> Self {
        Self {
            status_code,
            headers: BTreeMap::new(),
            body: "",
        }
    }

    /// Returns the answer to every invalid request, so that a caller who guesses run ids learns
    /// nothing.
    pub(crate) fn not_found() -> Self {
        Self::status(404)
    }

    /// Returns the answer if the table is unavailable.
    pub(crate) fn unavailable() -> Self {
        Self::status(503)
    }
}

impl From<Answer> for UrlAnswer {
    fn from(answer: Answer) -> Self {
        let mut answered = Self::status(answer.status);
        if let Some(seconds) = answer.retry_after_seconds {
            answered.headers.insert("retry-after", seconds.to_string());
        }
        answered
    }
}
