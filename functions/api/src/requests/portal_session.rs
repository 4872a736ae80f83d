//! Requests for a session of the portal.

use webhooks_api_types as api;
use webhooks_domain::fields::FieldError;
use webhooks_domain::portal_session::{Capabilities, Capability, Origins, ReturnUrl};
use webhooks_domain::portal_sessions::WantedSession;

use super::{parsed, whole};
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
    let capabilities = Capabilities::new(request.capabilities.into_iter().map(capability));
    let duration = parsed("expiresInSeconds", request.expires_in_seconds, |seconds| {
        whole(seconds).try_into()
    })?;
    Ok(WantedSession {
        capabilities: capabilities.map_err(|error| FieldError::new("capabilities", error))?,
        duration: duration.unwrap_or_default(),
        return_url: parsed("returnUrl", request.return_url, |url| {
            ReturnUrl::allowed(&url, origins)
        })?,
        created_by: caller.arn.clone(),
    })
}

fn capability(capability: api::PortalCapability) -> Capability {
    match capability {
        api::PortalCapability::View => Capability::View,
        api::PortalCapability::Payloads => Capability::Payloads,
        api::PortalCapability::Manage => Capability::Manage,
        api::PortalCapability::Secrets => Capability::Secrets,
        api::PortalCapability::Resend => Capability::Resend,
    }
}
