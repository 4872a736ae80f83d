//! Where a delivery waits for its next attempt.
//!
//! A short wait is the queue's: it hands the task back after a delay. A long one is the
//! table's, in the sparse `due` index that the sweeper reads every minute. A delivery that
//! has failed once, or that somebody asked to send again, stays in that index until it
//! ends, so that the sweeper also finds it when its task was lost. One that succeeds at
//! once is never in it.

use std::str::FromStr;
use std::time::Duration;

use crate::ids::DeliveryId;
use crate::queue::MAX_QUEUE_DELAY;
use crate::timestamp::Timestamp;

/// The longest wait that is left to the queue: 1 to 900 whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongestQueueDelay(Duration);

/// A text that is no such wait.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}`: must be 1 to {max} whole seconds", max = MAX_QUEUE_DELAY.as_secs())]
pub struct LongestQueueDelayError(String);

impl LongestQueueDelay {
    /// As long as the queue can.
    pub const MAX: Self = Self(MAX_QUEUE_DELAY);
}

impl FromStr for LongestQueueDelay {
    type Err = LongestQueueDelayError;

    fn from_str(text: &str) -> Result<Self, LongestQueueDelayError> {
        text.parse()
            .ok()
            .filter(|seconds| (1..=MAX_QUEUE_DELAY.as_secs()).contains(seconds))
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or_else(|| LongestQueueDelayError(text.to_owned()))
    }
}

/// When the next attempt is due, and when the sweeper looks whether it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextAttempt {
    /// When it is due.
    pub due_at: Timestamp,
    /// When the sweeper sends its task, unless it was made before.
    pub sweep_at: Timestamp,
}

/// How long after its due time an attempt counts as lost.
///
/// Longer than a task can go round in the queue before it is in the dead-letter queue:
/// ten times the greatest visibility timeout, 38 minutes.
pub const OVERDUE_AFTER: Duration = Duration::from_hours(1);

impl NextAttempt {
    /// Plans an attempt that is due at `due_at`.
    pub fn plan(due_at: Timestamp, now: Timestamp, longest: LongestQueueDelay) -> Self {
        let sweep_at = if due_at.since(now) > longest.0 {
            due_at - longest.0
        } else {
            due_at + OVERDUE_AFTER
        };
        Self { due_at, sweep_at }
    }

    /// For how long the queue keeps the task; `None` when the sweeper will send it.
    pub fn queue_delay(&self, now: Timestamp) -> Option<Duration> {
        (self.sweep_at > self.due_at).then(|| self.due_at.since(now))
    }
}

/// A part of the `due` index. It is cut so that many endpoints that fail at the same time
/// do not meet DynamoDB's bound of 1,000 writes a second for one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard(u8);

impl Shard {
    /// The number of shards.
    pub const COUNT: u8 = 8;

    /// Every shard.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The shard of a delivery: always the same.
    pub fn of(delivery: &DeliveryId) -> Self {
        Self(delivery.spread() % Self::COUNT)
    }

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_wait_within_the_bound_is_the_queues_and_a_longer_one_the_sweepers() {
        let plan = |millis| {
            let due_at = NOW + Duration::from_millis(millis);
            NextAttempt::plan(due_at, NOW, LongestQueueDelay::MAX)
        };
        let short = plan(900_000);
        assert_eq!(short.queue_delay(NOW), Some(MAX_QUEUE_DELAY));
        assert_eq!(short.sweep_at, short.due_at + OVERDUE_AFTER);
        let long = plan(900_001);
        assert_eq!(long.queue_delay(NOW), None);
        assert_eq!(long.sweep_at, NOW + Duration::from_millis(1));
    }

    #[test]
    fn the_longest_queue_delay_is_bounded() {
        assert_eq!("900".parse(), Ok(LongestQueueDelay::MAX));
        for bad in ["", "0", "901", "-1", "1.5", "x"] {
            let error = bad.parse::<LongestQueueDelay>().unwrap_err().to_string();
            assert!(error.contains("1 to 900"), "{error}");
        }
    }

    #[test]
    fn the_shards_are_used_evenly() {
        let mut counts = [0_u32; Shard::COUNT as usize];
        for n in 0..8_000_u128 {
            // Ids are digests: their bits are as good as random.
            let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            let id = format!("dlv_{random:032x}_{:032x}", 7).parse().unwrap();
            counts[usize::from(Shard::of(&id).number())] += 1;
        }
        assert!(
            counts.iter().all(|&count| (800..1_200).contains(&count)),
            "{counts:?}"
        );
    }

    proptest! {
        #[test]
        fn the_sweeper_never_has_to_wait_longer_than_the_queue_can(
            wait_ms in 0..100_000_000_u64,
            longest in 1..=900_u64,
        ) {
            let longest = longest.to_string().parse().unwrap();
            let next = NextAttempt::plan(NOW + Duration::from_millis(wait_ms), NOW, longest);
            match next.queue_delay(NOW) {
                Some(delay) => prop_assert!(delay <= MAX_QUEUE_DELAY),
                None => prop_assert!(next.due_at.since(next.sweep_at) <= MAX_QUEUE_DELAY),
            }
        }
    }
}
