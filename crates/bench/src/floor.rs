//! The fair floor of a function: the instructions of a program that makes the same exchanges, with
//! AWS and with the endpoint, and nothing else.

use crate::{
    baseline::Baseline,
    report::{Table, Target, Unit},
    stats::Measured,
};

/// The largest permitted ratio.
const AT_MOST: f64 = 2.5;

/// The part with the counts.
const PART: &str = "counts";

/// The compared cases. The floor of each has the same beginning.
const COMPARED: [&str; 3] = [
    "delivery/kept connection",
    "look-up/1 subscriptions, it matches",
    "prepare/1 subscriptions, it matches",
];

/// The end of the name of a floor.
pub(crate) const NAME: &str = "bare exchanges";

/// Returns the targets of the cases that were counted together with their floors.
pub(crate) fn targets(baseline: &Baseline) -> Vec<Target> {
    let instructions = |case: &str| {
        let counts = baseline.counts.get(PART)?;
        counts.get(&format!("{case}/instructions"))
    };
    let target = |case: &&str| {
        let (part, _) = case.split_once('/')?;
        let floor = instructions(&format!("{part}/{NAME}"))?;
        Some(Target {
            name: format!("{PART}/{case}/instructions to {NAME}"),
            measured: Measured::of(&[instructions(case)? / floor]),
            unit: Unit::Ratio,
            at_most: AT_MOST,
        })
    };
    COMPARED.iter().filter_map(target).collect()
}

/// Returns the comparison as a table. `None` if no case was counted together with its floor.
pub(crate) fn table(baseline: &Baseline) -> Option<Table> {
    let title = "Instructions beside a program that only makes the exchanges";
    let mut table = Table::new(title, &["what", "at most", "is", "", "what limits it"]);
    let targets = targets(baseline);
    for target in &targets {
        table.row(target.row());
    }
    (!targets.is_empty()).then_some(table)
}
