//! Forms and queries: names and values, each name but one at most once.

use lambda_http::http::header::CONTENT_TYPE;
use lambda_http::{Body, Request};
use url::form_urlencoded::parse;

use crate::refusal::Refusal;

/// The largest body of a form: the same as that of a request to the API.
pub(crate) const MAX_BYTES: usize = 65_536;
/// The only name that a form may have several times: one for each header that is removed.
const REPEATED: &str = "removeSecretHeader";
/// The largest number of fields.
const MAX_FIELDS: usize = 200;

const FORM: &str = "application/x-www-form-urlencoded";

/// Names and values.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The value of a field that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        let (_, value) = fields.find(|(found, _)| found == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for (name, value) in parse(bytes) {
            let is_again = name != REPEATED && fields.iter().any(|(found, _)| *found == name);
            if fields.len() >= MAX_FIELDS || is_again {
                return Err(Refusal::Malformed);
            }
            fields.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(fields))
    }

    /// The query of a request.
    pub(crate) fn of_query(request: &Request) -> Result<Self, Refusal> {
        Self::read(request.uri().query().unwrap_or_default().as_bytes())
    }

    /// The body of a form.
    pub(crate) fn of_body(request: &Request) -> Result<Self, Refusal> {
        let content_type = request.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let kind = content_type.and_then(|value| value.split(';').next());
        if kind.is_none_or(|kind| !kind.trim().eq_ignore_ascii_case(FORM)) {
            return Err(Refusal::Malformed);
        }
        let bytes = bytes(request);
        if bytes.len() > MAX_BYTES {
            return Err(Refusal::TooLarge);
        }
        Self::read(bytes)
    }
}

/// The body of a request.
pub(crate) fn bytes(request: &Request) -> &[u8] {
    match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes.as_slice(),
        _ => &[],
    }
}
