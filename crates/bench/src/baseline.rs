//! The recorded counts, and the tools that produced them.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The counts of a run, with everything but the code that influences them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Baseline {
    /// The day, as `2026-11-24`.
    pub(crate) date: String,
    /// The compiler's version and target.
    pub(crate) rustc: String,
    /// The profile of Cargo.toml.
    pub(crate) profile: String,
    /// The counts by part and name. Less is better.
    pub(crate) counts: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Baseline {
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("reading `{}`", path.display()))
    }

    /// Writes the baseline, rounded to the digits that repeat in another run.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let mut rounded = self.clone();
        for count in rounded.counts.values_mut().flat_map(BTreeMap::values_mut) {
            let decimals = if *count < 1_000.0 { 1e3 } else { 1.0 };
            *count = (*count * decimals).round() / decimals;
        }
        let mut text = serde_json::to_string_pretty(&rounded)?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("writing `{}`", path.display()))
    }
}
