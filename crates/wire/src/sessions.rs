//! Sessions of the portal and of the console: what a request asks for, and what an answer shows. An
//! error names the field.

use webhooks_api_types as api;
use webhooks_domain::fields::FieldError;
use webhooks_domain::portal_session::{Capabilities, Capability, SessionDuration};

use crate::requests::parsed;

/// Each capability in both types.
const CAPABILITIES: [(api::PortalCapability, Capability); 5] = [
    (api::PortalCapability::View, Capability::View),
    (api::PortalCapability::Payloads, Capability::Payloads),
    (api::PortalCapability::Manage, Capability::Manage),
    (api::PortalCapability::Secrets, Capability::Secrets),
    (api::PortalCapability::Resend, Capability::Resend),
];

/// Reads the permitted actions of a session.
///
/// # Errors
/// If there are none.
pub fn capabilities(named: &[api::PortalCapability]) -> Result<Capabilities, FieldError> {
    let all = CAPABILITIES.into_iter();
    let named = all.filter(|(name, _)| named.contains(name));
    let capabilities = Capabilities::new(named.map(|(_, capability)| capability));
    capabilities.map_err(|error| FieldError::new("capabilities", error))
}

/// Reads the duration of a session.
///
/// # Errors
/// If it is not within the bounds.
pub fn duration(seconds: Option<api::WholeNumber>) -> Result<SessionDuration, FieldError> {
    let parse = |api::WholeNumber(seconds)| u64::from(seconds).try_into();
    Ok(parsed("expiresInSeconds", seconds, parse)?.unwrap_or_default())
}

/// The permitted actions of a session, as an answer shows them.
pub fn shown_capabilities(capabilities: &Capabilities) -> Vec<api::PortalCapability> {
    let all = CAPABILITIES.into_iter();
    let held = all.filter(|(_, capability)| capabilities.has(*capability));
    held.map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_has_the_name_of_the_domain() {
        assert_eq!(CAPABILITIES.len(), Capability::ALL.len());
        for (name, capability) in CAPABILITIES {
            assert_eq!(serde_json::to_value(name).unwrap(), capability.as_str());
            let read = capabilities(&[name]).unwrap();
            assert!(read.has(capability));
            assert!(shown_capabilities(&read).contains(&name));
        }
        assert_eq!(capabilities(&[]).unwrap_err().field, "capabilities");
    }
}
