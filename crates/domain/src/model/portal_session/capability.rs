//! The permitted actions of a session.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A kind of actions in the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// See subscriptions, their state, and the outcomes of deliveries. Every session may.
    View,
    /// See the bodies of webhooks, and the answers of endpoints.
    Payloads,
    /// Create, change, pause, enable and delete subscriptions, and send tests.
    Manage,
    /// See and replace signing secrets.
    Secrets,
    /// Send deliveries again, one or many.
    Resend,
}

/// The text is not a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityError {
    /// It has another name.
    #[error("must be `view`, `payloads`, `manage`, `secrets` or `resend`")]
    Unknown,
    /// The list is empty.
    #[error("must name at least one capability")]
    None,
}

impl Capability {
    /// All capabilities.
    pub const ALL: [Self; 5] = [
        Self::View,
        Self::Payloads,
        Self::Manage,
        Self::Secrets,
        Self::Resend,
    ];

    /// Its name in the API and in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Payloads => "payloads",
            Self::Manage => "manage",
            Self::Secrets => "secrets",
            Self::Resend => "resend",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Capability {
    type Err = CapabilityError;

    fn from_str(text: &str) -> Result<Self, CapabilityError> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.as_str() == text)
            .ok_or(CapabilityError::Unknown)
    }
}

/// The capabilities of a session. It always has [`Capability::View`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// These capabilities, and `view`.
    ///
    /// # Errors
    /// If there are none.
    pub fn new(
        capabilities: impl IntoIterator<Item = Capability>,
    ) -> Result<Self, CapabilityError> {
        let mut all: BTreeSet<_> = capabilities.into_iter().collect();
        if all.is_empty() {
            return Err(CapabilityError::None);
        }
        all.insert(Capability::View);
        Ok(Self(all))
    }

    /// Returns true if the session has this capability.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// The capabilities, in the order of [`Capability::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Capability> + '_ {
        self.0.iter().copied()
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Capability::as_str).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_may_view_and_nothing_else_unless_it_is_named() {
        let some = Capabilities::new([Capability::Resend, Capability::Resend]).unwrap();
        assert_eq!(some.to_string(), "view,resend");
        assert!(!some.has(Capability::Secrets) && !some.has(Capability::Payloads));
        assert_eq!(Capabilities::new([]), Err(CapabilityError::None));
    }

    #[test]
    fn a_capability_is_read_back() {
        for one in Capability::ALL {
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        assert_eq!(
            "Manage".parse::<Capability>(),
            Err(CapabilityError::Unknown)
        );
    }
}
