//! The end of a client certificate, as far as people are warned of it.

use std::time::Duration;

use crate::timestamp::Timestamp;

/// The distance to the end of a certificate. Each is a step of warning; a later one is more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertificateEnd {
    /// More than 30 days are left: no warning.
    Far,
    /// At most 30 days are left.
    Within30Days,
    /// At most 7 days are left.
    Within7Days,
    /// At most one day is left.
    Within1Day,
    /// It has passed.
    Passed,
}

/// The steps, the most urgent first, each with the time that is left at most.
const STEPS: [(CertificateEnd, Duration); 3] = [
    (CertificateEnd::Within1Day, Duration::from_hours(24)),
    (CertificateEnd::Within7Days, Duration::from_hours(7 * 24)),
    (CertificateEnd::Within30Days, Duration::from_hours(30 * 24)),
];

impl CertificateEnd {
    /// The distance from `now` to the end.
    pub fn of(not_after: Timestamp, now: Timestamp) -> Self {
        if not_after <= now {
            return Self::Passed;
        }
        let left = not_after.since(now);
        let step = STEPS.into_iter().find(|(_, most)| left <= *most);
        step.map_or(Self::Far, |(step, _)| step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_AFTER: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const MOMENT: Duration = Duration::from_millis(1);

    fn days(days: u64) -> Duration {
        Duration::from_hours(24 * days)
    }

    #[test]
    fn each_step_begins_at_its_distance_and_lasts_until_the_next() {
        let steps = [
            (days(30), CertificateEnd::Far, CertificateEnd::Within30Days),
            (
                days(7),
                CertificateEnd::Within30Days,
                CertificateEnd::Within7Days,
            ),
            (
                days(1),
                CertificateEnd::Within7Days,
                CertificateEnd::Within1Day,
            ),
            (
                Duration::ZERO,
                CertificateEnd::Within1Day,
                CertificateEnd::Passed,
            ),
        ];
        for (left, before, from) in steps {
            let at = NOT_AFTER - left;
            assert_eq!(CertificateEnd::of(NOT_AFTER, at - MOMENT), before);
            assert_eq!(CertificateEnd::of(NOT_AFTER, at), from);
            assert!(before < from);
        }
    }

    #[test]
    fn the_ends_of_time_are_no_problem() {
        let (first, last) = (
            Timestamp::from_millis(i64::MIN),
            Timestamp::from_millis(i64::MAX),
        );
        assert_eq!(CertificateEnd::of(last, first), CertificateEnd::Far);
        assert_eq!(CertificateEnd::of(first, last), CertificateEnd::Passed);
    }
}
