//! Finds counts that are worse than the recorded ones.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};

use crate::{
    baseline::Baseline,
    floor,
    report::{Skipped, Table, exact},
};

/// The share by which a count may grow. A smaller change may come from the tools or the
/// machine.
const TOLERANCE: f64 = 0.02;

/// One count, now and in the baseline.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judged {
    name: String,
    then: Option<f64>,
    now: Option<f64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Same,
    Worse,
    Better,
    /// The count is not in the baseline.
    New,
    /// The count is only in the baseline.
    Missing,
}

impl Judged {
    fn verdict(&self) -> Verdict {
        match (self.then, self.now) {
            (None, _) => Verdict::New,
            (_, None) => Verdict::Missing,
            (Some(then), Some(now)) if now > then * (1.0 + TOLERANCE) => Verdict::Worse,
            (Some(then), Some(now)) if now < then * (1.0 - TOLERANCE) => Verdict::Better,
            _ => Verdict::Same,
        }
    }

    fn fails(&self) -> bool {
        matches!(self.verdict(), Verdict::Worse | Verdict::Missing)
    }

    fn row(&self) -> [String; 5] {
        let cell = |count: Option<f64>| count.map_or_else(|| "-".to_owned(), exact);
        let change = match (self.then, self.now) {
            (Some(then), Some(now)) if then > 0.0 => {
                format!("{:+.1} %", (now / then - 1.0) * 100.0)
            }
            _ => "-".to_owned(),
        };
        let verdict = match self.verdict() {
            Verdict::Same => "same",
            Verdict::Worse => "WORSE",
            Verdict::Better => "better",
            Verdict::New => "not in the baseline",
            Verdict::Missing => "MISSING",
        };
        let name = self.name.clone();
        [
            name,
            cell(self.then),
            cell(self.now),
            change,
            verdict.to_owned(),
        ]
    }
}

/// Judges every count of the parts that were run, except those that this machine cannot count.
pub(super) fn judge(baseline: &Baseline, now: &Baseline, skipped: &[Skipped]) -> Vec<Judged> {
    let mut judged = Vec::new();
    for (part, now) in &now.counts {
        let none = BTreeMap::new();
        let then = baseline.counts.get(part).unwrap_or(&none);
        let names: BTreeSet<_> = then.keys().chain(now.keys()).collect();
        judged.extend(names.into_iter().map(|name| Judged {
            name: name.clone(),
            then: then.get(name).copied(),
            now: now.get(name).copied(),
        }));
    }
    let is_skipped = |judged: &Judged| {
        let what = judged.name.rsplit('/').next();
        skipped.iter().any(|skipped| what == Some(&skipped.what))
    };
    judged.retain(|judged| !is_skipped(judged));
    judged
}

/// Returns a table of the counts that changed, and the number of the others.
pub(super) fn report(judged: &[Judged], baseline: &Baseline, now: &Baseline) -> String {
    let percent = TOLERANCE * 100.0;
    let title = format!(
        "Counts that differ by more than {percent:.0} % from the baseline of {}",
        baseline.date
    );
    let mut table = Table::new(&title, &["figure", "baseline", "now", "change", ""]);
    let (same, changed): (Vec<_>, Vec<_>) = judged
        .iter()
        .partition(|judged| judged.verdict() == Verdict::Same);
    for judged in &changed {
        table.row(judged.row());
    }
    let mut text = String::new();
    if !changed.is_empty() {
        text.extend(["\n", &table.plain()]);
    }
    let unchanged = format!(
        "\n{} of {} counts are within {percent:.0} % of the baseline of {}.",
        same.len(),
        judged.len(),
        baseline.date
    );
    text.push_str(&unchanged);
    for (what, then, now) in [
        ("compiler", &baseline.rustc, &now.rustc),
        ("profile", &baseline.profile, &now.profile),
    ] {
        if then != now {
            let another = format!(
                "\nAnother {what} than the baseline's may be why counts differ: `{now}`, then `{then}`."
            );
            text.push_str(&another);
        }
    }
    let is_to_record =
        |judged: &&&Judged| matches!(judged.verdict(), Verdict::Better | Verdict::New);
    if changed.iter().any(|judged| is_to_record(&judged)) {
        text += "\nRecord the better and new counts with `cargo xtask bench --check --record`.";
    }
    if let Some(table) = floor::table(now) {
        text.extend(["\n\n", &table.plain()]);
    }
    text
}

