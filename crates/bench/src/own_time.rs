//! The time of the timed parts themselves, and of their build.

use std::path::Path;

use anyhow::Result;

use crate::{
    report::{Part, Unit},
    stats::{Measured, minutes},
};

const NAME: &str = "own-time";
const BUILD: &str = "build from nothing";

/// The minutes that the build and all timed parts may take.
const BUILD_AT_MOST: f64 = 8.0;
const RUN_AT_MOST: f64 = 10.0;

/// Options of this part.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// The time of all timed parts after the build.
    #[arg(long)]
    run_seconds: f64,
    /// The time of the build, if nothing was built before.
    #[arg(long)]
    build_seconds: Option<f64>,
}

/// Makes the part of a run. Without a build from nothing, that of the last run counts.
pub(crate) fn run(results: &Path, options: &Options) -> Result<Part> {
    let mut part = Part::new(NAME, "The benchmark itself", false)?;
    part.how(
        "The time of all timed parts together, and of the build of everything that they measure \
         from nothing, with crates downloaded.",
    );
    if let Some(seconds) = options.build_seconds {
        part.target(
            BUILD,
            Measured::of(&[minutes(seconds)]),
            Unit::Minutes,
            BUILD_AT_MOST,
        );
    } else {
        let before = Part::load(results, NAME)?;
        let targets = before.into_iter().flat_map(|before| before.targets);
        let build = targets.filter(|target| target.name == format!("{NAME}/{BUILD}"));
        part.targets.extend(build);
    }
    let all = Measured::of(&[minutes(options.run_seconds)]);
    part.target("all timed parts", all, Unit::Minutes, RUN_AT_MOST);
    Ok(part)
}
