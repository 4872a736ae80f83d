//! The chapter of the documentation about the counts.

use crate::{baseline::Baseline, floor, report::count_tables};

/// The section of the documentation that is generated from the baseline.
pub(super) const SECTION: &str = "counts";

/// Returns all counts, for the documentation.
pub(super) fn section(baseline: &Baseline) -> String {
    let mut text = format!(
        "{}, {}, profile `{}`.\n",
        baseline.date, baseline.rustc, baseline.profile
    );
    for counts in baseline.counts.values() {
        for table in count_tables(counts) {
            text.extend(["\n", &table.markdown()]);
        }
    }
    if let Some(table) = floor::table(baseline) {
        text.extend(["\n", &table.markdown()]);
    }
    text
}

/// Returns the chapter of the documentation with the recorded counts.
pub(crate) fn chapter(baseline: &Baseline) -> String {
    let explained = include_str!("chapter.md");
    format!(
        "{explained}\n<!-- bench: {SECTION} -->\n\n{}\n<!-- end of bench: {SECTION} -->\n",
        section(baseline)
    )
}
