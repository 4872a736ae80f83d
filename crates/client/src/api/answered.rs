//! An answer of the API as it came.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::{Error, Problem, Shown};

/// An answer of the API as it came.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The `content-type` header, empty when there was none.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

impl Answered {
    /// A header as text, empty when it is absent or not text.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

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

    /// The answer, if its status says that it succeeded.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API says, or [`Error::UnexpectedAnswer`].
    pub fn into_success(self) -> Result<Self, Error> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(self
            .problem()
            .map_or_else(|| self.unexpected(), Error::Problem))
    }

    /// Reads the body. An empty one is read as `null`.
    ///
    /// # Errors
    /// When the answer is no success, or its body something else: [`Error::Broken`] where that
    /// is what can be read of it.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Error> {
        let answer = self.into_success()?;
        let body: &[u8] = if answer.body.is_empty() {
            b"null"
        } else {
            &answer.body
        };
        match serde_json::from_slice(body) {
            Ok(Shown::Whole(whole)) => Ok(*whole),
            Ok(Shown::Broken(broken)) => Err(Error::Broken(broken)),
            Err(_) => Err(answer.unexpected()),
        }
    }

    fn unexpected(&self) -> Error {
        Error::UnexpectedAnswer {
            status: self.status.as_u16(),
            body: self.text(),
        }
    }
}
