//! Statistics of attempts, for each subscription and hour: numbers by outcome, and answer times.
//!
//! Failed attempts are counted one by one. Of the successful ones, one in
//! [`ATTEMPTS_PER_SAMPLE`] is counted, with that weight. So an endpoint that works costs a tenth of
//! a write for each attempt at most. The sample is fixed by the delivery and the number of the
//! attempt.
//!
//! Answer times are counted in buckets whose bounds grow by a factor of √2.

mod answer_time;
mod hour;
mod summary;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::AddAssign;

use crate::delivery::Attempt;
use crate::ids::DeliveryId;
use crate::outbound::AttemptOutcome;

pub use answer_time::AnswerTime;
pub use hour::{Hour, HourError};
pub use summary::{Period, Summary};

/// Of this many successful attempts, one is counted.
pub const ATTEMPTS_PER_SAMPLE: u64 = 10;

/// The outcome of an attempt, with its status as far as statistics distinguish it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutcomeClass {
    /// A status from 200 to 299.
    Succeeded,
    /// A status from 300 to 399.
    Status3xx,
    /// A status from 400 to 499.
    Status4xx,
    /// A status from 500 to 599.
    Status5xx,
    /// Any other status.
    OtherStatus,
    /// There was no answer in time.
    TimedOut,
    /// The endpoint could not be reached.
    Unreachable,
    /// The address policy refused an address.
    Blocked,
    /// There was no access token for the request.
    NoToken,
}

impl OutcomeClass {
    /// All classes.
    pub const ALL: [Self; 9] = [
        Self::Succeeded,
        Self::Status3xx,
        Self::Status4xx,
        Self::Status5xx,
        Self::OtherStatus,
        Self::TimedOut,
        Self::Unreachable,
        Self::Blocked,
        Self::NoToken,
    ];

    /// The class of an attempt.
    pub fn of(attempt: &Attempt) -> Self {
        match attempt.outcome {
            AttemptOutcome::Succeeded => Self::Succeeded,
            AttemptOutcome::HttpError => match attempt.status {
                Some(300..400) => Self::Status3xx,
                Some(400..500) => Self::Status4xx,
                Some(500..600) => Self::Status5xx,
                _ => Self::OtherStatus,
            },
            AttemptOutcome::TimedOut => Self::TimedOut,
            AttemptOutcome::Unreachable => Self::Unreachable,
            AttemptOutcome::Blocked => Self::Blocked,
            AttemptOutcome::NoToken => Self::NoToken,
        }
    }

    /// Returns true if the endpoint has answered.
    const fn is_answer(self) -> bool {
        !matches!(
            self,
            Self::TimedOut | Self::Unreachable | Self::Blocked | Self::NoToken
        )
    }
}

/// Returns true if a successful attempt is in the sample. A repetition has the same result.
pub fn is_sampled(delivery: &DeliveryId, number: u32) -> bool {
    let mut hasher = DefaultHasher::new();
    (delivery, number).hash(&mut hasher);
    hasher.finish().is_multiple_of(ATTEMPTS_PER_SAMPLE)
}

/// Numbers of attempts by outcome, and of answers by their time. Both are sums of weights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    outcomes: BTreeMap<OutcomeClass, u64>,
    answer_times: BTreeMap<AnswerTime, u64>,
}

impl Statistics {
    /// The statistics of one attempt. They are empty for a success that is not in the sample.
    pub fn of(delivery: &DeliveryId, attempt: &Attempt) -> Self {
        let class = OutcomeClass::of(attempt);
        let weight = match class {
            OutcomeClass::Succeeded if is_sampled(delivery, attempt.number) => ATTEMPTS_PER_SAMPLE,
            OutcomeClass::Succeeded => return Self::default(),
            _ => 1,
        };
        let answer_time = AnswerTime::of(attempt.duration_ms);
        let answer = class.is_answer().then_some((answer_time, weight));
        Self::from_counts([(class, weight)], answer)
    }

    /// Statistics with these counts.
    pub fn from_counts(
        outcomes: impl IntoIterator<Item = (OutcomeClass, u64)>,
        answer_times: impl IntoIterator<Item = (AnswerTime, u64)>,
    ) -> Self {
        let mut statistics = Self::default();
        add(&mut statistics.outcomes, outcomes);
        add(&mut statistics.answer_times, answer_times);
        statistics
    }

