//! The last attempts to one subscription, as one execution environment has seen them.

use std::collections::VecDeque;
use std::time::Duration;

use crate::outbound::{AttemptOutcome, WebhookResponse};
use crate::timestamp::Timestamp;

use super::circuit::CircuitPolicy;

/// From how long on an attempt is slow, whatever came of it. An endpoint that stays just below
/// fills a hundred environments, the default, with 100 webhooks a second in batches of one, and
/// 1,000 in batches of ten. At three seconds these would be 34 and 340.
const SLOW: Duration = Duration::from_secs(1);
/// How many slow attempts in a row make a slow endpoint.
const SLOW_IN_A_ROW: usize = 3;
/// How many quick attempts in a row make a quick one. More: to go back and forth helps nobody.
const QUICK_IN_A_ROW: usize = 5;

/// What is kept of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign {
    /// When it ended.
    pub at: Timestamp,
    /// Whether it failed.
    pub failed: bool,
    /// Whether it took long.
    pub slow: bool,
}

impl Sign {
    /// What is kept of an attempt that ended now, with this response.
    pub fn of(response: &WebhookResponse, now: Timestamp) -> Self {
        Self {
            at: now,
            failed: response.outcome != AttemptOutcome::Succeeded,
            slow: is_slow(response.outcome, response.duration_ms),
        }
    }
}

/// Whether an attempt with this outcome was slow.
pub fn is_slow(outcome: AttemptOutcome, duration_ms: u32) -> bool {
    outcome == AttemptOutcome::TimedOut || Duration::from_millis(duration_ms.into()) >= SLOW
}

/// How quickly an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The last attempts were all slow.
    Slow,
    /// The last attempts were all quick.
    Quick,
}

/// What the attempts in a window show together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signs {
    /// Whether so many fail that the circuit opens.
    pub fails_at_rate: bool,
    /// How quick they are; `None` when they are now this, now that.
    pub pace: Option<Pace>,
    /// Whether none of them was slow.
    pub none_slow: bool,
}

/// The last attempts, bounded in number and age.
#[derive(Debug, Default)]
pub struct Window(VecDeque<Sign>);

impl Window {
    /// The most attempts that it holds.
    pub const MAX_SIGNS: u32 = 20;
    /// How long it holds one.
    pub const MAX_AGE: Duration = Duration::from_mins(2);

    /// Takes in an attempt.
    pub fn add(&mut self, sign: Sign) {
        while self.0.len() >= Self::MAX_SIGNS as usize
            || self
                .0
                .front()
                .is_some_and(|first| sign.at.since(first.at) > Self::MAX_AGE)
        {
            self.0.pop_front();
        }
        self.0.push_back(sign);
    }

    /// When its last attempt ended.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.0.back().map(|sign| sign.at)
    }

    /// What its attempts show.
    pub fn signs(&self, circuit: Option<&CircuitPolicy>) -> Signs {
        let failed = self.0.iter().filter(|sign| sign.failed).count();
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Signs {
            fails_at_rate: circuit
                .is_some_and(|policy| policy.opens_at(count(failed), count(self.0.len()))),
            pace: self.pace(),
            none_slow: self.0.iter().all(|sign| !sign.slow),
        }
    }

    fn pace(&self) -> Option<Pace> {
        let in_a_row = |slow| self.0.iter().rev().take_while(|s| s.slow == slow).count();
        if in_a_row(true) >= SLOW_IN_A_ROW {
            Some(Pace::Slow)
        } else if in_a_row(false) >= QUICK_IN_A_ROW {
            Some(Pace::Quick)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::ResponseHeaders;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn sign(at: Timestamp, failed: bool, slow: bool) -> Sign {
        Sign { at, failed, slow }
    }

    fn window(signs: impl IntoIterator<Item = Sign>) -> Window {
        let mut window = Window::default();
        for sign in signs {
            window.add(sign);
        }
        window
    }

    fn response(outcome: AttemptOutcome, duration_ms: u32) -> WebhookResponse {
        WebhookResponse {
            outcome,
            status: None,
            error: None,
            addresses: Vec::new(),
            headers: ResponseHeaders::default(),
            excerpt: None,
            retry_after: None,
            duration_ms,
        }
    }

    #[test]
    fn an_attempt_is_slow_when_it_times_out_or_takes_long() {
        let of = |outcome, millis| Sign::of(&response(outcome, millis), NOW);
        let quick = of(AttemptOutcome::Succeeded, 999);
        assert_eq!(quick, sign(NOW, false, false));
        assert!(of(AttemptOutcome::Succeeded, 1_000).slow);
        let timed_out = of(AttemptOutcome::TimedOut, 900);
        assert_eq!(timed_out, sign(NOW, true, true));
        let refused = of(AttemptOutcome::Unreachable, 1);
        assert_eq!(refused, sign(NOW, true, false));
    }

    #[test]
    fn what_is_old_counts_no_more() {
        let policy = CircuitPolicy::new(80, 3, 30).unwrap();
        let second = Duration::from_secs(1);
        let at_rate = |last| {
            let times = [NOW, NOW + second, last];
            let window = window(times.map(|at| sign(at, true, false)));
            window.signs(Some(&policy)).fails_at_rate
        };
        assert!(at_rate(NOW + Window::MAX_AGE));
        assert!(!at_rate(NOW + Window::MAX_AGE + second));
    }

    #[test]
    fn three_slow_attempts_in_a_row_are_slow_and_five_quick_ones_quick() {
        let pace = |pattern: &str| {
            let signs = pattern.chars().map(|c| sign(NOW, false, c == 's'));
            window(signs).pace()
        };
        assert_eq!(pace("ss"), None);
        assert_eq!(pace("qqqqqsss"), Some(Pace::Slow));
        assert_eq!(pace("ssqss"), None);
        assert_eq!(pace("sssqqqq"), None);
        assert_eq!(pace("sssqqqqq"), Some(Pace::Quick));
    }

    proptest! {
        #[test]
        fn a_window_stays_within_its_bounds(
            signs in proptest::collection::vec((0..10_000_u64, any::<bool>(), any::<bool>()), 0..200),
        ) {
            let mut window = Window::default();
            let mut now = NOW;
            for (millis, failed, slow) in signs {
                now = now + Duration::from_millis(millis);
                window.add(sign(now, failed, slow));
                prop_assert!(window.0.len() <= Window::MAX_SIGNS as usize);
                prop_assert!(window.0.iter().all(|s| now.since(s.at) <= Window::MAX_AGE));
                prop_assert_eq!(window.last_at(), Some(now));
            }
        }
    }
}
