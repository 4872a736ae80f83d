//! The parts of a request, each with a problem that names it when it is not valid.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
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
