//! The part `isolation`: the effect of hanging endpoints on healthy ones and on the bill.

mod level;

use anyhow::Result;

use self::level::{LEVELS, Level, Load, Shown};
use crate::{
    report::{Part, Table, Unit, cell},
    stack::{Deployed, Deployment},
};

/// Options of this part besides the stack.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The stack's request timeout, in seconds.
    #[arg(long)]
    request_timeout: u64,
}

/// Runs the part.
pub(crate) async fn run(deployed: &Deployed, options: &Options, quick: bool) -> Result<Part> {
    let mut part = Part::new("isolation", "Endpoints that hang", quick)?;
    let load = if quick { Load::QUICK } else { Load::FULL };
    explain(&mut part, &load, options);
    let deployment = Deployment::load(deployed).await?;
    let mut all = Vec::new();
    for level in LEVELS {
        eprintln!("isolation: {}", level.text());
        let shown = level.measure(&deployment, &load, options.request_timeout);
        all.push((level, shown.await?));
    }
    let (_, base) = &all[0];
    let mut table = Table::new(
        "Healthy endpoints, put to first request, and billed time of DeliverWebhook",
        &[
            "endpoints that hang",
            "p50 ÷ none",
            "p99 ÷ none",
            "billed ÷ none",
            "p50",
            "p99",
            "billed, by delivery",
            "billed, by delivery to a healthy endpoint",
            "invocations",
        ],
    );
    for (level, shown) in &all {
        table.row(row(*level, shown, base));
    }
    part.tables.push(table);
    Ok(part)
}

fn row(level: Level, shown: &Shown, base: &Shown) -> Vec<String> {
    vec![
        level.text(),
        Unit::Ratio.text(shown.p50.median / base.p50.median),
        Unit::Ratio.text(shown.p99.median / base.p99.median),
        Unit::Ratio.text(shown.billed_by_delivery / base.billed_by_delivery),
        cell(shown.p50, Unit::Millis),
        cell(shown.p99, Unit::Millis),
        Unit::Millis.text(shown.billed_by_delivery),
        Unit::Millis.text(shown.billed_by_healthy_delivery),
        shown.invocations.to_string(),
    ]
}

fn explain(part: &mut Part, load: &Load, options: &Options) {
    part.how(format!(
        "The template with its defaults, except a request timeout of {} s instead of 15 s and \
         a concurrency of {} for the delivery function, on the emulator with the released \
         functions. {} customers with one endpoint each receive events in turn: {:.0} events a \
         second for {:.0} s, even if endpoints are slow. An endpoint that hangs accepts a \
         request and never answers. Each level has its own customers, and starts when the \
         previous one has finished.",
        options.request_timeout,
        level::CONCURRENCY,
        level::CUSTOMERS,
        load.per_second,
        load.seconds(),
    ));
    part.how(
        "The whole run counts, including the first seconds, when it is not yet known which \
         endpoints hang. p50 and p99 are computed for each fifth of the events, and the table \
         shows the median of the fifths. Billed time is the sum of `Billed Duration` in the \
         emulator's logs, over all invocations of the function for both queues, until two \
         attempts to every hanging endpoint have timed out. It includes cold starts, as \
         Lambda's does.",
    );
}
