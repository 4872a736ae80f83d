//! The result of a change, at the top of the page after it.

use webhooks_domain::portal_access::CustomerScope;
use webhooks_pages::frame::{Flash, Tone};
use webhooks_pages::href::Href;
use webhooks_pages::paths::Route;

use crate::answer::{Answer, see_other};

/// A change that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Resent,
    Created,
    Changed,
    Cleared,
    Paused,
    Enabled,
    Deleted,
    Rotated,
}

impl Done {
    const ALL: [Self; 8] = [
        Self::Resent,
        Self::Created,
        Self::Changed,
        Self::Cleared,
        Self::Paused,
        Self::Enabled,
        Self::Deleted,
        Self::Rotated,
    ];

    /// The change that the parameter `done` names. A link can only choose one of these.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|done| done.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Resent => "resent",
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Cleared => "cleared",
            Self::Paused => "paused",
            Self::Enabled => "enabled",
            Self::Deleted => "deleted",
            Self::Rotated => "rotated",
        }
    }

    /// The text for it.
    pub(crate) fn flash(self) -> Flash {
        let (tone, text) = match self {
            Self::Resent => (Tone::Good, "The webhook is sent again."),
            Self::Created => (Tone::Good, "The endpoint was added."),
            Self::Changed => (Tone::Good, "The endpoint was changed."),
            Self::Cleared => (
                Tone::Waiting,
                "The endpoint was changed. Its secret headers and its authentication were for the \
                 old address, and were removed: enter again what the new one needs.",
            ),
            Self::Paused => (Tone::Waiting, "The endpoint is paused."),
            Self::Enabled => (Tone::Good, "The endpoint is enabled."),
            Self::Deleted => (Tone::Good, "The endpoint was deleted."),
            Self::Rotated => (Tone::Good, "A new secret signs from now on."),
        };
        Flash {
            tone,
            text: text.to_owned(),
        }
    }

    /// Leads to a page that says it.
    pub(crate) fn at(self, route: Route) -> Answer {
        see_other(
            Href::from(route)
                .with([("done", Some(self.name()))])
                .as_str(),
        )
    }

    /// Leads to the page of an endpoint that says it.
    pub(crate) fn at_endpoint(self, scope: &CustomerScope, subscription: &str) -> Answer {
        self.at(Route::Endpoint {
            customer: scope.customer().to_string(),
            subscription: subscription.to_owned(),
        })
    }
}
