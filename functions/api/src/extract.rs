//! The parts of a request, each with a problem that names it when it is not valid.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Display;
use std::str::FromStr;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use webhooks_domain::idempotency::IdempotencyKey;

use crate::if_match::IfMatch;
use crate::problem::Problem;

/// The text of a parameter or a header, parsed.
fn parse<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|error| Problem::bad_parameter(name, error))
}

/// The named segments of the path, as text.
pub(crate) struct PathTexts(BTreeMap<String, String>);

impl PathTexts {
    /// A segment, parsed.
    pub(crate) fn parse<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T, Problem> {
        parse(name, self.0.get(name).map_or("", String::as_str))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathTexts {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        check_path(parts.raw_http_path())?;
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(texts)| Self(texts))
            .map_err(|error| Problem::bad_parameter("path", error))
    }
}

/// Refuses a path that would be read as another one. It may come without its escapes, and
/// what makes a URL of it leaves out line ends and tabs, takes `\` for `/`, and follows `..`.
fn check_path(raw: &str) -> Result<(), Problem> {
    let has_dots = raw.split('/').any(|segment| matches!(segment, "." | ".."));
    if has_dots || raw.contains(['\t', '\n', '\r', '\\']) {
        let problem = "must have no line ends, tabs and backslashes, and no `.` or `..` alone";
        return Err(Problem::bad_parameter("path", problem));
    }
    Ok(())
}

/// The parameters of the query, as text, each at most once.
pub(crate) struct QueryTexts(BTreeMap<String, String>);

impl QueryTexts {
    /// Refuses parameters that are none of these.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let mut names = self.0.keys();
        match names.find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(unknown) => Err(Problem::bad_parameter(
                unknown,
                match known {
                    [] => "is unknown; there are no parameters".to_owned(),
                    known => format!("is unknown; the parameters are {}", known.join(", ")),
                },
            )),
        }
    }

    /// A parameter's text, if it is there.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter, parsed, if it is there.
    pub(crate) fn parse<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.text(name).map(|text| parse(name, text)).transpose()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for QueryTexts {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = query.map_err(|error| Problem::bad_parameter("query", error))?;
        let mut texts = BTreeMap::new();
        for (name, text) in pairs {
            if texts.contains_key(&name) {
                return Err(Problem::bad_parameter(&name, "must be given once"));
            }
            texts.insert(name, text);
        }
        Ok(Self(texts))
    }
}

/// A query without parameters: any that is there is refused.
pub(crate) struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = QueryTexts::from_request_parts(parts, state).await?;
        query.only(&[]).map(|()| Self)
    }
}

const IF_MATCH: &str = "if-match";
/// The header that makes a creation repeatable.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A header as text, if it is there.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Problem::bad_parameter(name, "must be ASCII")),
        },
        (Some(_), Some(_)) => Err(Problem::bad_parameter(name, "must be given once")),
    }
}

/// A header, parsed, if it is there.
fn parse_header<T: FromStr<Err: Display>>(
    headers: &HeaderMap,
    name: &str,
) -> Result<Option<T>, Problem> {
    let text = header(headers, name)?;
    text.map(|text| parse(name, text)).transpose()
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parse_header(&parts.headers, IF_MATCH)?.unwrap_or_default())
    }
}

/// The client's name for the request: `Idempotency-Key`.
pub(crate) struct OnceKey(pub(crate) Option<IdempotencyKey>);

impl<S: Send + Sync> FromRequestParts<S> for OnceKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse_header(&parts.headers, IDEMPOTENCY_KEY).map(Self)
    }
}

/// The longest ARN that IAM gives. A longer text is none, and belongs in no log.
const MAX_ARN_BYTES: usize = 2_048;

/// Who calls, for the audit: the ARN with which the request was signed, as the event says.
///
/// Behind the function's URL, Lambda writes it. Whoever may invoke the function without the
/// URL writes the event, so may leave it out or make it up; nothing in an event or its context
/// tells the two apart. IAM does: see docs/security.md.
pub(crate) struct Caller(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let context = parts.request_context_ref();
        let authorizer = context.and_then(|context| match context {
            RequestContext::ApiGatewayV2(context) => context.authorizer.as_ref(),
            _ => None,
        });
        let signer = authorizer.and_then(|authorizer| authorizer.iam.as_ref());
        Ok(Self(
            signer
                .and_then(|signer| signer.user_arn.clone())
                .filter(|arn| arn.len() <= MAX_ARN_BYTES),
        ))
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
