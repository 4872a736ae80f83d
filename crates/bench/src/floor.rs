//! The fair floor of a delivery: the instructions of a program that makes the same exchanges, with
//! AWS and with the endpoint, and nothing else.

use crate::{
    baseline::Baseline,
    report::{Table, Target, Unit},
    stats::Measured,
};

/// The largest permitted ratio.
const AT_MOST: f64 = 2.5;

/// The part with the counts, the delivery that is compared, and the program's.
const PART: &str = "counts";
const OURS: &str = "delivery/kept connection/instructions";
const FLOOR: &str = "delivery/bare exchanges/instructions";

/// Returns the target, if both programs were counted.
pub(crate) fn target(baseline: &Baseline) -> Option<Target> {
    let counts = baseline.counts.get(PART)?;
    let (ours, floor) = (counts.get(OURS)?, counts.get(FLOOR)?);
    Some(Target {
        name: format!("{PART}/{OURS} to bare exchanges"),
        measured: Measured::of(&[ours / floor]),
        unit: Unit::Ratio,
        at_most: AT_MOST,
    })
}

/// Returns the comparison as a table. Empty if one of the programs was not counted.
pub(crate) fn table(baseline: &Baseline) -> Option<Table> {
    let target = target(baseline)?;
    let title = "Instructions of a delivery over kept connections";
    let mut table = Table::new(title, &["what", "at most", "is", "", "what limits it"]);
    table.row(target.row());
    Some(table)
}
