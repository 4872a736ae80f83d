//! Decides when the next attempt is made.

mod json;

pub use json::RetryPolicyFields;

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use crate::timestamp::Timestamp;

/// The number of attempts of a delivery, and the delays between them.
///
/// Its JSON form uses the names of Step Functions' own retry:
/// `{"maxAttempts","intervalSeconds","backoffRate","maxDelaySeconds","jitter"?}`, or
/// `{"schedule","jitter"?}` with the delay before each attempt in seconds.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "json::RetryPolicyFields", into = "json::RetryPolicyFields")]
pub struct RetryPolicy {
    waits: Waits,
    jitter: f64,
}

/// No value within the limits is NaN.
impl Eq for RetryPolicy {}

/// The delays without jitter, in whole seconds.
#[derive(Debug, Clone, PartialEq)]
pub enum Waits {
    /// The delay before each attempt, including the first.
    Schedule(Vec<u32>),
    /// Exponential backoff with a longest delay.
    Backoff {
        /// The number of attempts, including the first.
        max_attempts: u32,
        /// The delay before the second attempt.
        interval_seconds: u32,
        /// The factor from one delay to the next.
        backoff_rate: f64,
        /// The longest delay.
        max_delay_seconds: u32,
    },
}

/// A retry policy that breaks a limit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RetryPolicyError {
    /// The length of the schedule.
    #[error("schedule: must have 1 to {max} entries, has {len}", max = RetryPolicy::MAX_ATTEMPTS)]
    ScheduleLength {
        /// The length that was given.
        len: usize,
    },
    /// The first entry of the schedule.
    #[error("schedule: the first delay must be 0, is {first} s")]
    ScheduleStart {
        /// The first delay that was given.
        first: u32,
    },
    /// A field of a backoff is missing.
    #[error("{field}: is required, as there is no schedule")]
    Missing {
        /// The field's name.
        field: &'static str,
    },
    /// The fields of both forms are present.
    #[error("schedule: must stand alone, without maxAttempts and the other fields of a backoff")]
    BothForms,
    /// A number is out of its range.
    #[error("{field}: must be {min} to {max}, is {value}")]
    Range {
        /// The number's name.
        field: &'static str,
        /// The smallest value.
        min: f64,
        /// The largest value.
        max: f64,
        /// The value that was given.
        value: f64,
    },
}

/// A random share, 0 to 1, of the policy's largest jitter. It lengthens a delay.
///
/// It spreads deliveries that failed together, and gives the tasks of two overlapping runs
/// different due times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    /// No jitter.
    pub const NONE: Self = Self(0.0);

    /// A random share.
    pub fn random(random: &SystemRandom) -> Self {
        let mut bytes = [0; 4];
        random
            .fill(&mut bytes)
            .expect("the system's random source answers once the process runs");
        Self(f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX))
    }
}

impl RetryPolicy {
    /// The largest number of attempts.
    pub const MAX_ATTEMPTS: u32 = 50;
    /// The longest delay: 7 days.
    pub const MAX_DELAY_SECONDS: u32 = 604_800;
    /// The largest factor from one delay to the next.
    pub const MAX_BACKOFF_RATE: f64 = 10.0;
    /// The default share of a delay that jitter may add.
    pub const DEFAULT_JITTER: f64 = 0.1;
    /// The longest delay that a receiver can request by `Retry-After`.
    pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

    /// The delays without jitter.
    pub fn waits(&self) -> &Waits {
        &self.waits
    }

    /// The share of a delay that jitter may add, 0 to 1.
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    /// An explicit schedule, in seconds; the first delay is 0.
    pub fn schedule(delays: Vec<u32>) -> Result<Self, RetryPolicyError> {
        if delays.is_empty() || delays.len() > Self::MAX_ATTEMPTS as usize {
            return Err(RetryPolicyError::ScheduleLength { len: delays.len() });
        }
        if delays[0] != 0 {
            return Err(RetryPolicyError::ScheduleStart { first: delays[0] });
        }
        for &delay in &delays {
            check_range(
                "schedule",
                0.0,
                Self::MAX_DELAY_SECONDS.into(),
                delay.into(),
            )?;
        }
        Ok(Self::new(Waits::Schedule(delays)))
    }

    /// Exponential backoff with a longest delay.
    pub fn backoff(
        max_attempts: u32,
        interval_seconds: u32,
        backoff_rate: f64,
        max_delay_seconds: u32,
    ) -> Result<Self, RetryPolicyError> {
        let max_delay = Self::MAX_DELAY_SECONDS.into();
        check_range(
            "maxAttempts",
            1.0,
            Self::MAX_ATTEMPTS.into(),
            max_attempts.into(),
        )?;
        check_range("intervalSeconds", 1.0, max_delay, interval_seconds.into())?;
        check_range("backoffRate", 1.0, Self::MAX_BACKOFF_RATE, backoff_rate)?;
        check_range("maxDelaySeconds", 1.0, max_delay, max_delay_seconds.into())?;
        Ok(Self::new(Waits::Backoff {
            max_attempts,
            interval_seconds,
            backoff_rate,
            max_delay_seconds,
        }))
    }

