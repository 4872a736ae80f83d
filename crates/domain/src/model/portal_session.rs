//! Sessions of the portal and of the console: the access of a customer's people, and of the
//! operator's support staff, in a browser.
//!
//! The API makes the sessions of customers, and `console-sessions` those of support staff. Each answers
//! with a link. The link has a [`PortalCode`], which works
//! once and for [`PortalCode::VALID`]. The portal exchanges it for a [`PortalToken`], which the
//! browser sends with each request until the session ends. The table has a digest of each.

mod capability;
mod credential;
mod holder;
mod origin;

use std::time::Duration;

use crate::ids::PortalSessionId;
use crate::timestamp::Timestamp;

pub use capability::{Capabilities, Capability, CapabilityError};
pub use credential::{CredentialError, CsrfToken, PortalCode, PortalToken, SecretDigest};
pub use holder::{Actor, ActorError, Audience, Holder};
pub use origin::{FrameAncestors, Origin, OriginError, Origins, ReturnUrl, ReturnUrlError};

/// The access of somebody, for a limited time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalSession {
    /// The holder.
    pub holder: Holder,
    /// Its id. It is no secret, and gives no access.
    pub id: PortalSessionId,
    /// The permitted actions.
    pub capabilities: Capabilities,
    /// The place to which the portal leads after the end of the session.
    pub return_url: Option<ReturnUrl>,
    /// The caller of the API who asked for it, as an ARN, if it is known. Only for a customer.
    pub created_by: Option<String>,
    /// The time at which it was made.
    pub created_at: Timestamp,
    /// The time at which the link was used. `None` if it was not used yet.
    pub entered_at: Option<Timestamp>,
    /// The end of the session, in whole seconds.
    pub ends_at: Timestamp,
}

impl PortalSession {
    /// Returns true if the session has ended.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at <= now
    }
}

/// The duration of a session, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionDuration(u32);

/// The number is not the duration of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {min} to {max} seconds", min = SessionDuration::MIN_SECS, max = SessionDuration::MAX_SECS)]
pub struct SessionDurationError;

impl SessionDuration {
    /// The shortest duration.
    pub const MIN_SECS: u32 = 60;
    /// The longest duration: a day.
    pub const MAX_SECS: u32 = 86_400;

    /// The end of a session that begins now, in whole seconds.
    pub fn end(self, now: Timestamp) -> Timestamp {
        whole_seconds(now + Duration::from_secs(self.0.into()))
    }
}

/// Items expire at whole seconds. The time is rounded down.
pub(crate) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_secs().saturating_mul(1_000))
}

impl Default for SessionDuration {
    /// An hour.
    fn default() -> Self {
        Self(3_600)
    }
}

impl TryFrom<u64> for SessionDuration {
    type Error = SessionDurationError;

    fn try_from(seconds: u64) -> Result<Self, SessionDurationError> {
        let seconds = u32::try_from(seconds).ok();
        let within = |seconds: &u32| (Self::MIN_SECS..=Self::MAX_SECS).contains(seconds);
        let seconds = seconds.filter(within).ok_or(SessionDurationError)?;
        Ok(Self(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_a_day_at_most() {
        for (seconds, is_valid) in [
            (0, false),
            (59, false),
            (60, true),
            (86_400, true),
            (86_401, false),
            (u64::MAX, false),
        ] {
            let duration = SessionDuration::try_from(seconds);
            assert_eq!(duration.is_ok(), is_valid, "{seconds}");
        }
        let now = Timestamp::from_millis(1_700_000_000_999);
        let end = SessionDuration::default().end(now);
        assert_eq!(end, Timestamp::from_millis(1_700_003_600_000));
    }
}
