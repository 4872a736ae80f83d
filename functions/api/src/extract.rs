//! The parts of a request, each with a problem that names it when it is not valid.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Display;
use std::str::FromStr;

use axum::body::{Bytes, to_bytes};
use axum::extract::{self, FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use serde::de::DeserializeOwned;
use tracing::field::{DisplayValue, display};
use utoipa::IntoParams;
use webhooks_api_types::Nothing;
use webhooks_domain::idempotency::IdempotencyKey;
use webhooks_domain::ids::PortalSessionId;
use webhooks_domain::portal_session::Actor;
use webhooks_function_url::PortalScope;

use crate::if_match::IfMatch;
use crate::portal_scope;
use crate::problem::Problem;
use crate::texts;

/// Ids in the path. Several of these can read a path, each its own part.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        check_path(parts.raw_http_path())?;
        let path = extract::Path::from_request_parts(parts, state).await;
        let extract::Path(ids) = path.map_err(|error| Problem::bad_parameter("path", error))?;
        texts::read(ids).map(Self).map_err(Problem::of_parameter)
    }
}

/// Refuses a path that would be read as another one. It may arrive without its escapes, and the URL
/// parser drops line ends and tabs, and reads `\` as `/`. (Segments that it follows, such as `..`,
/// were refused with the event.)
fn check_path(raw: &str) -> Result<(), Problem> {
    if raw.contains(['\t', '\n', '\r', '\\']) {
        let problem = "must have no line ends, tabs and backslashes";
        return Err(Problem::bad_parameter("path", problem));
    }
    Ok(())
}

/// The parameters of the query, each at most once.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let extract::Query(pairs) =
            query.map_err(|error| Problem::bad_parameter("query", error))?;
        let mut parameters = BTreeMap::new();
        for (name, text) in pairs {
            if parameters.contains_key(&name) {
                return Err(Problem::bad_parameter(&name, "must be given once"));
            }
            parameters.insert(name, text);
        }
        texts::read(parameters)
            .map(Self)
            .map_err(Problem::of_parameter)
    }
}

/// A query without parameters: any that is there is refused.
pub(crate) type NoQuery = Query<Nothing>;

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
    let value = header(headers, name)?.map(str::parse).transpose();
    value.map_err(|error| Problem::bad_parameter(name, error))
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parse_header(&parts.headers, IF_MATCH)?.unwrap_or_default())
    }
}

/// The header `Idempotency-Key`.
#[derive(IntoParams)]
#[into_params(parameter_in = Header, names("Idempotency-Key"))]
pub(crate) struct OnceKey(
    /// Your name for this request, printable ASCII. Sent again with the same body, byte for
    /// byte, it creates nothing new, and gets what the first one has created.
    #[param(
        value_type = Option<String>,
        min_length = 1,
        max_length = 255,
        pattern = "^[ -~]+$",
        example = "shop-42/order-webhooks"
    )]
    pub(crate) Option<IdempotencyKey>,
);

impl<S: Send + Sync> FromRequestParts<S> for OnceKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse_header(&parts.headers, IDEMPOTENCY_KEY).map(Self)
    }
}

/// The longest ARN that IAM gives. A longer text is none, and belongs in no log.
const MAX_ARN_BYTES: usize = 2_048;

/// The caller, for the audit.
///
/// The ARN in the event is that with which the request was signed. If the request came through the
/// function's URL, Lambda wrote it. Somebody who may invoke the function directly writes the event,
/// and can omit or invent the ARN. Nothing in an event distinguishes the two cases, but IAM does: see
/// docs/security.md.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    /// The ARN of the signer, if it is known.
    pub(crate) arn: Option<String>,
    /// The session of the portal for which the request was made.
    pub(crate) portal: Option<PortalScope>,
}

impl Caller {
    /// The id of the session, for the log.
    pub(crate) fn session(&self) -> Option<DisplayValue<PortalSessionId>> {
        self.portal.as_ref().map(|scope| display(scope.session))
    }