    fn new(waits: Waits) -> Self {
        Self {
            waits,
            jitter: Self::DEFAULT_JITTER,
        }
    }

    /// Sets the share of each delay, 0 to 1, that jitter may add.
    pub fn with_jitter(self, jitter: f64) -> Result<Self, RetryPolicyError> {
        check_range("jitter", 0.0, 1.0, jitter)?;
        Ok(Self { jitter, ..self })
    }

    /// The delay without jitter before the attempt with this number, counted from 1. `None` if
    /// there is no such attempt.
    pub fn delay_before(&self, attempt: u32) -> Option<Duration> {
        let seconds = match &self.waits {
            Waits::Schedule(delays) => {
                let index = attempt.checked_sub(1)?;
                f64::from(*delays.get(index as usize)?)
            }
            Waits::Backoff { max_attempts, .. } if attempt == 0 || attempt > *max_attempts => {
                return None;
            }
            Waits::Backoff { .. } if attempt == 1 => 0.0,
            Waits::Backoff {
                interval_seconds,
                backoff_rate,
                max_delay_seconds,
                ..
            } => {
                let exponent = i32::try_from(attempt - 2).unwrap_or(i32::MAX);
                (f64::from(*interval_seconds) * backoff_rate.powi(exponent))
                    .min(f64::from(*max_delay_seconds))
            }
        };
        Some(Duration::from_secs_f64(seconds))
    }

    /// An upper estimate of its stored size, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        match &self.waits {
            Waits::Schedule(delays) => 64 + 8 * delays.len(),
            Waits::Backoff { .. } => 128,
        }
    }

    /// The longest time that a delivery can be pending, not counting `Retry-After`.
    pub fn longest_run(&self) -> Duration {
        (2..)
            .map_while(|attempt| self.delay_before(attempt))
            .map(|delay| delay + delay.mul_f64(self.jitter))
            .sum()
    }

    /// The time at which the attempt with this number is due, if there is one.
    ///
    /// The delay includes jitter. The receiver's `Retry-After` may then delay the attempt further,
    /// but never bring it forward.
    pub fn due_at(
        &self,
        attempt: u32,
        now: Timestamp,
        retry_after: Option<Duration>,
        jitter: Jitter,
    ) -> Option<Timestamp> {
        let delay = self.delay_before(attempt)?;
        let requested = retry_after.unwrap_or_default().min(Self::MAX_RETRY_AFTER);
        Some(now + delay.max(requested) + delay.mul_f64(self.jitter * jitter.0))
    }
}

fn check_range(
    field: &'static str,
    min: f64,
    max: f64,
    value: f64,
) -> Result<(), RetryPolicyError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(RetryPolicyError::Range {
            field,
            min,
            max,
            value,
        })
    }
}

