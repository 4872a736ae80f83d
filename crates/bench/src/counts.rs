//! The part `counts`: counts the work of a start, a delivery, an event and a page instead of timing
//! it.
//!
//! A program runs twice with the same beginning, once for longer. The difference between the
//! two runs is the work of the additional steps, so the start and all one-time work cancel out.
//! The servers run in lockstep with the program.

mod bare;
mod batches;
mod case;
mod run;
mod tool;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use self::{case::Case, run::Bench, tool::Tool};
use crate::{
    functions,
    lockstep::Lockstep,
    portal,
    receiver::Behaviour,
    report::{Part, count_tables},
    setup::Setup,
};

/// The number of events whose deliveries the portal shows: enough for a full page.
const EVENTS_OF_THE_PORTAL: u32 = 100;

/// The places of the measured programs.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// The folder of the functions.
    #[arg(long, value_name = "FOLDER")]
    functions: PathBuf,
    /// The folder of `deliver-webhook` with the feature `bench`.
    #[arg(long, value_name = "FOLDER")]
    measured: PathBuf,
    /// The folder of `deliver-webhook` with the features `bench` and `system-allocator`.
    #[arg(long, value_name = "FOLDER")]
    system_allocator: PathBuf,
    /// The folder of the programs for comparison.
    #[arg(long, value_name = "FOLDER")]
    peers: PathBuf,
    /// A folder for the run's files and the tools' output.
    #[arg(long, value_name = "FOLDER")]
    work: PathBuf,
    /// Count only the cases whose names contain this text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    case: String,
}

/// Runs the part.
pub(crate) async fn run(options: &Options, quick: bool) -> Result<Part> {
    let mut part = Part::new("counts", "What repeats", quick)?;
    let (tools, skipped) = Tool::available(&options.work);
    part.skipped = skipped;
    let lockstep = Lockstep::default();
    let setup = Setup::start_in_step(&lockstep, &options.functions, &options.work).await?;
    let bench = Bench {
        options,
        lockstep,
        setup,
        tools,
    };
    let mut cases = bench.starts()?;
    cases.extend(Box::pin(bench.cases()).await?);
    cases.retain(|case| case.name.contains(&options.case));
    for case in cases {
        eprintln!("counts: {}", case.name);
        bench.count(&mut part, &case).await?;
    }
    part.tables = count_tables(&part.counts);
    Ok(part)
}

impl Bench<'_> {
    /// Returns the cases of functions that start and do nothing.
    fn starts(&self) -> Result<Vec<Case>> {
        let authorities = self.setup.authority.many()?;
        let surroundings = self
            .setup
            .surroundings
            .with("SSL_CERT_FILE", authorities.display());
        let names = names(&self.options.functions)?.into_iter();
        let start = |name: String| Case::new(&format!("start/{name}"), &name, surroundings.clone());
        Ok(names.map(start).collect())
    }

    /// Returns all other cases, with the items that they need in the stub's table.
    async fn cases(&self) -> Result<Vec<Case>> {
        let mut cases = vec![self.sweep()];
        eprintln!("counts: creating subscriptions");
        functions::subscribe(&self.setup).await?;
        let customers = functions::CUSTOMERS.iter();
        for customer in customers.filter(|customer| customer.is_counted()) {
            let of_event = self.event(customer).await?;
            if customer.subscriptions == 1 {
                for case in &of_event {
                    cases.push(self.bare_event(case).await?);
                }
            }
            cases.extend(of_event);
        }
        for (name, behaviour) in [
            ("kept connection", Behaviour::Prompt),
            ("answered with 500", Behaviour::Fails),
            ("new TLS connection", Behaviour::NewConnection),
        ] {
            let (case, _) = self.delivery(name, behaviour).await?;
            cases.push(case);
        }
        cases.push(self.bare_delivery().await?);
        let shown = Box::pin(portal::Shown::write(&self.setup.aws, EVENTS_OF_THE_PORTAL)).await?;
        let pages = portal::Page::all(&shown).into_iter();
        let pages = pages.filter(portal::Page::is_counted);
        cases.extend(pages.map(|page| self.view(&page)));
        Ok(cases)
    }
}

/// Returns the names of the programs in a folder.
fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading `{}`", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