    /// The member of the operator's support staff whose session it is, for the log.
    pub(crate) fn actor(&self) -> Option<&str> {
        self.portal.as_ref()?.actor.as_ref().map(Actor::as_str)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let context = parts.request_context_ref();
        let authorizer = context.and_then(|context| match context {
            RequestContext::ApiGatewayV2(context) => context.authorizer.as_ref(),
            _ => None,
        });
        let signer = authorizer.and_then(|authorizer| authorizer.iam.as_ref());
        let arn = signer.and_then(|signer| signer.user_arn.clone());
        Ok(Self {
            arn: arn.filter(|arn| arn.len() <= MAX_ARN_BYTES),
            // A scope that cannot be read was refused before.
            portal: portal_scope::read(parts).ok().flatten(),
        })
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

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use tower::ServiceExt;
    use webhooks_api_types::Problem;

    use super::*;
    use crate::Api;
    use crate::operations::router;

    const SUBSCRIPTION: &str = "/customers/acme/subscriptions/sub_70e79b2df96dcca5a0a362236c8d86f4";

    /// The parameter that is refused, and what is wrong with it.
    async fn refused(router: &axum::Router, uri: &str, header: (&str, &str)) -> (String, String) {
        let request = Request::builder().uri(uri).method(match header.0 {
            "if-match" => "DELETE",
            "idempotency-key" => "POST",
            _ => "GET",
        });
        let request = request.header(header.0, header.1).body(Body::empty());
        let answer = router.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{uri}");
        let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        let field = problem.field.unwrap();
        let text = problem.detail.strip_prefix(&format!("{field}: ")).unwrap();
        (text.to_owned(), field)
    }

    #[tokio::test]
    async fn every_part_that_is_not_valid_is_named_with_its_problem() {
        let router = router(std::sync::Arc::new(Api::unconnected().await));
        let deliveries = format!("{SUBSCRIPTION}/deliveries");
        let undelivered = format!("{SUBSCRIPTION}/undelivered");
        let cursor = "must be the `nextCursor` of an earlier page of this list";
        let time = "must be a time by RFC 3339, such as `2026-01-31T09:30:00Z`";
        for (path, query, field, problem) in [
            ("/customers", "limit=0", "limit", "must be 1 to 100"),
            ("/customers", "limit=1e1", "limit", "must be 1 to 100"),
            (
                "/customers",
                "limit=1&limit=2",
                "limit",
                "must be given once",
            ),
            (
                "/customers",
                "a=1&limit=x",
                "a",
                "is unknown; the parameters are limit, cursor",
            ),
            ("/customers", "cursor=", "cursor", cursor),
            (
                "/openapi.json",
                "limit=1",
                "limit",
                "is unknown; there are no parameters",
            ),
            (
                "/unhealthy-subscriptions",
                "kind=gone",
                "kind",
                "must be `disabled`, `circuitOpen`, `failing`, `slow` or `holding`",
            ),
            (
                &deliveries,
                "status=owed",
                "status",
                "must be `pending`, `held`, `succeeded`, `failed` or `cancelled`",
            ),
            (
                &undelivered,
                "status=succeeded",
                "status",
                "must be `pending`, `held` or `failed`",
            ),
            (&deliveries, "since=yesterday", "since", time),
            (&deliveries, "until=", "until", time),
            (
                &deliveries,
                "since=2026-01-31T09:30:00Z&until=2026-01-31T09:30:00Z",
                "until",
                "must be after `since`",
            ),
            (&deliveries, "cursor=x", "cursor", cursor),
            (
                "/customers/a%20b/messages",
                "",
                "customerId",
                "customer id: character ' ' is not one of A-Z a-z 0-9 . _ : @ + = | -",
            ),
            (
                "/customers/acme/subscriptions/sub_1",
                "",
                "subscriptionId",
                "id `sub_1`: must be `sub_` and 32 lower-case hexadecimal digits",
            ),
        ] {
            let uri = format!("{path}?{query}");
            let (found, name) = refused(&router, &uri, ("accept", "*/*")).await;
            assert_eq!((name.as_str(), found.as_str()), (field, problem), "{uri}");
        }
        let long = "k".repeat(256);
        for (uri, header, value) in [
            (SUBSCRIPTION, "if-match", "3"),
            ("/customers/acme/subscriptions", "idempotency-key", &long),
        ] {
            let (_, field) = refused(&router, uri, (header, value)).await;
            assert_eq!(field, header);
        }
    }
}
