//! What a run came to.

use std::collections::BTreeMap;

use crate::history::Violation;

/// A broken promise, and the seed that broke it.
pub(crate) struct Broken {
    /// The seed.
    pub(crate) seed: u64,
    /// What was broken.
    pub(crate) violation: Violation,
}

/// The numbers of a run.
#[derive(Default)]
pub(crate) struct Report {
    /// Different events that were put.
    pub(crate) events: usize,
    /// Events that were put a second time.
    pub(crate) doubled: usize,
    /// Deliveries by status.
    pub(crate) deliveries: BTreeMap<String, usize>,
    /// Requests that receivers saw.
    pub(crate) requests: usize,
    /// Attempts that the stack recorded.
    pub(crate) attempts: usize,
    /// Requests that no recorded attempt made.
    pub(crate) unrecorded: usize,
    /// Failed events that were started again.
    pub(crate) failed_events: usize,
    /// Dead letters that were queued again.
    pub(crate) dead_letters: usize,
    /// Faults by operation and kind.
    pub(crate) faults: BTreeMap<(String, String), usize>,
    /// Crashes by boundary.
    pub(crate) crashes: BTreeMap<String, usize>,
    /// Runs that a crash or a kill cut off.
    pub(crate) cut_off: usize,
    /// What is wrong.
    pub(crate) broken: Vec<Broken>,
}

impl Report {
    /// The report as lines; `again` is the command that repeats a seed.
    pub(crate) fn text(&self, again: impl Fn(u64) -> String) -> String {
        let mut rows = vec![
            ("events".to_owned(), self.events),
            ("  put twice".to_owned(), self.doubled),
            ("deliveries".to_owned(), self.deliveries.values().sum()),
        ];
        rows.extend(indented(&self.deliveries));
        rows.extend([
            ("requests".to_owned(), self.requests),
            ("attempts recorded".to_owned(), self.attempts),
            ("requests beyond attempts".to_owned(), self.unrecorded),
            ("faults".to_owned(), self.faults.values().sum()),
        ]);
        for ((operation, fault), count) in &self.faults {
            rows.push((format!("  {operation}: {fault}"), *count));
        }
        rows.push(("crashes".to_owned(), self.crashes.values().sum()));
        rows.extend(indented(&self.crashes));
        rows.extend([
            ("runs cut off".to_owned(), self.cut_off),
            ("failed events started again".to_owned(), self.failed_events),
            ("dead letters queued again".to_owned(), self.dead_letters),
            ("violations".to_owned(), self.broken.len()),
        ]);
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut lines: Vec<String> = rows
            .iter()
            .map(|(name, count)| format!("{name:width$}  {count:>7}"))
            .collect();
        for Broken { seed, violation } in &self.broken {
            lines.push(format!(
                "seed {seed}: {}: {}: {}",
                violation.kind, violation.subject, violation.detail
            ));
        }
        let mut seeds: Vec<u64> = self.broken.iter().map(|broken| broken.seed).collect();
        seeds.dedup();
        for seed in seeds {
            lines.push(format!("again with: {}", again(seed)));
        }
        lines.join("\n")
    }
}

fn indented(counts: &BTreeMap<String, usize>) -> impl Iterator<Item = (String, usize)> {
    counts
        .iter()
        .map(|(name, count)| (format!("  {name}"), *count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Kind;

    #[test]
    fn a_report_ends_with_how_to_repeat_each_broken_seed() {
        let broken = |seed| Broken {
            seed,
            violation: Violation {
                kind: Kind::Forked,
                subject: "dlv_1".to_owned(),
                detail: "3 requests".to_owned(),
            },
        };
        let report = Report {
            events: 100,
            broken: vec![broken(2), broken(2), broken(5)],
            ..Report::default()
        };
        let text = report.text(|seed| format!("chaos {seed}"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "events                           100");
        assert_eq!(
            lines[lines.len() - 5..],
            [
                "seed 2: forked: dlv_1: 3 requests",
                "seed 2: forked: dlv_1: 3 requests",
                "seed 5: forked: dlv_1: 3 requests",
                "again with: chaos 2",
                "again with: chaos 5",
            ]
        );
    }
}
