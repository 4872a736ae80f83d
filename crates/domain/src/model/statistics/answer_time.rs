//! Answer times, in buckets.

use std::ops::RangeInclusive;

/// A bucket of answer times. Its lower bound is the power of √2 with its index, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnswerTime(u8);

impl AnswerTime {
    /// The number of buckets. The longest request takes 30 s, and so fits the last one.
    pub const BUCKETS: u8 = 30;

    /// The largest relative error of [`estimate`](Self::estimate), in percent: half a bucket.
    /// Times of a few milliseconds are rounded, by less than one.
    pub const ERROR_PERCENT: u8 = 19;

    /// The bucket of a time in milliseconds. 0 counts as 1.
    pub fn of(ms: u32) -> Self {
        let ms = u64::from(ms.max(1));
        let octave = ms.ilog2();
        let is_upper_half = ms * ms >= 1 << (2 * octave + 1);
        let index = 2 * octave + u32::from(is_upper_half);
        let index = u8::try_from(index).unwrap_or(u8::MAX);
        Self(index.min(Self::BUCKETS - 1))
    }

    /// The bucket with this index. `None` if there are fewer.
    pub fn from_index(index: u8) -> Option<Self> {
        (index < Self::BUCKETS).then_some(Self(index))
    }

    /// Its index, from 0.
    pub const fn index(self) -> u8 {
        self.0
    }

    /// The times in the bucket, in milliseconds.
    pub fn bounds(self) -> RangeInclusive<u32> {
        let first = if self.0 == 0 { 0 } else { lower(self.0) };
        first..=lower(self.0 + 1) - 1
    }

    /// The geometric mean of its bounds, in milliseconds.
    pub fn estimate(self) -> u32 {
        let square = u64::from(lower(self.0)) * u64::from(*self.bounds().end());
        let root = square.isqrt();
        // The nearest whole number.
        let root = root + u64::from(square - root * root > root);
        u32::try_from(root).unwrap_or(u32::MAX)
    }
}

/// The smallest whole number that is at least this power of √2.
fn lower(index: u8) -> u32 {
    let square = 1_u64 << index;
    let root = square.isqrt();
    let root = root + u64::from(root * root < square);
    u32::try_from(root).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_the_bounds_of_its_bucket_and_near_its_estimate() {
        let mut last = AnswerTime::of(0);
        for ms in 0..=32_767 {
            let time = AnswerTime::of(ms);
            assert!(time.bounds().contains(&ms), "{ms}: {:?}", time.bounds());
            assert!(time >= last, "{ms}");
            last = time;
            let error = time.estimate().abs_diff(ms);
            let most = (ms * u32::from(AnswerTime::ERROR_PERCENT)).div_ceil(100);
            assert!(error <= most.max(1), "{ms}: {}", time.estimate());
        }
        assert_eq!(last.index(), AnswerTime::BUCKETS - 1);
        assert_eq!(AnswerTime::of(u32::MAX), last);
    }

    #[test]
    fn a_bucket_is_read_from_its_index() {
        let time = AnswerTime::of(181);
        assert_eq!(time.bounds(), 128..=181);
        assert_eq!(AnswerTime::of(182).bounds(), 182..=255);
        assert_eq!(AnswerTime::from_index(time.index()), Some(time));
        assert_eq!(AnswerTime::from_index(AnswerTime::BUCKETS), None);
    }
}
