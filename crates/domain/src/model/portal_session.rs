//! Sessions of the portal and of the console: the access of a customer's people, and of the
//! operator's support staff, in a browser.
//!
//! The API makes the sessions of customers, and `console-sessions` those of support staff. Each answers
//! with a link. The link has a [`PortalCode`], which works
//! once and for [`PortalCode::VALID`]. The portal exchanges it for a [`PortalToken`], which the
//! browser sends with each request until the session ends. The table has a digest of each.

mod allowance;
mod capability;
mod credential;
mod holder;
mod origin;

use std::time::Duration;

use crate::ids::PortalSessionId;
use crate::timestamp::Timestamp;

pub use allowance::{DailyLimits, DailyLimitsError, LimitedAction, UtcDay};
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

/// The largest difference between the clocks of two functions.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// The digest by which a session is opened now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionSecret {
    /// That of its code, until its link is used.
    Code(SecretDigest),
    /// That of its token, from then on.
    Token(SecretDigest),
}

impl PortalSession {
    /// Returns true if the session has ended.
    ///
    /// No session is longer than a day or begins in the future. An item that says so was not made by
    /// the API, and counts as ended.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        let longest = Duration::from_secs(SessionDuration::MAX_SECS.into());
        self.ends_at <= now
            || self.ends_at > self.created_at + longest
            || self.created_at > now + CLOCK_SKEW
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
    #![allow(clippy::unwrap_used)]

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

    #[test]
    fn a_session_that_the_api_cannot_have_made_has_ended() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let (second, day) = (Duration::from_secs(1), Duration::from_hours(24));
        let has_ended = |created_at: Timestamp, ends_at| {
            let session = PortalSession {
                holder: Holder::Customer("acme".parse().unwrap()),
                id: PortalSessionId::from_bytes([1; 16]),
                capabilities: Capabilities::new([Capability::View]).unwrap(),
                return_url: None,
                created_by: None,
                created_at,
                entered_at: None,
                ends_at,
            };
            session.has_ended(now)
        };
        assert!(!has_ended(now, now + day));
        assert!(has_ended(now, now + day + second), "longer than a day");
        assert!(!has_ended(now - day + second, now + second));
        assert!(has_ended(now - day, now), "its end has come");
        assert!(!has_ended(now + second, now + day), "another clock");
        let tomorrow = now + day;
        assert!(has_ended(tomorrow, tomorrow + day), "from the future");
    }
}
