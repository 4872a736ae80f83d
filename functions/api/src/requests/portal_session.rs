//! Requests for a session of the portal.

use webhooks_api_types as api;
use webhooks_domain::fields::FieldError;
use webhooks_domain::portal_session::{Origins, ReturnUrl};
use webhooks_domain::portal_sessions::WantedSession;
use webhooks_wire::requests::parsed;
use webhooks_wire::sessions;

use crate::extract::Caller;

/// Converts a request to the session that it asks for. A URL to return to must have one of these
/// origins.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn portal_session(
    request: api::NewPortalSession,
    origins: &Origins,
    caller: &Caller,
) -> Result<WantedSession, FieldError> {
    Ok(WantedSession {
        capabilities: sessions::capabilities(&request.capabilities)?,
        duration: sessions::duration(request.expires_in_seconds)?,
        return_url: parsed("returnUrl", request.return_url, |url| {
            ReturnUrl::allowed(&url, origins)
        })?,
        created_by: caller.arn.clone(),
    })
}
