//! What all parts come to: the targets, the comparison with the baseline, and the docs.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    limits::limit_of,
    readme,
    report::{Figure, Part, Table, Unit},
    stats::Measured,
};

/// The parts, in the order in which they are shown.
const PARTS: [&str; 6] = [
    "cold-start",
    "delivery",
    "functions",
    "path",
    "isolation",
    "bill",
];

/// A change of a ratio that is called noise at least.
const LEAST_NOISE: f64 = 0.10;

/// What to do with the results.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The ratios that were recorded last.
    #[arg(long, value_name = "FILE")]
    baseline: PathBuf,
    /// Write the baseline and the docs from these results.
    #[arg(long, requires_all = ["docs", "readme"])]
    record: bool,
    /// The page to write.
    #[arg(long, value_name = "FILE")]
    docs: Option<PathBuf>,
    /// The README, whose lines on cost and speed are written anew.
    #[arg(long, value_name = "FILE")]
    readme: Option<PathBuf>,
}

/// The ratios of a recorded run. Only they are the same, or nearly, on another machine.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Baseline {
    date: String,
    machine: String,
    ratios: BTreeMap<String, Measured>,
}

/// Prints the summary; writes the baseline and the docs when that is asked for.
pub(crate) fn run(results: &Path, options: &Options) -> Result<()> {
    let mut parts = Vec::new();
    for name in PARTS {
        parts.extend(Part::load(results, name)?);
    }
    let baseline = Baseline::load(&options.baseline)?;
    println!("\n{}", targets(&parts).plain());
    if let Some(comparison) = baseline.comparison(&parts) {
        println!("{}", comparison.plain());
    }
    if let (true, Some(docs), Some(readme)) = (options.record, &options.docs, &options.readme) {
        let missing = PARTS.len() - parts.len();
        ensure!(missing == 0, "{missing} parts were not measured yet");
        for part in &parts {
            ensure!(!part.quick, "`{}` was measured in a hurry", part.name);
        }
        Baseline::of(&parts).save(&options.baseline)?;
        let text = page(&parts);
        fs::write(docs, text).with_context(|| format!("writing `{}`", docs.display()))?;
        readme::record(readme, &parts)?;
        println!(
            "recorded in {} and {}",
            docs.display(),
            options.baseline.display()
        );
    }
    Ok(())
}

fn figures(parts: &[Part]) -> impl Iterator<Item = &Figure> {
    parts.iter().flat_map(|part| &part.figures)
}

/// Each target, the figure, and what limits it.
fn targets(parts: &[Part]) -> Table {
    let mut table = Table::new("Targets", &["what", "at most", "is", "", "what limits it"]);
    for figure in figures(parts) {
        let Some(target) = figure.target else {
            continue;
        };
        table.row([
            figure.name.clone(),
            figure.unit.text(target),
            Figure::cell(figure.measured, figure.unit),
            if figure.is_missed() {
                "**missed**"
            } else {
                "met"
            }
            .to_owned(),
            limit_of(&figure.name).to_owned(),
        ]);
    }
    table
}

impl Baseline {
    /// The recorded one; an empty one when there is none yet.
    fn load(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text =
            fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("reading `{}`", path.display()))
    }

    fn of(parts: &[Part]) -> Self {
        let ratios = figures(parts).filter(|figure| figure.unit == Unit::Ratio);
        let last = parts.last();
        Self {
            date: last.map_or_else(String::new, |part| part.date.clone()),
            machine: last.map_or_else(String::new, |part| part.machine.clone()),
            ratios: ratios
                .map(|figure| (figure.name.clone(), rounded(figure.measured)))
                .collect(),
        }
    }

    fn save(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("writing `{}`", path.display()))
    }

    /// Every ratio beside the recorded one.
    fn comparison(&self, parts: &[Part]) -> Option<Table> {
        let title = format!("Beside the baseline of {} ({})", self.date, self.machine);
        let mut table = Table::new(&title, &["ratio", "now ÷ then", "now", "then", ""]);
        for figure in figures(parts) {
            let Some(then) = self.ratios.get(&figure.name) else {
                continue;
            };
            let change = figure.measured.median / then.median;
            table.row([
                figure.name.clone(),
                format!("{change:.2}"),
                Figure::cell(figure.measured, Unit::Ratio),
                Figure::cell(*then, Unit::Ratio),
                verdict(figure, *then).to_owned(),
            ]);
        }
        (!table.rows.is_empty()).then_some(table)
    }
}

/// Whether a ratio has changed by more than both runs leave open.
fn verdict(figure: &Figure, then: Measured) -> &'static str {
    let noise =
        (2.0 * (figure.measured.relative_spread() + then.relative_spread())).max(LEAST_NOISE);
    let change = figure.measured.median / then.median;
    // Where Node.js stands above ours, more is better.
    let (more, less) = if figure.name.contains("to ours") {
        ("better", "WORSE")
    } else {
        ("WORSE", "better")
    };
    if change > 1.0 + noise {
        more
    } else if change < 1.0 / (1.0 + noise) {
        less
    } else {
        "same"
    }
}

/// As many digits as can be reproduced, so that a new record changes few lines.
fn rounded(measured: Measured) -> Measured {
    let round = |value: f64| (value * 1e3).round() / 1e3;
    Measured {
        median: round(measured.median),
        spread: round(measured.spread),
    }
}

/// The page of the docs.
fn page(parts: &[Part]) -> String {
    let mut page = String::from(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench --record`; do not edit. `cargo xtask bench` measures again and \
         shows what changed beside the last record (`crates/bench/baseline.json`), \
         `cargo xtask bench --only NAME` one part.\n\n\
         Ratios first: they are nearly the same on another machine. A figure is the median of \
         interleaved rounds, and after it half the distance of the quartiles.\n\n",
    );
    // Writing to a string does not fail.
    let _ = writeln!(page, "{}", targets(parts).markdown());
    for part in parts {
        let _ = writeln!(
            page,
            "## {}\n\n{}, {}.\n",
            part.title, part.date, part.machine
        );
        for paragraph in &part.how {
            let _ = writeln!(page, "{paragraph}\n");
        }
        for table in &part.tables {
            let _ = writeln!(page, "{}", table.markdown());
        }
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &str, median: f64, spread: f64) -> Figure {
        Figure {
            name: name.to_owned(),
            measured: Measured { median, spread },
            unit: Unit::Ratio,
            target: None,
        }
    }

    #[test]
    fn a_change_counts_only_beyond_the_spread_of_both_runs() {
        let then = Measured {
            median: 2.0,
            spread: 0.1,
        };
        assert_eq!(verdict(&figure("a", 2.3, 0.1), then), "same");
        assert_eq!(verdict(&figure("a", 2.5, 0.1), then), "WORSE");
        assert_eq!(verdict(&figure("a", 2.5, 0.5), then), "same");
        assert_eq!(verdict(&figure("a", 1.5, 0.1), then), "better");
        let steady = Measured {
            median: 2.0,
            spread: 0.0,
        };
        assert_eq!(verdict(&figure("a", 2.19, 0.0), steady), "same");
        assert_eq!(verdict(&figure("a", 2.21, 0.0), steady), "WORSE");
    }

    #[test]
    fn the_further_node_is_behind_the_better() {
        let then = Measured {
            median: 2.0,
            spread: 0.0,
        };
        assert_eq!(
            verdict(&figure("Node.js CPU to ours", 3.0, 0.0), then),
            "better"
        );
        assert_eq!(
            verdict(&figure("Node.js CPU to ours", 1.0, 0.0), then),
            "WORSE"
        );
    }
}
