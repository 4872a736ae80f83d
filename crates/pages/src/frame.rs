//! What all pages have in common.

use std::collections::BTreeSet;

use webhooks_domain::timestamp::Timestamp;

use crate::brand::Brand;
use crate::href::Href;

/// What surrounds the content of a page.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The operator's brand.
    pub brand: Brand,
    /// Whose session it is.
    pub viewer: Viewer,
    /// The customer whose data the page shows.
    pub customer: Option<CustomerName>,
    /// The capabilities of the session.
    pub capabilities: Capabilities,
    /// The token of the session that each form sends in the field `csrf`.
    pub csrf: String,
    /// The present time.
    pub now: Timestamp,
    /// The result of the request before.
    pub flash: Option<Flash>,
    /// The page of the operator to which a customer returns.
    pub return_to: Option<Href>,
}

/// The viewer of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// There is no session.
    Nobody,
    /// A customer, in a session that the operator's backend made.
    Customer,
    /// A member of the operator's support staff.
    Support {
        /// The name under which changes are logged.
        actor: String,
    },
}

/// A customer's id and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerName {
    /// The customer's id.
    pub id: String,
    /// The name that the operator gave it.
    pub name: Option<String>,
}

/// An action that a session permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// See endpoints and deliveries.
    View,
    /// See bodies of webhooks, and answers of endpoints.
    Payloads,
    /// Create, change, test and delete endpoints.
    Manage,
    /// See and rotate secrets.
    Secrets,
    /// Resend deliveries, recover and replay.
    Resend,
}

/// The capabilities of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// Returns true if the session has this capability.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().collect())
    }
}

impl Frame {
    /// Returns true if the session has this capability.
    pub fn may(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }

    /// Returns true if the viewer is of the operator's support staff.
    pub fn is_support(&self) -> bool {
        matches!(self.viewer, Viewer::Support { .. })
    }
}

/// The result of the request before, at the top of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    /// Good or bad.
    pub tone: Tone,
    /// The result in one sentence.
    pub text: String,
}

/// The meaning of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A good result.
    Good,
    /// An unfinished state, or one to look at.
    Waiting,
    /// A bad result.
    Bad,
    /// Neither.
    Neutral,
}