/// Returns an error with the names of all counts that are worse or missing.
pub(super) fn refuse(judged: &[Judged]) -> Result<()> {
    let failed: Vec<_> = judged.iter().filter(|judged| judged.fails()).collect();
    let names: Vec<_> = failed.iter().map(|judged| judged.name.as_str()).collect();
    ensure!(
        failed.is_empty(),
        "worse than the baseline by more than {:.0} %, or missing: {}",
        TOLERANCE * 100.0,
        names.join("; ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUSTC: &str = "rustc 1.95.0, x86_64-unknown-linux-gnu";

    fn counts(part: &str, counts: &[(&str, f64)]) -> Baseline {
        let counts = counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count));
        Baseline {
            date: "2026-11-24".to_owned(),
            rustc: RUSTC.to_owned(),
            profile: "counted".to_owned(),
            counts: BTreeMap::from([(part.to_owned(), counts.collect())]),
        }
    }

    fn verdict(then: f64, now: f64) -> Verdict {
        let (then, now) = (Some(then), Some(now));
        let name = "a/b".to_owned();
        Judged { name, then, now }.verdict()
    }

    #[test]
    fn two_percent_more_are_tolerated_and_not_a_tenth_more_than_that() {
        for (then, now, expected) in [
            (1_000.0, 1_019.0, Verdict::Same),
            (1_000.0, 1_021.0, Verdict::Worse),
            (1_000.0, 981.0, Verdict::Same),
            (1_000.0, 979.0, Verdict::Better),
            (1.2, 1.3, Verdict::Worse),
            (0.0, 0.0, Verdict::Same),
            (0.0, 0.1, Verdict::Worse),
        ] {
            assert_eq!(verdict(then, now), expected, "{then} {now}");
        }
    }

    #[test]
    fn a_worse_count_fails_by_name_and_is_in_the_table() {
        let names = ["delivery/new/instructions", "delivery/new/allocations"];
        let then = counts("counts", &[(names[0], 100_000.0), (names[1], 1_000.0)]);
        let now = counts("counts", &[(names[0], 102_100.0), (names[1], 1_019.0)]);
        let judged = judge(&then, &now, &[]);
        let error = refuse(&judged).unwrap_err().to_string();
        assert!(
            error.contains(names[0]) && !error.contains(names[1]),
            "{error}"
        );
        let text = report(&judged, &then, &now);
        let row = "delivery/new/instructions   100,000  102,100  +2.1 %  WORSE";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("1 of 2 counts are within 2 %"), "{text}");
        assert!(!text.contains(names[1]), "{text}");
    }

    #[test]
    fn a_count_missing_on_either_side_is_named_and_fails_if_it_was_recorded() {
        let then = counts("counts", &[("a/b/gone", 1.0), ("a/b/same", 2.0)]);
        let now = counts("counts", &[("a/b/new", 1.0), ("a/b/same", 2.0)]);
        let judged = judge(&then, &now, &[]);
        let text = report(&judged, &then, &now);
        assert!(
            text.contains("a/b/gone         1    -       -              MISSING"),
            "{text}"
        );
        assert!(
            text.contains("a/b/new          -    1       -  not in the baseline"),
            "{text}"
        );
        assert!(text.contains("--record"), "{text}");
        let error = refuse(&judged).unwrap_err().to_string();
        assert!(error.ends_with("missing: a/b/gone"), "{error}");
    }

    #[test]
    fn a_much_better_count_passes_and_should_be_recorded() {
        let then = counts("counts", &[("a/b/c", 100.0)]);
        let now = counts("counts", &[("a/b/c", 50.0)]);
        let judged = judge(&then, &now, &[]);
        refuse(&judged).unwrap();
        let text = report(&judged, &then, &now);
        assert!(text.contains("-50.0 %  better"), "{text}");
        assert!(text.contains("Record the better"), "{text}");
        let same = report(&judge(&then, &then, &[]), &then, &then);
        assert_eq!(
            same,
            "\n1 of 1 counts are within 2 % of the baseline of 2026-11-24."
        );
    }

    #[test]
    fn a_skipped_count_is_neither_missing_nor_new() {
        let then = counts(
            "counts",
            &[("a/b/instructions", 1.0), ("a/b/AWS calls", 2.0)],
        );
        let now = counts("counts", &[("a/b/AWS calls", 2.0)]);
        let skipped = [Skipped {
            what: "instructions".to_owned(),
            why: "valgrind is not installed".to_owned(),
        }];
        assert_eq!(judge(&then, &now, &skipped).len(), 1);
        refuse(&judge(&then, &now, &skipped)).unwrap();
        refuse(&judge(&then, &now, &[])).unwrap_err();
    }

    #[test]
    fn a_part_that_was_not_run_is_not_judged() {
        let then = counts("bill", &[("bill/b/c", 1.0)]);
        let now = counts("counts", &[]);
        assert_eq!(judge(&then, &now, &[]), []);
    }

    #[test]
    fn another_compiler_is_named() {
        let then = counts("counts", &[("a/b/c", 1.0)]);
        let now = Baseline {
            rustc: "rustc 1.96.0, x86_64-unknown-linux-gnu".to_owned(),
            ..then.clone()
        };
        let text = report(&judge(&then, &now, &[]), &then, &now);
        assert!(text.contains("1.96.0") && text.contains("1.95.0"), "{text}");
    }
}
