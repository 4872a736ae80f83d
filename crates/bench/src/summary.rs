//! The summary of all parts: the targets and the documentation.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use webhooks_costs::Recorded;

use crate::{
    baseline::Baseline,
    check, floor, readme,
    report::{Part, Table, Target},
};

/// The parts, in the order of presentation.
const PARTS: [&str; 10] = [
    "cold-start",
    "delivery",
    "functions",
    "memory",
    "portal",
    "path",
    "isolation",
    "bill",
    "patience",
    "own-time",
];

/// Options of `report`.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The recorded counts.
    #[arg(long, value_name = "FILE")]
    baseline: PathBuf,
    /// Write the documentation from these results.
    #[arg(long, requires_all = ["docs", "readme", "usage"])]
    record: bool,
    /// The page to write.
    #[arg(long, value_name = "FILE")]
    docs: Option<PathBuf>,
    /// The README, whose lines on cost and speed are replaced.
    #[arg(long, value_name = "FILE")]
    readme: Option<PathBuf>,
    /// The recorded usage, from which estimates are computed.
    #[arg(long, value_name = "FILE")]
    usage: Option<PathBuf>,
}

/// Prints the summary. Also writes the documentation if requested.
pub(crate) fn run(results: &Path, options: &Options) -> Result<()> {
    let mut parts = Vec::new();
    for name in PARTS {
        parts.extend(Part::load(results, name)?);
    }
    println!(
        "\n{}",
        targets(&parts, &Baseline::load(&options.baseline)?).plain()
    );
    if let (true, Some(docs), Some(readme), Some(usage)) = (
        options.record,
        &options.docs,
        &options.readme,
        &options.usage,
    ) {
        let missing = PARTS.len() - parts.len();
        ensure!(missing == 0, "{missing} parts were not measured yet");
        for part in &parts {
            ensure!(!part.quick, "`{}` was measured in a hurry", part.name);
        }
        let text = page(&parts, &Baseline::load(&options.baseline)?);
        fs::write(docs, text).with_context(|| format!("writing `{}`", docs.display()))?;
        readme::record(readme, &parts)?;
        record_usage(usage, &parts)?;
        let recorded = [docs, readme, usage].map(|path| path.display().to_string());
        println!("recorded in {}", recorded.join(", "));
    }
    Ok(())
}

/// Writes the usage of a delivery that the part `bill` measured.
fn record_usage(path: &Path, parts: &[Part]) -> Result<()> {
    let bill = parts.iter().find(|part| !part.usage.is_empty());
    let bill = bill.context("no bill")?;
    let recorded = Recorded {
        date: bill.date.clone(),
        cases: bill.usage.clone(),
    };
    let text = serde_json::to_string_pretty(&recorded)? + "\n";
    fs::write(path, text).with_context(|| format!("writing `{}`", path.display()))
}

/// Returns each target with its figure and its limit.
fn targets(parts: &[Part], baseline: &Baseline) -> Table {
    let mut table = Table::new("Targets", &["what", "at most", "is", "", "what limits it"]);
    let timed = parts.iter().flat_map(|part| &part.targets);
    for row in timed.map(Target::row) {
        table.row(row);
    }
    for row in floor::targets(baseline).iter().map(Target::row) {
        table.row(row);
    }
    table
}

/// Returns the beginning of the page, before any timed figure.
fn beginning(baseline: &Baseline) -> String {
    format!(
        "{}\n{}\n{}",
        include_str!("summary/head.md"),
        check::chapter(baseline),
        include_str!("summary/times.md")
    )
}

/// Returns the page of the documentation.
fn page(parts: &[Part], baseline: &Baseline) -> String {
    let mut page = beginning(baseline);
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{}", targets(parts, baseline).markdown());
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

    #[test]
    fn the_page_has_what_was_recorded() {
        let baseline = serde_json::from_str(include_str!("../baseline.json")).unwrap();
        let page = include_str!("../../../docs/benchmarks.md");
        assert!(page.starts_with(&beginning(&baseline)));
    }
}
