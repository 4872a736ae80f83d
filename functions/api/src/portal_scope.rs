//! Requests that the portal makes for a session of a customer.
//!
//! The portal has checked the session. Its scope comes with each request, and is checked again here:
//! the customer of the path, and the capability that the operation needs. The portal can make no
//! request that is not in [`ALLOWED`]: its role may invoke this function by the alias [`ALIAS`] only,
//! and by this name a scope is required.

use axum::extract::{RawPathParams, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use lambda_http::RequestExt;
use lambda_http::request::{LambdaRequest, RequestContext};
use webhooks_api_types as api;
use webhooks_domain::portal_session::Capability;
use webhooks_function_url::{MalformedScope, PortalScope};

use crate::extract::Caller;
use crate::problem::Problem;

/// The operations of the portal, with the capability that a session needs.
const ALLOWED: [(Method, &str, Capability); 10] = [
    (
        Method::POST,
        "/customers/{customerId}/subscriptions",
        Capability::Manage,
    ),
    (
        Method::PATCH,
        "/customers/{customerId}/subscriptions/{subscriptionId}",
        Capability::Manage,
    ),
    (
        Method::DELETE,
        "/customers/{customerId}/subscriptions/{subscriptionId}",
        Capability::Manage,
    ),
    (
        Method::POST,
        "/customers/{customerId}/subscriptions/{subscriptionId}/enable",
        Capability::Manage,
    ),
    (
        Method::POST,
        "/customers/{customerId}/subscriptions/{subscriptionId}/test",
        Capability::Manage,
    ),
    (
        Method::POST,
        "/customers/{customerId}/messages/{messageId}/cancel",
        Capability::Resend,
    ),
    (Method::POST, "/filters/test", Capability::Manage),
    (Method::POST, "/transforms/test", Capability::Manage),
    (
        Method::GET,
        "/customers/{customerId}/subscriptions/{subscriptionId}/secret",
        Capability::Secrets,
    ),
    (
        Method::POST,
        "/customers/{customerId}/subscriptions/{subscriptionId}/secret/rotate",
        Capability::Secrets,
    ),
];

/// The end of the ARN by which the portal invokes this function. Lambda tells it; it is not in the event.
const ALIAS: &str = ":portal";

/// Refuses an event without a scope if the function was invoked by the alias of the portal.
pub(crate) fn enter(event: &LambdaRequest, invoked_arn: &str) -> Result<(), Problem> {
    let scope = match event {
        LambdaRequest::ApiGatewayV2(event) => PortalScope::read(&event.request_context),
        // The build takes in no other kind.
        _ => Ok(None),
    };
    match scope {
        Ok(None) if invoked_arn.ends_with(ALIAS) => {
            let detail = "the portal makes requests for sessions only".to_owned();
            Err(Problem::not_permitted(detail))
        }
        // What cannot be read is refused by `check`.
        _ => Ok(()),
    }
}

/// The scope of a request. `None` if it does not come from the portal.
pub(crate) fn read(parts: &Parts) -> Result<Option<PortalScope>, MalformedScope> {
    match parts.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => PortalScope::read(context),
        _ => Ok(None),
    }
}

