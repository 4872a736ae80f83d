//! The part `bill`: the AWS usage of a real run, multiplied by a price list.

mod case;
mod hosted;
pub(crate) mod month;
mod rules;
mod tap;
mod workflow;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use webhooks_costs::{Meter, PriceList, Usage};
use webhooks_proxy::Proxy;

use self::{
    case::{CASES, Case, Ending},
    tap::Tap,
};
use crate::{
    report::{Part, Table, Unit},
    stack::{Deployed, Deployment},
    stats::Measured,
};

/// The largest permitted cost of a million deliveries, by the place of a case in [`CASES`].
const TARGETS: [(usize, f64); 3] = [(0, 7.0), (1, 8.5), (2, 3.2)];

/// All results of deliveries.
const ENDINGS: [Ending; 3] = [
    Ending::AtOnce,
    Ending::ThirdAttempt,
    Ending::AfterLongAnswers,
];

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

/// Reads a price list from a file.
pub(crate) fn read_prices(path: &Path) -> Result<PriceList> {
    let reading = || format!("reading `{}`", path.display());
    let text = fs::read_to_string(path).with_context(reading)?;
    PriceList::parse(&text).with_context(reading)
}

/// Runs the part.
pub(crate) async fn run(deployed: &Deployed, options: &Options, quick: bool) -> Result<Part> {
    let prices = read_prices(&options.prices)?;
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
    for ending in ENDINGS {
        let of_ending: Vec<_> = measured
            .iter()
            .filter(|(case, _)| case.ending == ending)
            .collect();
        part.tables.push(lines(ending, &of_ending, &prices));
        part.tables.push(quantities(ending, &of_ending));
    }
    part.tables.push(beside(&measured, &prices));
    part.tables.push(month::table(&prices));
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

/// Adds the targets, and the counts of all cases.
fn figures(part: &mut Part, measured: &[(Case, Usage)], prices: &PriceList) {
    for (place, at_most) in TARGETS {
        let (case, usage) = &measured[place];
        let dollars = Measured::of(&[usage.total(prices)]);
        let name = format!("{}/dollars per million", case.name());
        part.target(&name, dollars, Unit::Dollars, at_most);
    }
    for (name, dollars, at_most) in month::targets(prices) {
        let name = format!("{name}/dollars per month");
        part.target(&name, Measured::of(&[dollars]), Unit::Dollars, at_most);
    }
    for (case, usage) in measured {
        let repeats = |meter: &Meter| repeats(*meter, case.ending);
        for meter in Meter::ALL.into_iter().filter(repeats) {
            let name = format!("bill/{}/{}", case.name(), meter.text());
            part.count(&name, usage.of(meter));
        }
        part.usage.insert(case.name(), usage.clone());
    }
}

/// Returns true if another run of the same code uses the same amount. Times differ, logs contain
/// times, quantities computed by rule do not depend on the code, and the sample of statistics depends
/// on random ids. Reads also differ where attempts fail: two runs were up to 3 % apart.
fn repeats(meter: Meter, ending: Ending) -> bool {
    match meter {
        Meter::EventIn
        | Meter::StandardTransition
        | Meter::LambdaRequest
        | Meter::TableWriteUnit
        | Meter::IndexWriteUnit
        | Meter::QueueRequest => true,
        Meter::ReadUnit => ending == Ending::AtOnce,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use webhooks_costs::Recorded;

    use super::*;

    #[test]
    fn the_recorded_usage_is_that_of_the_page() {
        let page = include_str!("../../../docs/benchmarks.md");
        let recorded = Recorded::last();
        for ending in ENDINGS {
            let cases = CASES.into_iter().filter(|case| case.ending == ending);
            let cases = cases.map(|case| (case, recorded.cases[&case.name()].clone()));
            let cases: Vec<_> = cases.collect();
            let table = quantities(ending, &cases.iter().collect::<Vec<_>>());
            assert!(page.contains(&table.markdown()), "{}", table.plain());
        }
        assert_eq!(recorded.cases.len(), CASES.len());
    }
}