/// Parses a `Retry-After` header: whole seconds, or an HTTP date (RFC 9110, 10.2.3).
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(Timestamp::from(date).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const JITTER: Jitter = Jitter(0.5);

    fn policies() -> impl Strategy<Value = RetryPolicy> {
        let schedule = proptest::collection::vec(0..=604_800_u32, 0..49).prop_map(|mut delays| {
            delays.insert(0, 0);
            RetryPolicy::schedule(delays).unwrap()
        });
        let backoff = (1..=50_u32, 1..=604_800_u32, 1.0..=10.0, 1..=604_800_u32).prop_map(
            |(attempts, interval, rate, max)| {
                RetryPolicy::backoff(attempts, interval, rate, max).unwrap()
            },
        );
        prop_oneof![schedule, backoff]
    }

    #[test]
    fn a_schedule_gives_its_delays_and_then_ends() {
        let policy = RetryPolicy::schedule(vec![0, 5, 300]).unwrap();
        let delays: Vec<_> = (0..5)
            .map(|n| policy.delay_before(n).map(|d| d.as_secs()))
            .collect();
        assert_eq!(delays, [None, Some(0), Some(5), Some(300), None]);
    }

    #[test]
    fn backoff_multiplies_up_to_its_bound() {
        let policy = RetryPolicy::backoff(6, 10, 3.0, 200).unwrap();
        let delays: Vec<_> = (1..8)
            .map(|n| policy.delay_before(n).map(|d| d.as_secs()))
            .collect();
        assert_eq!(
            delays,
            [
                Some(0),
                Some(10),
                Some(30),
                Some(90),
                Some(200),
                Some(200),
                None
            ]
        );
    }

    #[test]
    fn policies_at_their_bounds_are_accepted() {
        let mut longest = vec![604_800; 50];
        longest[0] = 0;
        assert!(RetryPolicy::schedule(longest).is_ok());
        assert!(RetryPolicy::backoff(50, 604_800, 10.0, 604_800).is_ok());
        assert!(RetryPolicy::backoff(1, 1, 1.0, 1).is_ok());
    }

    #[test]
    fn policies_out_of_bounds_are_refused() {
        assert!(RetryPolicy::schedule(vec![]).is_err());
        assert!(RetryPolicy::schedule(vec![1]).is_err());
        assert!(RetryPolicy::schedule(vec![0; 51]).is_err());
        assert!(RetryPolicy::schedule(vec![0, 604_801]).is_err());
        assert!(RetryPolicy::backoff(0, 1, 2.0, 1).is_err());
        assert!(RetryPolicy::backoff(51, 1, 2.0, 1).is_err());
        assert!(RetryPolicy::backoff(5, 0, 2.0, 1).is_err());
        assert!(RetryPolicy::backoff(5, 1, 0.9, 1).is_err());
        assert!(RetryPolicy::backoff(5, 1, f64::NAN, 1).is_err());
        assert!(RetryPolicy::backoff(5, 1, 2.0, 0).is_err());
    }

    #[test]
    fn retry_after_never_brings_an_attempt_forward() {
        let policy = RetryPolicy::schedule(vec![0, 100]).unwrap();
        let due = |requested: u64| {
            policy
                .due_at(2, NOW, Some(Duration::from_secs(requested)), JITTER)
                .unwrap()
        };
        let without = policy.due_at(2, NOW, None, JITTER).unwrap();
        assert_eq!(due(1), without);
        assert!(due(500) >= NOW + Duration::from_secs(500));
        assert!(due(u64::MAX) <= NOW + RetryPolicy::MAX_RETRY_AFTER + Duration::from_secs(10));
    }

    #[test]
    fn the_longest_run_counts_every_wait_with_its_jitter() {
        let policy = RetryPolicy::schedule(vec![0, 50, 432_000]).unwrap();
        let expected = Duration::from_secs(55) + Duration::from_hours(132);
        assert_eq!(policy.longest_run().as_secs(), expected.as_secs());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let seconds = |value: &str| parse_retry_after(value, NOW).map(|d| d.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(seconds("Tue, 14 Nov 2023 22:14:20 GMT"), Some(60));
        assert_eq!(seconds("Tue, 14 Nov 2000 22:14:20 GMT"), Some(0));
        for bad in ["", "-1", "1.5", "soon", "+3"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn jitter_is_a_share_of_the_delay() {
        let policy = RetryPolicy::schedule(vec![0, 100]).unwrap();
        let wait = |policy: &RetryPolicy, share| {
            let due_at = policy.due_at(2, NOW, None, Jitter(share)).unwrap();
            due_at.since(NOW).as_secs()
        };
        assert_eq!((wait(&policy, 0.0), wait(&policy, 1.0)), (100, 110));
        let spread = policy.clone().with_jitter(1.0).unwrap();
        assert_eq!((wait(&spread, 0.0), wait(&spread, 1.0)), (100, 200));
        assert!(policy.clone().with_jitter(1.1).is_err());
        assert!(policy.with_jitter(-0.1).is_err());
    }

    #[test]
    fn a_random_jitter_is_within_its_bounds_and_varies() {
        let random = SystemRandom::new();
        let shares: Vec<f64> = (0..100).map(|_| Jitter::random(&random).0).collect();
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
        assert!(shares.iter().any(|share| (share - shares[0]).abs() > 1e-6));
    }

    proptest! {
        #[test]
        fn an_attempt_is_due_within_schedule_and_jitter(policy in policies(), attempt in 1..60_u32, share in 0.0..=1.0) {
            let Some(delay) = policy.delay_before(attempt) else { return Ok(()) };
            let wait = policy.due_at(attempt, NOW, None, Jitter(share)).unwrap().since(NOW);
            let slack = Duration::from_millis(1);
            prop_assert!(wait + slack >= delay);
            prop_assert!(wait <= delay.mul_f64(1.1) + slack);
        }

        #[test]
        fn attempts_are_contiguous_and_end(policy in policies()) {
            let count = (1..=RetryPolicy::MAX_ATTEMPTS + 1)
                .take_while(|&n| policy.delay_before(n).is_some())
                .count();
            prop_assert!((1..=RetryPolicy::MAX_ATTEMPTS as usize).contains(&count));
        }
    }
}
