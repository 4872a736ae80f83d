//! The wait of a delivery for its next attempt.
//!
//! The queue handles a short wait: it returns the task after a delay. The table handles a long
//! wait, in the sparse `due` index that the sweep reads every minute. A delivery that has failed
//! once, or was resent, stays in that index until it ends, so the sweep also finds it if its task
//! is lost. A delivery that succeeds at once is never in the index.

use std::str::FromStr;
use std::time::Duration;

use crate::ids::DeliveryId;
use crate::queue::MAX_QUEUE_DELAY;
use crate::timestamp::Timestamp;

/// The longest wait that is left to the queue: 1 to 900 whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongestQueueDelay(Duration);

/// The text is not such a wait.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}`: must be 1 to {max} whole seconds", max = MAX_QUEUE_DELAY.as_secs())]
pub struct LongestQueueDelayError(String);

impl LongestQueueDelay {
    /// The longest delay of the queue.
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

/// The next attempt: its due time, and the time at which the sweep checks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextAttempt {
    /// The time at which it is due.
    pub due_at: Timestamp,
    /// The time at which the sweep sends its task, unless the attempt was made before.
    pub sweep_at: Timestamp,
}

/// An attempt that is this late counts as lost.
///
/// This is longer than a task can circulate in the queue before it is moved to the dead-letter
/// queue: ten times the largest visibility timeout, 38 minutes.
pub const OVERDUE_AFTER: Duration = Duration::from_hours(1);

/// A page of a recovery that is killed may not have queued the tasks of its attempts. This long
/// after such an attempt was due, the sweep checks it.
pub const GRACE: Duration = Duration::from_mins(2);

impl NextAttempt {
    /// The same attempt of a delivery that was held. If its task is queued, the sweep checks it soon
    /// after it was due.
    #[must_use]
    pub fn of_held(self) -> Self {
        let sweep_at = self.sweep_at.min(self.due_at + GRACE);
        Self { sweep_at, ..self }
    }

    /// Plans an attempt that is due at `due_at`.
    pub fn plan(due_at: Timestamp, now: Timestamp, longest: LongestQueueDelay) -> Self {
        let sweep_at = if due_at.since(now) > longest.0 {
            due_at - longest.0
        } else {
            due_at + OVERDUE_AFTER
        };
        Self { due_at, sweep_at }
    }

    /// The delay of the task in the queue. `None` if the sweep will send it.
    pub fn queue_delay(&self, now: Timestamp) -> Option<Duration> {
        (self.sweep_at > self.due_at).then(|| self.due_at.since(now))
    }
}

/// A part of the `due` index. The index is divided so that many endpoints that fail at the same
/// time do not exceed DynamoDB's limit of 1,000 writes a second for one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard(u8);

impl Shard {
    /// The number of shards.
    pub const COUNT: u8 = 8;

    /// Every shard.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The shard of a delivery. It never changes.
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
    fn the_queue_keeps_short_waits_and_the_sweep_ends_long_ones() {
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
            // Ids are digests, so their bits are like random bits.
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
        fn the_sweep_never_needs_a_longer_delay_than_the_queue_allows(
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
