//! `cargo xtask mutants`: inserts small faults into the modules that decide; tests must detect
//! each. `.cargo/mutants.toml` has the settings.

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::process;
use crate::tools::CargoTool;
use crate::workspace::Workspace;

const CARGO_MUTANTS: CargoTool = CargoTool {
    name: "cargo-mutants",
    version: "27.1.0",
};

/// Options of `mutants`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Only this module; repeatable [default: all].
    #[arg(long, value_enum)]
    only: Vec<Module>,
}

/// Modules of the domain that are mutated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Module {
    /// The permitted destinations and headers of requests.
    Policy,
    /// Secrets and signatures.
    Signing,
    /// The consequence of an attempt, and its time.
    Retry,
}

impl Module {
    /// Returns globs for its files.
    const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Policy => &["crates/domain/src/model/outbound/*.rs"],
            Self::Signing => &[
                "crates/domain/src/model/signing/*.rs",
                "crates/domain/src/use_cases/vault.rs",
            ],
            Self::Retry => &[
                "crates/domain/src/model/delivery.rs",
                "crates/domain/src/model/delivery/*.rs",
                "crates/domain/src/use_cases/deliver.rs",
                "crates/domain/src/use_cases/deliver/*.rs",
                "crates/domain/src/model/due.rs",
                "crates/domain/src/model/retry.rs",
                "crates/domain/src/model/retry/*.rs",
                "crates/domain/src/use_cases/sweep.rs",
            ],
        }
    }
}

/// Prints each fault that no test detects; fails if there is one.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut command = workspace.command(CARGO_MUTANTS.install(workspace)?);
    command.args(["mutants", "--jobs=1", "--package=webhooks-domain"]);
    for module in Module::value_variants() {
        if options.only.is_empty() || options.only.contains(module) {
            for files in module.files() {
                command.args(["--file", files]);
            }
        }
    }
    process::run(&mut command)
}
