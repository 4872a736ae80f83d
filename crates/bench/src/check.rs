//! Compares the counts of this run, which are repeatable, with the recorded ones.

mod chapter;
mod judge;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

pub(crate) use self::chapter::chapter;
use self::{
    chapter::{SECTION, section},
    judge::{judge, refuse, report},
};
use crate::{baseline::Baseline, machine, readme::fill, report::Part};

/// Options of `check`.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The recorded counts.
    #[arg(long, value_name = "FILE")]
    baseline: PathBuf,
    /// The parts that were run.
    #[arg(long = "part", value_name = "NAME", required = true)]
    parts: Vec<String>,
    /// The compiler's version.
    #[arg(long)]
    rustc: String,
    /// The profile of Cargo.toml that the programs were built with.
    #[arg(long)]
    profile: String,
    /// Write the baseline and the docs' section from this run.
    #[arg(long, requires = "docs")]
    record: bool,
    /// The page that contains the section.
    #[arg(long, value_name = "FILE")]
    docs: Option<PathBuf>,
}

/// Judges or records the parts in the folder of results.
pub(crate) fn run(results: &Path, options: &Options) -> Result<()> {
    let mut now = Baseline {
        date: machine::today()?,
        rustc: options.rustc.clone(),
        profile: options.profile.clone(),
        counts: BTreeMap::new(),
    };
    let mut skipped = Vec::new();
    for name in &options.parts {
        let part = Part::load(results, name)?;
        let part = part.with_context(|| format!("`{name}` was not measured"))?;
        ensure!(!part.quick, "`{name}` was measured in a hurry");
        now.counts.insert(part.name, part.counts);
        skipped.extend(part.skipped);
    }
    for skipped in &skipped {
        println!("skipped: {} ({})", skipped.what, skipped.why);
    }
    if let (true, Some(docs)) = (options.record, &options.docs) {
        ensure!(
            skipped.is_empty(),
            "nothing is recorded while something is skipped"
        );
        now.save(&options.baseline)?;
        let text =
            fs::read_to_string(docs).with_context(|| format!("reading `{}`", docs.display()))?;
        fs::write(docs, fill(&text, SECTION, &section(&now))?)
            .with_context(|| format!("writing `{}`", docs.display()))?;
        println!(
            "recorded in {} and {}",
            options.baseline.display(),
            docs.display()
        );
        return Ok(());
    }
    let baseline = Baseline::load(&options.baseline)?;
    let judged = judge(&baseline, &now, &skipped);
    println!("{}", report(&judged, &baseline, &now));
    refuse(&judged)
}
