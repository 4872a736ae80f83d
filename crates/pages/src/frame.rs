//! The frame of a page: header, navigation and the facts that all pages need.

use std::collections::BTreeSet;

pub use webhooks_domain::portal_session::Capability;
use webhooks_domain::timestamp::Timestamp;

use crate::brand::Brand;
use crate::href::Href;

/// The data around the content of a page.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The operator's brand.
    pub brand: Brand,
    /// The holder of the session.
    pub viewer: Viewer,
    /// The customer whose data the page shows.
    pub customer: Option<CustomerName>,
    /// The capabilities of the session.
    pub capabilities: BTreeSet<Capability>,
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

impl Frame {
    /// Returns true if the session has this capability.
    pub fn may(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
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
