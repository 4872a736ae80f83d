//! The part `portal`: CPU, bytes, read units and cost of each page of the portal, and its cold
//! start.

mod bounds;
mod data;
mod page;
mod views;
mod visitor;

use std::path::PathBuf;

use anyhow::{Context, Result};
use webhooks_costs::PriceList;

use self::{bounds::judge, views::Views, visitor::Visitor};
pub(crate) use self::{data::Shown, page::Page};
use crate::{
    bill::read_prices,
    function::Function,
    lockstep::Lockstep,
    report::{Part, Table, Unit, cell, exact},
    setup::Setup,
    stats::{Measured, millis},
};

/// The name of the program.
pub(crate) const FUNCTION: &str = "portal";

/// The number of events. Each has a delivery to every endpoint.
const EVENTS: u32 = 100_000 / data::ENDPOINTS;

/// The rounds that count, and those before them: connections are opened, and buffers grow.
const ROUNDS: usize = 40;
const WARM_UP: usize = 3;

/// The number of cold starts.
const STARTS: usize = 15;

/// Options of this part.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// The folder of the released functions.
    #[arg(long, value_name = "FOLDER")]
    functions: PathBuf,
    /// A folder for the run's files.
    #[arg(long, value_name = "FOLDER")]
    work: PathBuf,
    /// The prices, as JSON.
    #[arg(long, value_name = "FILE")]
    prices: PathBuf,
}

/// Runs the part. Returns it with the pages that exceed a bound, as an error.
pub(crate) async fn run(options: &Options, quick: bool) -> Result<(Part, Result<()>)> {
    let prices = read_prices(&options.prices)?;
    let mut part = Part::new("portal", "The portal", quick)?;
    explain(&mut part, &prices);
    let lockstep = Lockstep::default();
    let setup = Setup::start_in_step(&lockstep, &options.functions, &options.work).await?;
    eprintln!("portal: writing the deliveries of {EVENTS} events");
    let shown = Box::pin(Shown::write(&setup.aws, EVENTS)).await?;
    let pages = Page::all(&shown);
    let mut visitor = Visitor::new(Function::start(&setup.surroundings, FUNCTION).await?);
    let rounds = if quick { 5 } else { ROUNDS };
    let mut views = Vec::new();
    for page in &pages {
        views.push(Views::first_visit(&mut visitor, &setup.aws, page).await?);
    }
    for round in 0..WARM_UP + rounds {
        if round % 10 == 0 {
            eprintln!("portal: round {round} of {}", WARM_UP + rounds);
        }
        for (page, views) in pages.iter().zip(&mut views) {
            let view = visitor.view(&setup.aws, &page.path, &page.cookie).await?;
            if round >= WARM_UP {
                views.add(&view);
            }
        }
    }
    part.tables.push(pages_table(&views, &prices));
    let starts = if quick { 3 } else { STARTS };
    part.tables
        .push(cold_starts(&setup, &pages[0], starts).await?);
    figures(&mut part, &views)?;
    Ok((part, judge(&views)))
}

fn explain(part: &mut Part, prices: &PriceList) {
    part.how(format!(
        "The real `portal` program answers a browser with a session that has every capability. \
         The Lambda Runtime API, DynamoDB and SQS are stubs, the last two over TLS. The functions' own \
         store wrote the data: {} events of 1 KB, each with a delivery to the {} endpoints of one \
         customer (100,000 deliveries), and statistics of every hour. The first endpoint fails: its deliveries have \
         ten failed attempts with long answers, and so have those of the newest event. The others \
         succeeded at once. The pages of the console have a session of their own, and show 30 \
         further customers, each with an unhealthy endpoint that is owed such deliveries. Rounds \
         are interleaved: every page once in each.",
        exact(EVENTS.into()),
        data::ENDPOINTS,
    ));
    part.how(
        "CPU is the scheduler's count for the process, user and system, of one request. Bytes are \
         those of the answer with its headers; a Function URL does not compress them. A first \
         visit adds the stylesheets, the script and the icon, of which a browser keeps all but \
         the brand's stylesheet. Read units follow from the sizes of the items that the table \
         returns, by the rules of the Developer Guide. An event larger than 1 KB adds a unit for \
         each 4 KB to the page of its delivery. Answers that do not compress add up to 4 units \
         each, with ten of them 56 for the page.",
    );
    part.how(format!(
        "Cost: prices of {} ({}) for the request, the time and the memory of the function, the \
         read units and the logs. The billed time is computed: {}. Not included: data transfer to \
         the Internet.",
        prices.region,
        prices.date,
        views::billed_time(),
    ));
    part.how(format!(
        "`cargo xtask bench --only portal` fails, and names the page, if a page takes more than \
         {} of CPU in any round, {} read units, or {} bytes at a first visit.",
        Unit::Millis.text(bounds::CPU_MILLIS),
        bounds::READ_UNITS,
        exact(bounds::FIRST_VISIT_BYTES),
    ));
}

fn pages_table(all: &[Views], prices: &PriceList) -> Table {
    let mut table = Table::new(
        "One view of a page",
        &[
            "page",
            "CPU, median",
            "CPU, worst",
            "read units",
            "AWS calls",
            "bytes",
            "bytes, first visit",
            "dollars per 1,000",
        ],
    );
    for views in all {
        table.row([
            views.page.to_owned(),
            cell(Measured::of(&views.cpu_millis), Unit::Millis),
            Unit::Millis.text(views.worst_cpu_millis()),
            exact(views.read_units),
            exact(views.aws_calls),
            exact(views.bytes),
            exact(views.first_visit_bytes),
            format!("{:.4}", views.dollars(prices) * 1e3),
        ]);
    }
    table
}

/// Measures starts, each with its first page.
async fn cold_starts(setup: &Setup, page: &Page, starts: usize) -> Result<Table> {
    let (mut polls, mut first, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    let authorities = setup.authority.many()?;
    let surroundings = setup
        .surroundings
        .with("SSL_CERT_FILE", authorities.display());
    for _ in 0..starts {
        let function = Function::start(&surroundings, FUNCTION).await?;
        polls.push(millis(function.start_took));
        let mut visitor = Visitor::new(function);
        let view = visitor.view(&setup.aws, &page.path, &page.cookie).await?;
        first.push(millis(view.duration));
        cpu.push(view.cpu_millis);
    }
    let mut table = Table::new("A new execution environment", &["", "median", "worst"]);
    for (name, all) in [
        ("exec to first poll", polls),
        ("its first page, time", first),
        ("its first page, CPU", cpu),
    ] {
        let worst = all.iter().copied().fold(0.0, f64::max);
        table.row([
            name.to_owned(),
            cell(Measured::of(&all), Unit::Millis),
            Unit::Millis.text(worst),
        ]);
    }
    Ok(table)
}

/// Adds the targets: the worst page of each.
fn figures(part: &mut Part, all: &[Views]) -> Result<()> {
    let worst = |of: fn(&Views) -> f64| {
        let figures = all.iter().map(of);
        let worst = figures.reduce(f64::max).context("no pages")?;
        anyhow::Ok(Measured::of(&[worst]))
    };
    for (name, of, unit, at_most) in bounds::ALL {
        part.target(&format!("worst page/{name}"), worst(of)?, unit, at_most);
    }
    Ok(())
}