/// Refuses a request of the portal that its session does not permit. `pattern` is the path of the
/// operation, with the names of its ids.
pub(crate) async fn check(
    State(pattern): State<String>,
    ids: RawPathParams,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let scope = read(&parts).map_err(|error| Problem::not_permitted(error.to_string()))?;
    if let Some(scope) = scope {
        permit(&scope, &parts.method, &pattern, &ids)?;
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}

fn permit(
    scope: &PortalScope,
    method: &Method,
    pattern: &str,
    ids: &RawPathParams,
) -> Result<(), Problem> {
    let is_own = |(name, id): (&str, &str)| name != "customerId" || id == scope.customer.as_str();
    if !ids.iter().all(is_own) {
        return Err(Problem::no_such_path());
    }
    let mut allowed = ALLOWED.into_iter();
    let operation = allowed.find(|(of, path, _)| of == method && *path == pattern);
    let Some((_, _, capability)) = operation else {
        let detail = "the portal does not make this request".to_owned();
        return Err(Problem::not_permitted(detail));
    };
    require(Some(scope), capability)
}

fn require(scope: Option<&PortalScope>, capability: Capability) -> Result<(), Problem> {
    if scope.is_none_or(|scope| scope.capabilities.has(capability)) {
        Ok(())
    } else {
        let detail = format!("this session does not have the capability `{capability}`");
        Err(Problem::not_permitted(detail))
    }
}

impl Caller {
    /// Returns true if the caller may see secrets. Every caller may but a session without the
    /// capability.
    pub(crate) fn may_see_secrets(&self) -> bool {
        require(self.portal.as_ref(), Capability::Secrets).is_ok()
    }

    /// Refuses a secret of a session that may not replace secrets.
    pub(crate) fn must_give_no_secret(
        &self,
        fields: &api::SubscriptionPatch,
    ) -> Result<(), Problem> {
        match fields.secret {
            Some(_) => require(self.portal.as_ref(), Capability::Secrets),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::body::to_bytes;
    use axum::http::StatusCode;
    use serde_json::{Value, json};
    use tower::ServiceExt;
    use utoipa::OpenApi;
    use webhooks_domain::portal_session::Capabilities;
    use webhooks_function_url::Invocation;

    use super::*;
    use crate::Api;
    use crate::operations::{Operations, router};

    async fn api() -> Router {
        router(Arc::new(Api::unconnected().await))
    }

    fn scope(capabilities: &[Capability]) -> PortalScope {
        PortalScope {
            customer: "acme".parse().unwrap(),
            session: "pse_019ab3f0c2d17c6e5d4c3b2a19080706".parse().unwrap(),
            actor: None,
            capabilities: Capabilities::new(capabilities.iter().copied()).unwrap(),
        }
    }

    fn event(scope: &PortalScope, method: &Method, path: &str, body: &str) -> Value {
        let segments = path.split('/').skip(1);
        let invocation = Invocation::new(scope, method.clone(), segments).json(body.to_owned());
        serde_json::from_slice(&invocation.into_event()).unwrap()
    }

    async fn answer(api: &Router, event: Value) -> (StatusCode, String) {
        let event: LambdaRequest = serde_json::from_value(event).unwrap();
        let request: lambda_http::Request = event.into();
        let answer = api.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 1_000_000).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// A path that no handler accepts, so that a request that is permitted ends in its handler, before
    /// it reaches the table.
    fn path(pattern: &str, customer: &str) -> String {
        pattern
            .replace("{customerId}", customer)
            .replace("{subscriptionId}", "sub_1")
            .replace(['{', '}'], "")
    }

    #[tokio::test]
    async fn every_operation_of_the_portal_needs_its_capability_and_its_customer() {
        let api = api().await;
        for (method, pattern, needed) in ALLOWED {
            let rest: Vec<_> = Capability::ALL
                .into_iter()
                .filter(|one| *one != needed)
                .collect();
            let own = path(pattern, "acme");
            let refused = answer(&api, event(&scope(&rest), &method, &own, "{}")).await;
            assert_eq!(refused.0, StatusCode::FORBIDDEN, "{method} {own}");
            assert!(refused.1.contains(needed.as_str()), "{}", refused.1);
            let permitted = answer(&api, event(&scope(&[needed]), &method, &own, "{}")).await;
            let by_handler = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY];
            assert!(
                by_handler.contains(&permitted.0),
                "{method} {own}: {permitted:?}"
            );
            if pattern.contains("{customerId}") {
                let foreign = path(pattern, "strangers");
                let all = scope(&Capability::ALL);
                let refused = answer(&api, event(&all, &method, &foreign, "{}")).await;
                assert_eq!(refused.0, StatusCode::NOT_FOUND, "{method} {foreign}");
            }
        }
    }

    #[tokio::test]
    async fn no_other_operation_is_permitted() {
        let api = api().await;
        let document = serde_json::to_value(Operations::openapi()).unwrap();
        let mut refused = 0;
        for (pattern, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                let Ok(method) = Method::from_bytes(method.to_uppercase().as_bytes()) else {
                    continue;
                };
                let mut allowed = ALLOWED.into_iter();
                if allowed.any(|(of, path, _)| of == method && path == pattern) {
                    continue;
                }
                let path = path(pattern, "acme");
                let all = scope(&Capability::ALL);
                let (status, body) = answer(&api, event(&all, &method, &path, "{}")).await;
                assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {body}");
                refused += 1;
            }
        }
        let operations = document["paths"].as_object().unwrap().values();
        let operations: usize = operations.map(|of| of.as_object().unwrap().len()).sum();
        assert_eq!(
            refused + ALLOWED.len(),
            operations,
            "each is in the document"
        );
    }

    #[test]
    fn by_the_alias_of_the_portal_a_scope_is_required() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:webhooks-ApiFunction-1";
        let own = "/customers/acme/subscriptions";
        let with = event(&scope(&[Capability::Manage]), &Method::POST, own, "{}");
        let mut without = with.clone();
        without["requestContext"]["authorizer"] =
            json!({"iam": {"userArn": "arn:aws:iam::1:user/a"}});
        for (event, by_alias) in [(with, true), (without, false)] {
            let event: LambdaRequest = serde_json::from_value(event).unwrap();
            assert!(enter(&event, arn).is_ok());
            assert_eq!(enter(&event, &format!("{arn}:portal")).is_ok(), by_alias);
        }
    }

    #[tokio::test]
    async fn a_scope_that_cannot_be_read_is_refused() {
        let api = api().await;
        let own = "/customers/acme/subscriptions";
        let mut broken = event(&scope(&Capability::ALL), &Method::POST, own, "{}");
        let scope = &mut broken["requestContext"]["authorizer"]["lambda"];
        scope["webhooksPortalSession"] = json!({"customerId": "acme"});
        assert_eq!(answer(&api, broken).await.0, StatusCode::FORBIDDEN);
    }

    #[tokio::test]
    async fn a_secret_is_given_only_with_the_capability() {
        let api = api().await;
        let body = r#"{"url": "http://a", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}"#;
        let subscription = format!("sub_{:032x}", 1);
        let one = format!("/customers/acme/subscriptions/{subscription}");
        for (method, path) in [
            (Method::POST, "/customers/acme/subscriptions"),
            (Method::PATCH, one.as_str()),
        ] {
            let without = scope(&[Capability::Manage]);
            let refused = answer(&api, event(&without, &method, path, body)).await;
            assert_eq!(refused.0, StatusCode::FORBIDDEN, "{path}: {}", refused.1);
            let with = scope(&[Capability::Manage, Capability::Secrets]);
            let invalid = answer(&api, event(&with, &method, path, body)).await;
            assert_eq!(invalid.0, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        }
    }
}
