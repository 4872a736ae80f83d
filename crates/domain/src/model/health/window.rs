//! A sliding window over the last attempts to one endpoint, in one execution environment.

use std::collections::VecDeque;
use std::time::Duration;

use crate::outbound::{AttemptOutcome, WebhookResponse};
use crate::timestamp::Timestamp;

use super::circuit::CircuitPolicy;

/// An attempt that takes this long is slow, whatever its outcome. An endpoint that answers just
/// below this threshold occupies 100 environments at 100 webhooks a second in batches of one, or at
/// 1,000 in batches of ten. With a threshold of three seconds, 34 and 340 would be enough.
const SLOW: Duration = Duration::from_secs(1);
/// The number of slow attempts in a row that make an endpoint slow.
const SLOW_IN_A_ROW: usize = 3;
/// The number of quick attempts in a row that make it quick again. It is larger, so that an
/// endpoint does not change back and forth.
const QUICK_IN_A_ROW: usize = 5;

/// The part of an attempt that the window keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// The time at which it ended.
    pub at: Timestamp,
    /// True if it failed.
    pub failed: bool,
    /// True if it was slow.
    pub slow: bool,
}

impl Observation {
    /// The observation of an attempt that ended now, with this response.
    pub fn of(response: &WebhookResponse, now: Timestamp) -> Self {
        Self {
            at: now,
            failed: response.outcome != AttemptOutcome::Succeeded,
            slow: is_slow(response.outcome, response.duration_ms),
        }
    }
}

/// Returns true if an attempt with this outcome was slow.
pub fn is_slow(outcome: AttemptOutcome, duration_ms: u32) -> bool {
    outcome == AttemptOutcome::TimedOut || Duration::from_millis(duration_ms.into()) >= SLOW
}

/// The speed at which an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseSpeed {
    /// The last attempts were all slow.
    Slow,
    /// The last attempts were all quick.
    Quick,
}

/// A summary of the attempts in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowSummary {
    /// True if the failure rate opens the circuit breaker.
    pub fails_at_rate: bool,
    /// The speed of the last attempts. `None` if it is mixed.
    pub speed: Option<ResponseSpeed>,
    /// True if none of them was slow.
    pub none_slow: bool,
}

/// The last attempts, limited in number and age.
#[derive(Debug, Default)]
pub struct Window(VecDeque<Observation>);

impl Window {
    /// The largest number of attempts in the window.
    pub const MAX_ATTEMPTS: u32 = 20;
    /// The largest age of an attempt in the window.
    pub const MAX_AGE: Duration = Duration::from_mins(2);

    /// Adds an attempt.
    pub fn add(&mut self, observation: Observation) {
        while self.0.len() >= Self::MAX_ATTEMPTS as usize
            || self
                .0
                .front()
                .is_some_and(|first| observation.at.since(first.at) > Self::MAX_AGE)
        {
            self.0.pop_front();
        }
        self.0.push_back(observation);
    }

    /// The time at which its last attempt ended.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.0.back().map(|observation| observation.at)
    }

    /// Summarises its attempts.
    pub fn summary(&self, circuit: Option<&CircuitPolicy>) -> WindowSummary {
        let failed = self
            .0
            .iter()
            .filter(|observation| observation.failed)
            .count();
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        WindowSummary {
            fails_at_rate: circuit
                .is_some_and(|policy| policy.opens_at(count(failed), count(self.0.len()))),
            speed: self.speed(),
            none_slow: self.0.iter().all(|observation| !observation.slow),
        }
    }

    fn speed(&self) -> Option<ResponseSpeed> {
        let in_a_row = |slow| self.0.iter().rev().take_while(|s| s.slow == slow).count();
        if in_a_row(true) >= SLOW_IN_A_ROW {
            Some(ResponseSpeed::Slow)
        } else if in_a_row(false) >= QUICK_IN_A_ROW {
            Some(ResponseSpeed::Quick)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::{ResponseBody, ResponseHeaders, Timings};
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn observation(at: Timestamp, failed: bool, slow: bool) -> Observation {
        Observation { at, failed, slow }
    }

    fn window(summary: impl IntoIterator<Item = Observation>) -> Window {
        let mut window = Window::default();
        for observation in summary {
            window.add(observation);
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
            body: ResponseBody::default(),
            timings: Timings::default(),
            retry_after: None,
            duration_ms,
        }
    }

    #[test]
    fn an_attempt_is_slow_when_it_times_out_or_takes_long() {
        let of = |outcome, millis| Observation::of(&response(outcome, millis), NOW);
        let quick = of(AttemptOutcome::Succeeded, 999);
        assert_eq!(quick, observation(NOW, false, false));
        assert!(of(AttemptOutcome::Succeeded, 1_000).slow);
        let timed_out = of(AttemptOutcome::TimedOut, 900);
        assert_eq!(timed_out, observation(NOW, true, true));
        let refused = of(AttemptOutcome::Unreachable, 1);
        assert_eq!(refused, observation(NOW, true, false));
    }

    #[test]
    fn an_old_attempt_does_not_count() {
        let policy = CircuitPolicy::new(80, 3, 30).unwrap();
        let second = Duration::from_secs(1);
        let at_rate = |last| {
            let times = [NOW, NOW + second, last];
            let window = window(times.map(|at| observation(at, true, false)));
            window.summary(Some(&policy)).fails_at_rate
        };
        assert!(at_rate(NOW + Window::MAX_AGE));
        assert!(!at_rate(NOW + Window::MAX_AGE + second));
    }

    #[test]
    fn three_slow_attempts_in_a_row_are_slow_and_five_quick_ones_quick() {
        let speed = |pattern: &str| {
            let summary = pattern.chars().map(|c| observation(NOW, false, c == 's'));
            window(summary).speed()
        };
        assert_eq!(speed("ss"), None);
        assert_eq!(speed("qqqqqsss"), Some(ResponseSpeed::Slow));
        assert_eq!(speed("ssqss"), None);
        assert_eq!(speed("sssqqqq"), None);
        assert_eq!(speed("sssqqqqq"), Some(ResponseSpeed::Quick));
    }

    proptest! {
        #[test]
        fn a_window_stays_within_its_bounds(
            summary in proptest::collection::vec((0..10_000_u64, any::<bool>(), any::<bool>()), 0..200),
        ) {
            let mut window = Window::default();
            let mut now = NOW;
            for (millis, failed, slow) in summary {
                now = now + Duration::from_millis(millis);
                window.add(observation(now, failed, slow));
                prop_assert!(window.0.len() <= Window::MAX_ATTEMPTS as usize);
                prop_assert!(window.0.iter().all(|s| now.since(s.at) <= Window::MAX_AGE));
                prop_assert_eq!(window.last_at(), Some(now));
            }
        }
    }
}
