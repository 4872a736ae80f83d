//! The rate at which a recovery sends.

use std::time::Duration;

use crate::recovery::Rate;
use crate::timestamp::Timestamp;

/// The times of the attempts that a page hands out: one after another at the rate, from now or from
/// the end of the previous page.
#[derive(Debug)]
pub(super) struct AttemptTimes {
    next: Timestamp,
    horizon: Timestamp,
    interval: Duration,
}

impl AttemptTimes {
    /// A page hands out the attempts of this much time in advance.
    pub(super) const AHEAD: Duration = Duration::from_secs(30);

    pub(super) fn new(rate: Rate, paced_until: Option<Timestamp>, now: Timestamp) -> Self {
        Self {
            next: paced_until.map_or(now, |until| until.max(now)),
            horizon: now + Self::AHEAD,
            interval: rate.interval(),
        }
    }

    /// Gives up the times that have passed: a page that finds nothing to send for a while must not
    /// send everything that it finds then at once.
    pub(super) fn catch_up(&mut self, now: Timestamp) {
        self.next = self.next.max(now);
    }

    /// The number of attempts that still fit into this time.
    pub(super) fn room(&self) -> u32 {
        let left = self.horizon.since(self.next).as_millis();
        u32::try_from(left.div_ceil(self.interval.as_millis())).unwrap_or(u32::MAX)
    }

    /// The time of the next attempt.
    pub(super) fn next(&self) -> Timestamp {
        self.next
    }

    /// Uses this time for an attempt.
    pub(super) fn take(&mut self) {
        self.next = self.next + self.interval;
    }

    /// The time that the workflow must wait before the next page, in whole seconds.
    pub(super) fn wait_seconds(&self, now: Timestamp) -> u64 {
        seconds_until(self.next, now).clamp(1, Self::AHEAD.as_secs())
    }
}

/// The time until then, in whole seconds, rounded up.
pub(super) fn seconds_until(time: Timestamp, now: Timestamp) -> u64 {
    let left = time.since(now).as_millis().div_ceil(1_000);
    u64::try_from(left).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn take_all(times: &mut AttemptTimes) -> Vec<Timestamp> {
        let mut taken = Vec::new();
        while times.room() > 0 {
            taken.push(times.next());
            times.take();
        }
        taken
    }

    proptest! {
        /// Pages may begin at any time.
        #[test]
        fn no_second_has_more_attempts_than_the_rate(
            number in 1..=100_u32,
            gaps in proptest::collection::vec(0..90_000_u64, 1..8),
        ) {
            let rate = Rate::per_second(number).unwrap();
            let (mut now, mut until) = (NOW, None);
            let mut due = Vec::new();
            for gap in gaps {
                now = now + Duration::from_millis(gap);
                let mut times = AttemptTimes::new(rate, until, now);
                let page = take_all(&mut times);
                prop_assert!(page.len() <= 30 * number as usize);
                prop_assert!(page.iter().all(|due| *due >= now && *due < now + AttemptTimes::AHEAD));
                due.extend(page);
                until = Some(times.next());
            }
            for (index, first) in due.iter().enumerate() {
                let second = *first + Duration::from_secs(1);
                let seen = due[index..].iter().take_while(|due| **due < second).count();
                prop_assert!(seen <= number as usize, "{seen} in a second");
            }
        }
    }

    #[test]
    fn time_in_which_nothing_was_found_is_not_made_up_for() {
        let mut times = AttemptTimes::new(Rate::per_second(10).unwrap(), None, NOW);
        times.take();
        times.catch_up(NOW + Duration::from_secs(25));
        assert_eq!(
            (times.room(), times.next()),
            (50, NOW + Duration::from_secs(25))
        );
        times.catch_up(NOW);
        assert_eq!(times.next(), NOW + Duration::from_secs(25));
        times.catch_up(NOW + Duration::from_secs(40));
        assert_eq!(times.room(), 0);
    }

    #[test]
    fn the_workflow_waits_until_the_attempts_handed_out_are_over() {
        let rate = Rate::per_second(10).unwrap();
        let mut times = AttemptTimes::new(rate, None, NOW);
        assert_eq!((times.room(), times.wait_seconds(NOW)), (300, 1));
        take_all(&mut times);
        assert_eq!((times.room(), times.wait_seconds(NOW)), (0, 30));
        assert_eq!(times.wait_seconds(NOW + Duration::from_millis(12_500)), 18);
        let behind = AttemptTimes::new(rate, Some(NOW + Duration::from_mins(5)), NOW);
        assert_eq!((behind.room(), behind.wait_seconds(NOW)), (0, 30));
    }
}
