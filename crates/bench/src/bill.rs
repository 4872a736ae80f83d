//! The part `bill`: the AWS usage of a real run, multiplied by a price list.

mod case;
mod hosted;
mod meter;
pub(crate) mod monthly;
mod prices;
mod rules;
mod tap;
mod usage;
mod workflow;

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use webhooks_proxy::Proxy;

use self::{
    case::{CASES, Case, Ending},
    tap::Tap,
    usage::Usage,
};
pub(crate) use self::{meter::Meter, prices::PriceList};
use crate::{
    report::{Part, Table, Unit},
    stack::{Deployed, Deployment},
    stats::Measured,
};

/// The largest permitted cost of a million deliveries.
const TARGET: f64 = 6.0;
/// The most that a month without events may cost.
const IDLE_TARGET: f64 = 3.0;
/// The most that a month with a little traffic in every hour may cost, without the deliveries.
const SLIGHT_TARGET: f64 = 5.0;

/// Options of this part besides the stack.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The port that the functions use as the emulator's.
    #[arg(long)]
    proxy_port: u16,
    /// The prices, as JSON.
    #[arg(long, value_name = "FILE")]
    prices: PathBuf,
}

/// Runs the part.
pub(crate) async fn run(deployed: &Deployed, options: &Options, quick: bool) -> Result<Part> {
    let prices = PriceList::read(&options.prices)?;
    let mut part = Part::new("bill", "The bill", quick)?;
    explain(&mut part, &prices);
    let deployment = Deployment::load(deployed).await?;
    let emulator = deployment.stack.endpoint();
    let emulator = emulator.context("the bill is taken on the emulator only")?;
    let tap = Arc::new(Tap::new(&deployment).await?);
    let _proxy = Proxy::start(options.proxy_port, emulator, Arc::clone(&tap)).await?;
    let mut measured = Vec::new();
    for case in CASES {
        eprintln!("bill: {}", case.name());
        measured.push((case, case.measure(&deployment, &tap, quick).await?));
    }
    for ending in [
        Ending::AtOnce,
        Ending::ThirdAttempt,
        Ending::AfterLongAnswers,
    ] {
        let of_ending: Vec<_> = measured
            .iter()
            .filter(|(case, _)| case.ending == ending)
            .collect();
        part.tables.push(lines(ending, &of_ending, &prices));
        part.tables.push(quantities(ending, &of_ending));
    }
    part.tables.push(beside(&measured, &prices));
    part.tables.push(monthly::table(&prices)?);
    part.tables.push(hosted::table(&measured[0].1, &prices)?);
    figures(&mut part, &measured, &prices);
    Ok(part)
}

fn explain(part: &mut Part, prices: &PriceList) {
    part.how(format!(
        "The usage of a run on the emulator, divided by its deliveries, multiplied by a \
         million and by the price. Prices of {} ({}): {}. `--prices FILE` uses another list.",
        prices.region, prices.date, prices.source
    ));
    part.how(
        "A proxy between the functions and the emulator counts calls and units of DynamoDB. \
         The units follow from the sizes of the items that are read, and of the items before \
         and after each write, by the rules of the Developer Guide and the definitions of the \
         indexes in the stack. An item that exists before a function writes it was written by \
         the workflow. Invocations, billed time and bytes come from the functions' logs. The \
         workflow's states and time come from its history.",
    );
    part.how(rules::text());
    part.how(
        "Events have 1 KB of detail. Receivers answer in 200 ms with small bodies. Batches of \
         ten: the queue collects the messages before a batch is read. Batches of one: each \
         event waits for the previous one. Third attempt: two answers with status 500, then \
         200, with waits in the queue, as for the first two waits of the default schedule. Long \
         answers: the two have the same page of 16 KB. \
         Each endpoint receives two events, so the one-time writes and events at its first \
         failure weigh more than they would with many events. The functions are warm.",
    );
    part.how(
        "Not included: storage, data transfer to the Internet, traces (`Tracing=Active`), and free \
         tiers. See [Costs](costs.md).",
    );
}

/// The cost in dollars, line by line.
fn lines(ending: Ending, cases: &[&(Case, Usage)], prices: &PriceList) -> Table {
    let title = format!("Dollars per million deliveries, {}", ending.text());
    let mut table = with_cases(&title, cases);
    for meter in Meter::billed() {
        let cells = cases
            .iter()
            .map(|(_, usage)| format!("{:.2}", usage.dollars(meter, prices)));
        table.row(std::iter::once(meter.text().to_owned()).chain(cells));
    }
    let sums = cases
        .iter()
        .map(|(_, usage)| format!("**{:.2}**", usage.total(prices)));
    table.row(std::iter::once("**sum**".to_owned()).chain(sums));
    table
}

/// The quantities behind the lines.
fn quantities(ending: Ending, cases: &[&(Case, Usage)]) -> Table {
    let title = format!("What one delivery uses, {}", ending.text());
    let mut table = with_cases(&title, cases);
    for meter in Meter::ALL {
        let cells = cases
            .iter()
            .map(|(_, usage)| meter.quantity(usage.of(meter)));
        table.row(std::iter::once(meter.text().to_owned()).chain(cells));
    }
    table
}

fn with_cases(title: &str, cases: &[&(Case, Usage)]) -> Table {
    let names: Vec<_> = cases.iter().map(|(case, _)| case.column()).collect();
    let columns = std::iter::once("").chain(names.iter().map(String::as_str));
    Table::new(title, &columns.collect::<Vec<_>>())
}

/// The cost of the same deliveries with a Standard workflow.
fn beside(cases: &[(Case, Usage)], prices: &PriceList) -> Table {
    let mut table = Table::new(
        "Beside the same design with a Standard workflow, dollars per million deliveries",
        &["", "Standard ÷ Express", "Express", "Standard"],
    );
    for (case, usage) in cases {
        let (express, standard) = (usage.total(prices), usage.total_as_standard(prices));
        table.row([
            case.name(),
            Unit::Ratio.text(standard / express),
            Unit::Dollars.text(express),
            Unit::Dollars.text(standard),
        ]);
    }
    table
}

/// Adds the target, which applies to the first case, and the counts of all cases.
fn figures(part: &mut Part, measured: &[(Case, Usage)], prices: &PriceList) {
    let (case, usage) = &measured[0];
    let dollars = Measured::of(&[usage.total(prices)]);
    let name = format!("{}/dollars per million", case.name());
    part.target(&name, dollars, Unit::Dollars, TARGET);
    for (name, dollars, at_most) in [
        ("idle", monthly::idle(prices), IDLE_TARGET),
        ("slight traffic", monthly::slight(prices), SLIGHT_TARGET),
    ] {
        let name = format!("bill/{name}/dollars per month");
        part.target(&name, Measured::of(&[dollars]), Unit::Dollars, at_most);
    }
    for (case, usage) in measured {
        let repeats = |meter: &Meter| meter.repeats(case.ending);
        for meter in Meter::ALL.into_iter().filter(repeats) {
            let name = format!("bill/{}/{}", case.name(), meter.text());
            part.count(&name, usage.of(meter));
        }
    }
}
