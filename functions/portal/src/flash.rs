//! The result of a change, at the top of the page after it.
//!
//! A cookie has it for a moment. A link could choose a parameter, and so show a false result.

use lambda_http::Request;
use webhooks_domain::portal_access::CustomerScope;
use webhooks_domain::ports::Clock;
use webhooks_pages::frame::{Flash, Tone};
use webhooks_pages::paths::Route;

use crate::answer::{Answer, see_other, with_cookie};
use crate::data::{Queue, Table, Workflow};
use crate::router::Portal;

/// A change that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Resent,
    Cancelled,
    CancelledInPart,
    Created,
    Changed,
    Cleared,
    CreatedWithUnknownTypes,
    ChangedWithUnknownTypes,
    Paused,
    Enabled,
    Deleted,
    Rotated,
}

impl Done {
    const ALL: [Self; 12] = [
        Self::Resent,
        Self::Cancelled,
        Self::CancelledInPart,
        Self::Created,
        Self::Changed,
        Self::Cleared,
        Self::CreatedWithUnknownTypes,
        Self::ChangedWithUnknownTypes,
        Self::Paused,
        Self::Enabled,
        Self::Deleted,
        Self::Rotated,
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|done| done.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Resent => "resent",
            Self::Cancelled => "cancelled",
            Self::CancelledInPart => "cancelled-in-part",
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Cleared => "cleared",
            Self::CreatedWithUnknownTypes => "created-unknown",
            Self::ChangedWithUnknownTypes => "changed-unknown",
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
            Self::Cancelled => (
                Tone::Waiting,
                "The webhook is cancelled. A request that is under way is not stopped.",
            ),
            Self::CancelledInPart => (
                Tone::Waiting,
                "The webhook is cancelled for its first 1,000 endpoints. To the others only what was \
                 sent again before can still be sent.",
            ),
            Self::Created => (Tone::Good, "The endpoint was added."),
            Self::Changed => (Tone::Good, "The endpoint was changed."),
            Self::Cleared => (
                Tone::Waiting,
                "The endpoint was changed. Its secret headers and its authentication were for the \
                 old address, and were removed: enter again what the new one needs.",
            ),
            Self::CreatedWithUnknownTypes => (
                Tone::Waiting,
                "The endpoint was added. It names event types that are not described under \
                 Event types: check how they are written.",
            ),
            Self::ChangedWithUnknownTypes => (
                Tone::Waiting,
                "The endpoint was changed. It names event types that are not described under \
                 Event types: check how they are written.",
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
}

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// Leads to a page that says what was done.
    pub(crate) fn done(&self, done: Done, route: &Route) -> Answer {
        let cookie = self.settings.kind.set_done(done.name());
        with_cookie(see_other(&route.path()), &cookie)
    }

    /// Leads to the page of an endpoint that says it.
    pub(crate) fn done_at_endpoint(
        &self,
        done: Done,
        scope: &CustomerScope,
        subscription: &str,
    ) -> Answer {
        let route = Route::Endpoint {
            customer: scope.customer().to_string(),
            subscription: subscription.to_owned(),
        };
        self.done(done, &route)
    }

    /// The change before this request, which its page names once.
    pub(crate) fn was_done(&self, request: &Request) -> Option<Done> {
        Done::named(self.settings.kind.done(request.headers())?)
    }
}
