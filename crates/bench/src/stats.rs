//! Medians, and the spread of runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The result of several runs: the median, and half the distance between the quartiles.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Measured {
    /// The median of all runs.
    pub(crate) median: f64,
    /// Half of the interquartile range.
    pub(crate) spread: f64,
}

impl Measured {
    /// Computes it from these runs; at least one is needed.
    pub(crate) fn of(runs: &[f64]) -> Self {
        let mut runs = runs.to_vec();
        runs.sort_by(f64::total_cmp);
        Self {
            median: quantile(&runs, 0.5),
            spread: (quantile(&runs, 0.75) - quantile(&runs, 0.25)) / 2.0,
        }
    }

    /// Returns the spread as a share of the median.
    pub(crate) fn relative_spread(self) -> f64 {
        if self.median == 0.0 {
            0.0
        } else {
            self.spread / self.median
        }
    }
}

/// Returns a quantile of the sorted values, with linear interpolation.
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

/// Returns the ratios of pairs of runs that were made one after the other.
pub(crate) fn ratios(runs: &[f64], to: &[f64]) -> Measured {
    let pairs: Vec<f64> = runs.iter().zip(to).map(|(run, to)| run / to).collect();
    Measured::of(&pairs)
}

/// Converts to microseconds.
pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Converts to milliseconds.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Converts seconds to minutes.
pub(crate) fn minutes(seconds: f64) -> f64 {
    seconds / 60.0
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
        // The ratios stay the same if the machine is half as fast in the second round.
        let ratios = ratios(&[10.0, 20.0], &[5.0, 10.0]);
        assert_eq!((ratios.median, ratios.spread), (2.0, 0.0));
    }
}
