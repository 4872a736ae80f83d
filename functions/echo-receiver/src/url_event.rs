//! The event of a Function URL, and the answer to it (payload format version 2.0).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use webhooks_self_test::Answer;

/// What is read of an event. Whoever invokes the function without its URL makes up the event:
/// what is missing counts as empty.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct UrlEvent {
    /// The path. AWS leaves it encoded.
    pub(crate) raw_path: String,
    pub(crate) raw_query_string: String,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) request_context: RequestContext,
    body: Option<String>,
    is_base64_encoded: bool,
}

/// Where the method is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RequestContext {
    pub(crate) http: Http,
}

/// The method.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Http {
    pub(crate) method: String,
}

impl UrlEvent {
    /// The body's bytes; `None` when it is no base64 though the event says so, or longer than
    /// `most` bytes.
    pub(crate) fn body(&self, most: usize) -> Option<Vec<u8>> {
        let text = self.body.as_deref().unwrap_or_default();
        // Base64 has four characters for three bytes.
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

    /// Whatever is wrong with a request, or nothing but its run: who guesses learns nothing.
    pub(crate) fn not_found() -> Self {
        Self::status(404)
    }

    /// The table did not answer.
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
