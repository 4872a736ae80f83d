//! A simulated hour of a queue, its pollers, environments and endpoints, in steps of 10 ms.
//!
//! Assumptions:
//! - Events arrive at random, independently of each other (a Poisson process). Retries of the
//!   deliveries that fail arrive after the waits of the default schedule.
//! - An idle poller takes a message when it arrives. If more messages wait than pollers are idle, the
//!   pollers share them, up to ten each. The message that waits longest is taken first.
//! - A poller is busy for the time of a batch: the answer time of the endpoints, and 40 ms.
//! - There are 5 pollers at the beginning. While the last poll has left messages, 300 are added in a
//!   minute, up to the maximum concurrency. None is removed.
//!
//! Messages are counted, not tracked, so an hour of 100,000 events a second takes as long as one of
//! 10 events a second. The same seed gives the same hour.

use std::collections::VecDeque;

use webhooks_costs::{Capacity, Workload};

const TICKS_A_SECOND: f64 = 100.0;
const SECONDS: f64 = 3_600.0;
const FULL_BATCH: u64 = 10;
const STARTING_POLLERS: u64 = 5;
const POLLERS_A_TICK: f64 = 5.0 / TICKS_A_SECOND;

/// The hour, measured.
#[derive(Debug, Default)]
pub(crate) struct Hour {
    /// The means of the second half.
    pub(crate) steady: Steady,
    /// The largest number of waiting messages.
    pub(crate) peak_depth: f64,
    /// The longest wait.
    pub(crate) oldest_seconds: f64,
    /// The time until no message waits longer than a batch takes.
    pub(crate) drained_after_seconds: f64,
    /// The number of waiting messages at the end.
    pub(crate) depth_at_end: f64,
}

#[derive(Debug, Default)]
pub(crate) struct Steady {
    pub(crate) attempts_per_second: f64,
    pub(crate) environments: f64,
    pub(crate) batch: f64,
    pub(crate) waiting_seconds: f64,
    pub(crate) in_flight: f64,
}

/// Simulates an hour with at most this many environments.
#[expect(clippy::cast_precision_loss, reason = "far less than 2^53")]
pub(crate) fn hour(workload: &Workload, capacity: &Capacity, most: u64, seed: u64) -> Hour {
    let ticks = count(SECONDS * TICKS_A_SECOND);
    let batch_ticks = count(capacity.batch_seconds * TICKS_A_SECOND).max(1);
    let mut random = Random(seed);
    // The numbers of retries and of pollers that arrive in a tick.
    let mut retries = vec![0_u64; ticks];
    let mut returning = VecDeque::from(vec![0_u64; batch_ticks]);
    let mut returning_messages = VecDeque::from(vec![0_u64; batch_ticks]);
    let mut queue: VecDeque<(usize, u64)> = VecDeque::new();
    let (mut depth, mut idle, mut pollers) = (0_u64, STARTING_POLLERS, STARTING_POLLERS);
    let (mut in_flight, mut growth, mut leaves_messages) = (0_u64, 0.0, false);
    let mut hour = Hour::default();
    let (mut taken_in_all, mut polls_in_all) = (0_u64, 0_u64);
    for tick in 0..ticks {
        let is_steady = tick >= ticks / 2;
        idle += returning.pop_front().unwrap_or_default();
        in_flight -= returning_messages.pop_front().unwrap_or_default();

        let new = random.poisson(workload.deliveries_per_second() / TICKS_A_SECOND);
        let failing = random.poisson(new as f64 * workload.failing).min(new);
        for after in [5.0, 305.0] {
            let at = tick + count(after * TICKS_A_SECOND);
            if let Some(retries) = retries.get_mut(at) {
                *retries += failing;
            }
        }
        let arrived = new + retries[tick];
        if arrived > 0 {
            queue.push_back((tick, arrived));
            depth += arrived;
        }

        let used = idle.min(depth);
        let taken = depth.min(used * FULL_BATCH);
        let mut left = taken;
        while left > 0 {
            let (arrived, waiting) = queue.front_mut().expect("the depth is their sum");
            let waited = (tick - *arrived) as f64 / TICKS_A_SECOND;
            let part = left.min(*waiting);
            hour.oldest_seconds = hour.oldest_seconds.max(waited);
            if waited > capacity.batch_seconds {
                hour.drained_after_seconds = tick as f64 / TICKS_A_SECOND;
            }
            if is_steady {
                hour.steady.waiting_seconds += waited * part as f64;
            }
            (*waiting, left) = (*waiting - part, left - part);
            if *waiting == 0 {
                queue.pop_front();
            }
        }
        depth -= taken;
        idle -= used;
        in_flight += taken;
        returning.push_back(used);
        returning_messages.push_back(taken);
        hour.peak_depth = hour.peak_depth.max(depth as f64);
        if is_steady {
            taken_in_all += taken;
            polls_in_all += used;
            hour.steady.environments += (pollers - idle) as f64;
            hour.steady.in_flight += in_flight as f64;
        }

        if used > 0 {
            leaves_messages = depth > 0;
        }
        if leaves_messages && pollers < most {
            growth += POLLERS_A_TICK;
            if growth >= 1.0 {
                growth -= 1.0;
                pollers += 1;
                idle += 1;
            }
        }
    }
    let steady_ticks = (ticks - ticks / 2) as f64;
    let steady = &mut hour.steady;
    steady.waiting_seconds /= taken_in_all as f64;
    steady.environments /= steady_ticks;
    steady.in_flight /= steady_ticks;
    steady.attempts_per_second = taken_in_all as f64 / steady_ticks * TICKS_A_SECOND;
    steady.batch = taken_in_all as f64 / polls_in_all as f64;
    hour.depth_at_end = depth as f64;
    hour
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small positive numbers"
)]
fn count(of: f64) -> usize {
    of.round() as usize
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number of events in a tick, given its mean. A large one follows the normal distribution.
    fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 50.0 {
            let radius = (-2.0 * self.uniform().max(f64::MIN_POSITIVE).ln()).sqrt();
            let normal = radius * (std::f64::consts::TAU * self.uniform()).cos();
            return count((mean + normal * mean.sqrt()).max(0.0)) as u64;
        }
        let (mut product, end, mut events) = (self.uniform(), (-mean).exp(), 0);
        while product > end {
            product *= self.uniform();
            events += 1;
        }
        events
    }
}
