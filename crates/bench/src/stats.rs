//! Medians, and how far runs lie apart.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What several runs gave: the median, and half the distance between the quartiles.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Measured {
    /// The middle of all runs.
    pub(crate) median: f64,
    /// Half of all runs lie about this near to it.
    pub(crate) spread: f64,
}

impl Measured {
    /// Of these runs; at least one.
    pub(crate) fn of(runs: &[f64]) -> Self {
        let mut runs = runs.to_vec();
        runs.sort_by(f64::total_cmp);
        Self {
            median: quantile(&runs, 0.5),
            spread: (quantile(&runs, 0.75) - quantile(&runs, 0.25)) / 2.0,
        }
    }

    /// The spread as a part of the median.
    pub(crate) fn relative_spread(self) -> f64 {
        if self.median == 0.0 {
            0.0
        } else {
            self.spread / self.median
        }
    }
}

/// The value below which this part of the sorted values lies, between neighbours by proportion.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places among a few thousand values"
)]
pub(crate) fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = part * (sorted.len().saturating_sub(1)) as f64;
    let below = place.floor() as usize;
    let above = place.ceil() as usize;
    match (sorted.get(below), sorted.get(above)) {
        (Some(low), Some(high)) => low + (high - low) * (place - place.floor()),
        _ => f64::NAN,
    }
}

/// Pairs of runs that were made one after the other, as ratios.
pub(crate) fn ratios(runs: &[f64], to: &[f64]) -> Measured {
    let pairs: Vec<f64> = runs.iter().zip(to).map(|(run, to)| run / to).collect();
    Measured::of(&pairs)
}

/// Microseconds.
pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Milliseconds.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_that_was_disturbed_moves_no_median() {
        let calm = Measured::of(&[10.0, 11.0, 12.0, 13.0, 14.0]);
        assert_eq!((calm.median, calm.spread), (12.0, 1.0));
        let disturbed = Measured::of(&[10.0, 11.0, 12.0, 13.0, 900.0]);
        assert_eq!(disturbed, calm);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert!((quantile(&[1.0, 2.0], 0.99) - 1.99).abs() < 1e-9);
        assert!((quantile(&[5.0], 0.99) - 5.0).abs() < 1e-9);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn ratios_are_of_neighbouring_runs() {
        // A machine that is half as fast in the second round changes no ratio.
        let ratios = ratios(&[10.0, 20.0], &[5.0, 10.0]);
        assert_eq!((ratios.median, ratios.spread), (2.0, 0.0));
    }
}
