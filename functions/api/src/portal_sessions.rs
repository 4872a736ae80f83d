//! `/customers/{customerId}/portal-sessions`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use webhooks_api_types as api;
use webhooks_domain::ids::{CustomerId, PortalSessionId};
use webhooks_domain::portal_session::{Origin, Origins, PortalSession};
use webhooks_domain::portal_sessions::{CreatedSession, PortalSessionError, PortalSessions};
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::SystemClock;

use crate::Api;
use crate::audit;
use crate::body;
use crate::extract::{Body, Caller, NoQuery, Path, Query};
use crate::pages::place;
use crate::path::{OfCustomer, OfSession};
use crate::problem::Problem;
use crate::requests;
use webhooks_wire::lists;
use webhooks_wire::sessions::shown_capabilities;

/// The portal of this stack.
pub(crate) struct Portal {
    pub(crate) sessions: PortalSessions<DynamoStore, SystemClock>,
    /// `None` if the stack has no portal.
    pub(crate) origin: Option<Origin>,
    /// The origins that a session may return to.
    pub(crate) return_urls: Origins,
}

impl From<PortalSessionError> for Problem {
    fn from(error: PortalSessionError) -> Self {
        match error {
            PortalSessionError::BeingDeleted { .. } => Self::customer_being_deleted(&error),
            PortalSessionError::NotFound { .. } => Self::not_found(error.to_string()),
            PortalSessionError::Store(error) => error.into(),
        }
    }
}

impl Portal {
    /// Refuses the request if the stack has no portal.
    fn origin(&self) -> Result<&Origin, Problem> {
        self.origin.as_ref().ok_or_else(|| {
            let detail = "the stack has no portal: deploy it with the parameter `Portal=Enabled`";
            Problem::conflict("portal-disabled", "Portal disabled", detail.to_owned())
        })
    }
}

/// Create a session of the portal
///
/// The answer has a link that opens the session in a browser, once and within 5 minutes. Give it to
/// somebody of this customer, at best as a redirect. The link cannot be read again.
#[utoipa::path(
    post,
    path = "/customers/{customerId}/portal-sessions",
    operation_id = "createPortalSession",
    params(OfCustomer),
    request_body = api::NewPortalSession,
    responses(
        (status = 201, description = "The session, with its link.", body = api::CreatedPortalSession),
        (status = 409, description = "The stack has no portal, or the customer is being deleted.",
            body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    _: NoQuery,
    caller: Caller,
    Body(body): Body,
) -> Result<(StatusCode, Json<api::CreatedPortalSession>), Problem> {
    let portal = &api.portal;
    let origin = portal.origin()?;
    let wanted = requests::portal_session(body::read(&body)?, &portal.return_urls, &caller)?;
    let created = portal.sessions.create(&customer_id, wanted).await?;
    audit::portal_session_created(&customer_id, &created.session, &caller);
    let CreatedSession {
        session,
        code,
        code_until,
    } = created;
    let answer = api::CreatedPortalSession {
        id: session.id.to_string(),
        // In the fragment, which browsers send to no server.
        url: format!("{origin}/#code={}", code.expose()),
        url_expires_at: code_until.to_string(),
        expires_at: session.ends_at.to_string(),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// List the sessions of the portal
///
/// The newest first. Sessions that have ended, and those whose link was not used in time, are
/// absent.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/portal-sessions",
    operation_id = "listPortalSessions",
    params(OfCustomer, api::PortalSessionsQuery),
    responses((status = 200, description = "A page of sessions.", body = api::PortalSessionPage)),
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Query(query): Query<api::PortalSessionsQuery>,
) -> Result<Json<api::PortalSessionPage>, Problem> {
    let before: Option<PortalSessionId> = place(query.cursor.as_deref())?;
    let limit = query.limit.unwrap_or_default().get();
    let sessions = &api.portal.sessions;
    let of = customer_id.clone().into();
    let page = sessions.list(&of, before.as_ref(), limit).await?;
    let shown = |session| shown(&customer_id, session);
    let page = lists::by_id(page.entries, page.has_more, |session| session.id, shown);
    Ok(Json(page))
}

fn shown(customer: &CustomerId, session: PortalSession) -> api::PortalSession {
    api::PortalSession {
        id: session.id.to_string(),
        customer_id: customer.to_string(),
        capabilities: shown_capabilities(&session.capabilities),
        return_url: session.return_url.map(|url| url.as_str().to_owned()),
        created_by: session.created_by,
        created_at: session.created_at.to_string(),
        entered_at: session.entered_at.map(|at| at.to_string()),
        expires_at: session.ends_at.to_string(),
    }
}

/// Revoke a session of the portal
///
/// Its link and its cookie stop working at once.
#[utoipa::path(
    delete,
    path = "/customers/{customerId}/portal-sessions/{sessionId}",
    operation_id = "revokePortalSession",
    params(OfCustomer, OfSession),
    responses((status = 204, description = "Revoked.")),
)]
pub(crate) async fn revoke(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSession { session_id }): Path<OfSession>,
    _: NoQuery,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let sessions = &api.portal.sessions;
    let of = customer_id.clone().into();
    sessions.revoke(&of, &session_id).await?;
    audit::portal_session_revoked(&customer_id, &session_id, &caller);
    Ok(StatusCode::NO_CONTENT)
}

/// Revoke all sessions of the portal
///
/// All links and cookies of this customer stop working at once.
#[utoipa::path(
    delete,
    path = "/customers/{customerId}/portal-sessions",
    operation_id = "revokePortalSessions",
    params(OfCustomer),
    responses((status = 204, description = "All are revoked.")),
)]
pub(crate) async fn revoke_all(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    _: NoQuery,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let of = customer_id.clone().into();
    api.portal.sessions.revoke_all(&of).await?;
    audit::portal_sessions_revoked(&customer_id, &caller);
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;
    use crate::operations::router;

    async fn problem(api: Api, body: &str) -> (StatusCode, Value) {
        let request = Request::post("/customers/acme/portal-sessions");
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let answer = router(Arc::new(api)).oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_stack_without_a_portal_says_how_to_get_one() {
        let mut api = Api::unconnected().await;
        api.portal.origin = None;
        let (status, problem) = problem(api, r#"{"capabilities": ["view"]}"#).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(problem["type"], "urn:webhooks:problem:portal-disabled");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("Portal=Enabled"), "{detail}");
    }

    #[tokio::test]
    async fn a_field_that_is_not_valid_is_named() {
        for (body, field) in [
            ("{}", "capabilities"),
            (r#"{"capabilities": []}"#, "capabilities"),
            (r#"{"capabilities": ["all"]}"#, "capabilities"),
            (
                r#"{"capabilities": ["view"], "expiresInSeconds": 86401}"#,
                "expiresInSeconds",
            ),
            (
                r#"{"capabilities": ["view"], "returnUrl": "https://evil.example/"}"#,
                "returnUrl",
            ),
            (
                r#"{"capabilities": ["view"], "returnUrl": "javascript:alert(1)"}"#,
                "returnUrl",
            ),
            (r#"{"capabilities": ["view"], "url": "x"}"#, "url"),
        ] {
            let mut api = Api::unconnected().await;
            api.portal.return_urls = "https://app.example".parse().unwrap();
            let (status, problem) = problem(api, body).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
            assert_eq!(problem["field"], field, "{body}");
        }
    }
}
