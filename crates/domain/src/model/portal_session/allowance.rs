//! The limits of the actions that sessions of a customer can cause on one day.

use std::fmt;
use std::str::FromStr;

use crate::timestamp::Timestamp;

/// An action of a session that costs requests or many reads, and is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitedAction {
    /// An example event is sent.
    Test,
    /// An endpoint is added.
    NewEndpoint,
    /// A delivery is sent again.
    Resend,
    /// A recovery or a replay is started.
    Recovery,
    /// The deliveries of a recovery or a replay are counted.
    Count,
}

impl LimitedAction {
    /// All actions.
    pub const ALL: [Self; 5] = [
        Self::Test,
        Self::NewEndpoint,
        Self::Resend,
        Self::Recovery,
        Self::Count,
    ];

    /// Its name in [`DailyLimits`], in the table and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "tests",
            Self::NewEndpoint => "endpoints",
            Self::Resend => "resends",
            Self::Recovery => "recoveries",
            Self::Count => "counts",
        }
    }
}

impl fmt::Display for LimitedAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The largest number of each action that all sessions of a customer together cause on one day. 0
/// permits none.
///
/// ```
/// # use webhooks_domain::portal_session::{DailyLimits, LimitedAction};
/// let limits: DailyLimits = "tests=9,endpoints=1,resends=8,recoveries=2,counts=3".parse()?;
/// assert_eq!(limits.of(LimitedAction::Recovery), 2);
/// # Ok::<(), webhooks_domain::portal_session::DailyLimitsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyLimits([u32; LimitedAction::ALL.len()]);

impl DailyLimits {
    /// The largest limit.
    pub const MAX: u32 = 99_999;

    /// The limit of an action.
    pub fn of(&self, action: LimitedAction) -> u32 {
        self.0[action as usize]
    }
}

/// The text is not a list of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be `tests=N,endpoints=N,resends=N,recoveries=N,counts=N`, each N a whole number of 0 to {}",
    DailyLimits::MAX
)]
pub struct DailyLimitsError;

/// Reads the limit of every action, in this order.
impl FromStr for DailyLimits {
    type Err = DailyLimitsError;

    fn from_str(text: &str) -> Result<Self, DailyLimitsError> {
        let mut items = text.split(',');
        let mut limits = [0; LimitedAction::ALL.len()];
        for (action, limit) in LimitedAction::ALL.into_iter().zip(&mut limits) {
            let item = items.next().and_then(|item| item.split_once('='));
            *limit = item
                .filter(|(name, number)| {
                    *name == action.as_str() && number.bytes().all(|byte| byte.is_ascii_digit())
                })
                .and_then(|(_, number)| number.parse().ok())
                .filter(|limit| *limit <= Self::MAX)
                .ok_or(DailyLimitsError)?;
        }
        match items.next() {
            None => Ok(Self(limits)),
            Some(_) => Err(DailyLimitsError),
        }
    }
}

/// A day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcDay(i64);

impl UtcDay {
    const MILLIS: i64 = 86_400_000;

    /// The day of a time.
    pub const fn of(at: Timestamp) -> Self {
        Self(at.as_millis().div_euclid(Self::MILLIS))
    }

    /// The beginning of the next day.
    pub const fn end(self) -> Timestamp {
        Timestamp::from_millis((self.0 + 1).saturating_mul(Self::MILLIS))
    }
}

/// `2026-01-31`
impl fmt::Display for UtcDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = Timestamp::from_millis(self.0.saturating_mul(Self::MILLIS)).to_string();
        formatter.write_str(begin.split('T').next().unwrap_or(&begin))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_action_has_a_limit_in_a_fixed_order() {
        let text = "tests=1,endpoints=2,resends=3,recoveries=0,counts=99999";
        let limits: DailyLimits = text.parse().unwrap();
        let all = LimitedAction::ALL.map(|action| limits.of(action));
        assert_eq!(all, [1, 2, 3, 0, 99_999]);
        for text in [
            "",
            "1,2,3,4,5",
            "tests=1,endpoints=2,resends=3,recoveries=4",
            "tests=1,endpoints=2,resends=3,recoveries=4,counts=5,",
            "tests=1,endpoints=2,resends=3,recoveries=4,counts=5,x=6",
            "endpoints=2,tests=1,resends=3,recoveries=4,counts=5",
            "tests=-1,endpoints=2,resends=3,recoveries=4,counts=5",
            "tests=+1,endpoints=2,resends=3,recoveries=4,counts=5",
            "tests=,endpoints=2,resends=3,recoveries=4,counts=5",
            "tests=100000,endpoints=2,resends=3,recoveries=4,counts=5",
        ] {
            assert_eq!(text.parse::<DailyLimits>(), Err(DailyLimitsError), "{text}");
        }
    }

    #[test]
    fn a_day_ends_at_midnight_utc() {
        let at = |text| Timestamp::parse_rfc3339(text).unwrap();
        let last = UtcDay::of(at("2026-01-31T23:59:59.999Z"));
        assert_eq!(last.to_string(), "2026-01-31");
        assert_eq!(last.end(), at("2026-02-01T00:00:00Z"));
        assert_eq!(UtcDay::of(last.end()).to_string(), "2026-02-01");
    }
}
