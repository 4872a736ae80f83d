//! The parts of a request, each with a problem that names it when it is not valid.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;

use crate::problem::Problem;

/// The named segments of the path, as text.
pub(crate) struct PathTexts(BTreeMap<String, String>);

impl PathTexts {
    /// A segment, parsed.
    pub(crate) fn parse<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T, Problem> {
        let text = self.0.get(name).map_or("", String::as_str);
        text.parse()
            .map_err(|error| Problem::bad_parameter(name, error))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathTexts {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(texts)| Self(texts))
            .map_err(|error| Problem::bad_parameter("path", error))
    }
}

/// The parameters of the query, as text.
pub(crate) struct QueryTexts(BTreeMap<String, String>);

impl QueryTexts {
    /// A parameter, parsed, if it is there.
    pub(crate) fn parse<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        let text = self.0.get(name);
        text.map(|text| {
            text.parse()
                .map_err(|error| Problem::bad_parameter(name, error))
        })
        .transpose()
    }

    /// The parameter `limit`: 1 to `max`.
    pub(crate) fn limit(&self, default: u32, max: u32) -> Result<u32, Problem> {
        match self.0.get("limit").map(|text| text.parse()) {
            None => Ok(default),
            Some(Ok(limit)) if (1..=max).contains(&limit) => Ok(limit),
            Some(_) => Err(Problem::bad_parameter(
                "limit",
                format!("must be 1 to {max}"),
            )),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for QueryTexts {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::from_request_parts(parts, state).await;
        query
            .map(|Query(texts)| Self(texts))
            .map_err(|error| Problem::bad_parameter("query", error))
    }
}

/// The body's bytes, at most 64 KiB: more than any valid body needs.
pub(crate) struct Body(pub(crate) Bytes);

impl Body {
    const MAX_BYTES: usize = 65_536;
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = to_bytes(request.into_body(), Self::MAX_BYTES).await;
        bytes
            .map(Self)
            .map_err(|_| Problem::body_too_large(Self::MAX_BYTES))
    }
}