    /// The outcomes that are not zero.
    pub fn outcomes(&self) -> impl Iterator<Item = (OutcomeClass, u64)> {
        self.outcomes.iter().map(|(&class, &count)| (class, count))
    }

    /// The answer times that are not zero, the shortest first.
    pub fn answer_times(&self) -> impl Iterator<Item = (AnswerTime, u64)> {
        self.answer_times
            .iter()
            .map(|(&time, &count)| (time, count))
    }

    /// Returns true if nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }

    /// The number of attempts with this outcome.
    pub fn count(&self, class: OutcomeClass) -> u64 {
        self.outcomes.get(&class).copied().unwrap_or_default()
    }

    /// The number of attempts.
    pub fn attempts(&self) -> u64 {
        sum(self.outcomes.values())
    }

    /// The number of successful attempts.
    pub fn succeeded(&self) -> u64 {
        self.count(OutcomeClass::Succeeded)
    }

    /// The share of successful attempts, from 0 to 1. `None` without attempts.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share needs less than 52 bits"
    )]
    pub fn success_share(&self) -> Option<f64> {
        let attempts = self.attempts();
        (attempts > 0).then(|| self.succeeded() as f64 / attempts as f64)
    }

    /// The standard error of [`succeeded`](Self::succeeded), rounded up.
    ///
    /// Each of `n` successes is counted with the probability `p = 1/10`, and then counts `1/p`. The
    /// variance of the sum is `n (1 - p) / p`.
    pub fn success_error(&self) -> u64 {
        let variance = self.succeeded().saturating_mul(ATTEMPTS_PER_SAMPLE - 1);
        let root = variance.isqrt();
        root + u64::from(root * root < variance)
    }

    /// The answer time that this percentage of the answers does not exceed. `None` without answers.
    pub fn answer_time(&self, percent: u8) -> Option<AnswerTime> {
        let answers = u128::from(sum(self.answer_times.values()));
        let rank = (answers * u128::from(percent)).div_ceil(100);
        let mut so_far = 0;
        self.answer_times().find_map(|(time, count)| {
            so_far += u128::from(count);
            (so_far >= rank).then_some(time)
        })
    }
}

impl AddAssign<&Self> for Statistics {
    fn add_assign(&mut self, other: &Self) {
        add(&mut self.outcomes, other.outcomes());
        add(&mut self.answer_times, other.answer_times());
    }
}

fn add<K: Ord>(sums: &mut BTreeMap<K, u64>, counts: impl IntoIterator<Item = (K, u64)>) {
    for (key, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        let sum = sums.entry(key).or_default();
        *sum = sum.saturating_add(count);
    }
}

