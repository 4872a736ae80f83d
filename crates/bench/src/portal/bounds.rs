//! The bounds of every page.

use anyhow::{Result, ensure};

use super::views::Views;
use crate::report::Unit;

/// The most CPU time of one view.
pub(super) const CPU_MILLIS: f64 = 25.0;
/// The most read units of one view.
pub(super) const READ_UNITS: f64 = 60.0;
/// The most bytes of a first visit, with stylesheets, script and icon.
pub(super) const FIRST_VISIT_BYTES: f64 = 60_000.0;

/// A bounded figure: its name, its value for a page, its unit, and the bound.
type Bound = (&'static str, fn(&Views) -> f64, Unit, f64);

/// The bounds.
pub(super) const ALL: [Bound; 3] = [
    ("CPU", Views::worst_cpu_millis, Unit::Millis, CPU_MILLIS),
    (
        "read units",
        |views| views.read_units,
        Unit::Count,
        READ_UNITS,
    ),
    (
        "bytes of a first visit",
        |views| views.first_visit_bytes,
        Unit::Count,
        FIRST_VISIT_BYTES,
    ),
];

/// Returns an error that names every page above a bound.
pub(super) fn judge(all: &[Views]) -> Result<()> {
    let mut above = Vec::new();
    for views in all {
        for (name, of, unit, at_most) in ALL {
            let is = of(views);
            if is > at_most || is.is_nan() {
                let (is, at_most) = (unit.text(is), unit.text(at_most));
                above.push(format!("`{}`: {name} {is}, at most {at_most}", views.page));
            }
        }
    }
    ensure!(above.is_empty(), "above a bound: {}", above.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views(page: &'static str, cpu: f64, read_units: f64, bytes: f64) -> Views {
        Views {
            page,
            cpu_millis: vec![1.0, cpu, 1.0],
            read_units,
            aws_calls: 1.0,
            bytes,
            first_visit_bytes: bytes,
            logged_bytes: 0.0,
        }
    }

    #[test]
    fn a_page_at_the_bounds_passes() {
        judge(&[views("a", 25.0, 60.0, 60_000.0)]).unwrap();
    }

    #[test]
    fn every_page_above_a_bound_is_named_with_the_bound() {
        let error = judge(&[
            views("a", 25.1, 60.0, 60_000.0),
            views("b", 1.0, 60.5, 60_000.0),
            views("c", 1.0, 1.0, 1.0),
            views("d", 1.0, 1.0, 60_001.0),
        ]);
        assert_eq!(
            error.unwrap_err().to_string(),
            "above a bound: `a`: CPU 25.1 ms, at most 25.0 ms; \
             `b`: read units 60.5, at most 60.0; \
             `d`: bytes of a first visit 60001, at most 60000"
        );
    }
}
