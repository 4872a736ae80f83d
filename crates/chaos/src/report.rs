//! The result of a run, as text.

use std::collections::BTreeMap;

use crate::history::Violation;

/// The operations that count as KMS calls.
const KMS_OPERATIONS: [&str; 2] = ["Decrypt", "GenerateDataKey"];

/// A violation, and the seed that produced it.
pub(crate) struct Broken {
    /// The seed.
    pub(crate) seed: u64,
    /// The violation.
    pub(crate) violation: Violation,
}

/// The numbers of a run.
#[derive(Default)]
pub(crate) struct Report {
    /// The number of distinct events that were put.
    pub(crate) events: usize,
    /// The number of events that were put a second time.
    pub(crate) doubled: usize,
    /// The number of deliveries by status.
    pub(crate) deliveries: BTreeMap<String, usize>,
    /// The number of requests that the receivers saw.
    pub(crate) requests: usize,
    /// The number of attempts that the stack recorded.
    pub(crate) attempts: usize,
    /// The number of requests without a recorded attempt.
    pub(crate) unrecorded: usize,
    /// The number of failed events that were restarted.
    pub(crate) failed_events: usize,
    /// The number of dead letters that were queued again.
    pub(crate) dead_letters: usize,
    /// The number of calls of the functions by operation, including retries by the client.
    pub(crate) calls: BTreeMap<String, usize>,
    /// The number of faults by operation and kind.
    pub(crate) faults: BTreeMap<(String, String), usize>,
    /// The number of crashes by failpoint.
    pub(crate) crashes: BTreeMap<String, usize>,
    /// The number of runs that a crash or a kill ended early.
    pub(crate) cut_off: usize,
    /// The number of finished runs whose message comes again because the invocation ended early.
    pub(crate) returned: usize,
    /// The violations.
    pub(crate) broken: Vec<Broken>,
}

impl Report {
    /// Returns the report as text; `again` gives the command that repeats a seed.
    pub(crate) fn text(&self, again: impl Fn(u64) -> String) -> String {
        let mut rows = vec![
            ("events".to_owned(), self.events),
            ("  put twice".to_owned(), self.doubled),
            ("deliveries".to_owned(), self.delivered()),
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
            ("runs finished, not answered".to_owned(), self.returned),
            ("failed events started again".to_owned(), self.failed_events),
            ("dead letters queued again".to_owned(), self.dead_letters),
            ("violations".to_owned(), self.broken.len()),
        ]);
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut lines: Vec<String> = rows
            .iter()
            .map(|(name, count)| format!("{name:width$}  {count:>7}"))
            .collect();
        lines.extend(self.calls_per_delivery());
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

    /// Returns the number of deliveries of any status.
    fn delivered(&self) -> usize {
        self.deliveries.values().sum()
    }

    /// Returns lines with the number of calls per delivery.
    fn calls_per_delivery(&self) -> Vec<String> {
        let width = self.calls.keys().map(String::len).max().unwrap_or(0);
        let of_kms = KMS_OPERATIONS
            .iter()
            .filter_map(|name| self.calls.get(*name));
        let of_kms = self.per_delivery(of_kms.sum()) * 1_000.0;
        let mut lines = vec!["AWS calls per delivery".to_owned()];
        lines.extend(self.calls.iter().map(|(operation, &count)| {
            let each = self.per_delivery(count);
            format!("  {operation:width$}  {count:>7}  {each:>7.3}")
        }));
        lines.push(format!("KMS calls per 1,000 deliveries: {of_kms:.1}"));
        lines
    }

    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    fn per_delivery(&self, count: usize) -> f64 {
        count as f64 / self.delivered().max(1) as f64
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
    fn calls_are_reported_per_delivery() {
        let counts = |counts: &[(&str, usize)]| {
            let owned = counts
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count));
            owned.collect::<BTreeMap<_, _>>()
        };
        let report = Report {
            deliveries: counts(&[("failed", 100), ("succeeded", 300)]),
            calls: counts(&[("Decrypt", 3), ("GenerateDataKey", 1), ("UpdateItem", 500)]),
            ..Report::default()
        };
        assert_eq!(
            report.calls_per_delivery(),
            [
                "AWS calls per delivery",
                "  Decrypt                3    0.007",
                "  GenerateDataKey        1    0.003",
                "  UpdateItem           500    1.250",
                "KMS calls per 1,000 deliveries: 10.0",
            ]
        );
    }

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