fn sum<'a>(counts: impl Iterator<Item = &'a u64>) -> u64 {
    counts.fold(0, |sum, count| sum.saturating_add(*count))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::delivery::AnswerBody;
    use crate::delivery::tests::{NOW, delivery};
    use crate::outbound::{ResponseHeaders, Timings};

    pub(crate) fn attempt(outcome: AttemptOutcome, status: Option<u16>, ms: u32) -> Attempt {
        Attempt {
            number: 1,
            at: NOW,
            duration_ms: ms,
            outcome,
            status,
            error: None,
            addresses: Vec::new(),
            request_version: 1,
            timings: Timings::default(),
            response_headers: ResponseHeaders::default(),
            response_excerpt: None,
            answer_body: AnswerBody::default(),
        }
    }

    fn deliveries(count: u32) -> impl Iterator<Item = DeliveryId> {
        let id = |number: u32| format!("dlv_{number:032x}_{:032x}", number % 7);
        (0..count).map(move |number| id(number).parse().unwrap())
    }

    fn answers(times: &[(u32, u64)]) -> Statistics {
        let times = times.iter().map(|&(ms, count)| (AnswerTime::of(ms), count));
        Statistics::from_counts([], times)
    }

    #[test]
    fn each_failure_counts_once_by_its_class() {
        use OutcomeClass as Class;
        let id = delivery(0).id;
        for (outcome, status, class, answers) in [
            (AttemptOutcome::HttpError, Some(302), Class::Status3xx, 1),
            (AttemptOutcome::HttpError, Some(404), Class::Status4xx, 1),
            (AttemptOutcome::HttpError, Some(599), Class::Status5xx, 1),
            (AttemptOutcome::HttpError, Some(600), Class::OtherStatus, 1),
            (AttemptOutcome::HttpError, Some(101), Class::OtherStatus, 1),
            (AttemptOutcome::TimedOut, None, Class::TimedOut, 0),
            (AttemptOutcome::Unreachable, None, Class::Unreachable, 0),
            (AttemptOutcome::Blocked, None, Class::Blocked, 0),
            (AttemptOutcome::NoToken, None, Class::NoToken, 0),
        ] {
            let statistics = Statistics::of(&id, &attempt(outcome, status, 20));
            let counted: Vec<_> = statistics.outcomes().collect();
            assert_eq!(counted, [(class, 1)], "{outcome} {status:?}");
            assert_eq!(statistics.answer_times().count(), answers, "{class:?}");
            assert_eq!(statistics.success_share(), Some(0.0));
        }
    }

    #[test]
    fn a_tenth_of_the_successes_is_counted_with_tenfold_weight() {
        let mut statistics = Statistics::default();
        for id in deliveries(100_000) {
            let success = attempt(AttemptOutcome::Succeeded, Some(204), 20);
            let counted = Statistics::of(&id, &success);
            assert_eq!(counted, Statistics::of(&id, &success), "a repetition");
            statistics += &counted;
        }
        let error = statistics.succeeded().abs_diff(100_000);
        let standard_error = statistics.success_error();
        assert!((940..=960).contains(&standard_error), "{standard_error}");
        assert!(error < 3 * standard_error, "{error}");
        let answers: u64 = statistics.answer_times().map(|(_, count)| count).sum();
        assert_eq!(answers, statistics.succeeded());
    }

    #[test]
    fn the_sample_differs_between_the_attempts_of_a_delivery() {
        let ids: Vec<_> = deliveries(1_000).collect();
        let sample = |number| ids.iter().filter(move |id| is_sampled(id, number));
        assert_ne!(sample(1).collect::<Vec<_>>(), sample(2).collect::<Vec<_>>());
    }

    #[test]
    fn a_quantile_is_the_time_of_the_answer_with_its_rank() {
        assert_eq!(answers(&[]).answer_time(50), None);
        let times = answers(&[(10, 94), (100, 1), (1_000, 5)]);
        for (percent, ms) in [
            (0, 10),
            (50, 10),
            (94, 10),
            (95, 100),
            (96, 1_000),
            (100, 1_000),
        ] {
            assert_eq!(
                times.answer_time(percent),
                Some(AnswerTime::of(ms)),
                "{percent}"
            );
        }
    }

    fn any_statistics() -> impl Strategy<Value = Statistics> {
        let class = prop::sample::select(OutcomeClass::ALL.to_vec());
        let outcomes = prop::collection::vec((class, 0..1_000_u64), 0..6);
        let times = prop::collection::vec((0..60_000_u32, 0..1_000_u64), 0..6);
        (outcomes, times).prop_map(|(outcomes, times)| {
            let times = times
                .into_iter()
                .map(|(ms, count)| (AnswerTime::of(ms), count));
            Statistics::from_counts(outcomes, times)
        })
    }

    proptest! {
        #[test]
        fn a_sum_does_not_depend_on_the_order(
            parts in prop::collection::vec(any_statistics(), 0..6),
            turn in 0..6_usize,
        ) {
            let sum = |parts: &[Statistics]| {
                let mut sum = Statistics::default();
                for part in parts {
                    sum += part;
                }
                sum
            };
            let mut others = parts.clone();
            others.rotate_left(turn.min(parts.len()));
            prop_assert_eq!(sum(&parts), sum(&others));
            let (left, right) = parts.split_at(turn.min(parts.len()));
            let mut halves = sum(left);
            halves += &sum(right);
            prop_assert_eq!(sum(&parts), halves);
        }

        #[test]
        fn a_quantile_has_the_true_one_in_its_bounds(
            mut times in prop::collection::vec(0..=30_000_u32, 1..200),
            percent in 1..=100_u8,
        ) {
            let counted: Vec<_> = times.iter().map(|&ms| (ms, 1)).collect();
            let found = answers(&counted).answer_time(percent).unwrap();
            times.sort_unstable();
            let rank = (times.len() * usize::from(percent)).div_ceil(100);
            prop_assert!(found.bounds().contains(&times[rank - 1]));
        }
    }
}
