//! `webhooks estimate`: what a workload takes: environments, the queue, quotas and the bill.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use clap::error::ErrorKind;
use serde::Serialize;
use webhooks_costs::{Estimate, PriceList, Workload};

use crate::print::{Facts, Printer, Report, heading, task};
use crate::terminal::{Cell, Style, Table, Tone};
use crate::{Outcome, usage};

/// The Region if no option names one: that of the prices.
const REGION: &str = "us-east-1";

/// The examples in the help text.
pub(crate) const HELP: &str = "\
Examples:
  webhooks estimate --events-per-second 1000 --fan-out 2 --answer-time 200ms --failing 1%
  webhooks estimate --events-per-second 50 --region eu-west-2 --prices prices.json
  webhooks --json estimate --events-per-second 1000 | jq '.quotas[0]'

The command calls no stack: it computes from the recorded usage of a delivery and from AWS's
default quotas. `--region` chooses only the quotas. The prices are always those of us-east-1, unless
`--prices` names a file.";

/// Options of `estimate`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Events a second, at an even rate.
    #[arg(long, value_name = "NUMBER")]
    events_per_second: f64,
    /// The subscriptions that an event matches.
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0)]
    fan_out: f64,
    /// The time in which endpoints answer.
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = humantime::parse_duration)]
    answer_time: Duration,
    /// The share of deliveries that fail twice and then succeed.
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = share)]
    failing: f64,
    /// The file with the prices, in the form of crates/costs/prices/us-east-1.json.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

/// Reads a share, such as `1%`.
fn share(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').map(str::trim);
    let percent = percent.and_then(|percent| percent.parse::<f64>().ok());
    let percent = percent.ok_or("must be a number with a percent sign, such as 1%")?;
    Ok(percent / 100.0)
}

impl Options {
    /// Computes the estimate for a Region and prints it.
    pub(crate) fn run(&self, region: Option<&str>, printer: &mut Printer<'_>) -> Result<Outcome> {
        let workload = Workload::new(
            self.events_per_second,
            self.fan_out,
            self.answer_time,
            self.failing,
        );
        let workload =
            workload.map_err(|error| usage(ErrorKind::ValueValidation, &error.to_string()))?;
        let prices = match &self.prices {
            None => PriceList::us_east_1(),
            Some(path) => {
                let reading = || format!("reading `{}`", path.display());
                let text = std::fs::read_to_string(path).with_context(reading)?;
                PriceList::parse(&text).with_context(reading)?
            }
        };
        let region = region.unwrap_or(REGION);
        let estimate = Estimate::of(workload, region, &prices)
            .map_err(|error| usage(ErrorKind::ValueValidation, &error.to_string()))?;
        printer.print(&Shown {
            region: region.to_owned(),
            prices_of: format!("{}, {}", prices.region, prices.date),
            estimate,
        })?;
        Ok(Outcome::Complete)
    }
}

/// An estimate, with the Regions of its quotas and prices.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    region: String,
    prices_of: String,
    #[serde(flatten)]
    estimate: Estimate,
}

impl Report for Shown {
    fn text(&self, style: Style) -> String {
        let mut text = facts(&self.estimate).text(style);
        text += &heading(&format!("Default quotas of {}", self.region), style);
        text += &quotas(&self.estimate, style);
        text += &heading("Partitions with a limit of their own", style);
        text += &hot_partitions(&self.estimate, style);
        text += &heading(&format!("A month, at prices of {}", self.prices_of), style);
        text += &bill(&self.estimate, style);
        text + &task("an estimate from recorded usage: nothing of it was measured on AWS")
    }
}

fn facts(estimate: &Estimate) -> Facts {
    let Estimate {
        delivery, queue, ..
    } = estimate;
    let mut facts = Facts::default();
    let attempts = number(estimate.attempts_per_second);
    let deliveries = number(estimate.deliveries_per_second);
    facts.add(
        "deliveries",
        format!("{deliveries} a second, in {attempts} attempts"),
    );
    let (busy, batch) = (number(delivery.environments), number(delivery.batch));
    facts.add(
        "environments",
        format!("{busy} of DeliverWebhook are busy, with batches of {batch}"),
    );
    let workflow = number(estimate.workflow_environments);
    facts.add(
        "",
        format!("{workflow} environments of the workflow's functions are busy"),
    );
    facts.add(
        "to set",
        if delivery.is_possible() {
            Cell::from(format!(
                "{}={}",
                delivery.parameter, delivery.maximum_concurrency
            ))
        } else {
            let most = number(delivery.maximum_concurrency);
            let problem = format!("{most} environments are more than one queue can have: 1,000");
            Cell::new(problem, Tone::Bad)
        },
    );
    let (depth, waiting) = (number(queue.depth), seconds(queue.waiting_seconds));
    facts.add(
        "queue",
        format!("{depth} messages wait for a poller, {waiting} each"),
    );
    let (in_flight, delayed) = (number(queue.in_flight), number(queue.delayed));
    facts.add(
        "",
        format!("{in_flight} are in flight, {delayed} delayed for a retry"),
    );
    facts.maybe(
        "sudden start",
        queue.sudden_start.map(|start| {
            let (peak, oldest) = (number(start.peak_depth), seconds(start.oldest_seconds));
            let drained = seconds(start.drained_after_seconds);
            format!("up to {peak} wait, up to {oldest}, until {drained} after the start")
        }),
    );
    facts.add(
        "latency",
        format!(
            "{} from the put of an event to its first request",
            seconds(estimate.latency_seconds)
        ),
    );
    facts
}

fn quotas(estimate: &Estimate, style: Style) -> String {
    let mut table = Table::new(["QUOTA", "USED", "DEFAULT", "SHARE", "ASK FOR"]);
    for quota in &estimate.quotas {
        let tone = if quota.is_tight() {
            Tone::Bad
        } else {
            Tone::Plain
        };
        table.push([
            quota.name.into(),
            number(quota.used).into(),
            number(quota.default).into(),
            Cell::new(percent(quota.share()), tone),
            quota.raise_to.map_or_else(|| "-".to_owned(), number).into(),
        ]);
    }
    table.text(style)
}

fn hot_partitions(estimate: &Estimate, style: Style) -> String {
    let mut table = Table::new(["OF", "AT MOST A SECOND", "OF ALL TRAFFIC"]);
    for partition in &estimate.hot_partitions {
        table.push([
            partition.of.into(),
            number(partition.per_second).into(),
            percent(partition.largest_share).into(),
        ]);
    }
    table.text(style)
}

fn bill(estimate: &Estimate, style: Style) -> String {
    let mut table = Table::new(["BILL", "DOLLARS"]);
    let lines = estimate.bill.iter().map(|line| (line.name, line.dollars));
    let sums = [
        ("sum", estimate.dollars_per_month),
        ("for a million deliveries", estimate.dollars_per_million),
    ];
    for (name, dollars) in lines.chain(sums) {
        table.push([name.into(), grouped(&format!("{dollars:.2}")).into()]);
    }
    table.text(style)
}

/// Formats a number with two digits or more.
fn number(of: f64) -> String {
    let decimals = match of {
        small if small > 0.0 && small < 0.1 => 3,
        small if small < 9.95 && small.fract() > 0.0 => 1,
        _ => 0,
    };
    grouped(&format!("{of:.decimals$}"))
}

/// Separates the thousands of a number.
fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let mut apart = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart + rest
}

fn seconds(of: f64) -> String {
    if of < 1.0 {
        format!("{:.0} ms", of * 1e3)
    } else if of < 10.0 {
        format!("{of:.1} s")
    } else {
        format!("{} s", number(of))
    }
}

fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use webhooks_domain::health::is_slow;
    use webhooks_domain::outbound::AttemptOutcome;

    use super::*;
    use crate::Cli;

    async fn run(arguments: &[&str]) -> Result<String> {
        let arguments = ["webhooks"].iter().chain(arguments);
        let cli = Cli::try_parse_from(arguments)?;
        let mut out = Vec::new();
        cli.run(&mut out, Style::Plain).await?;
        Ok(String::from_utf8(out)?)
    }

    /// docs/estimate.md shows the command of its example, and what it prints.
    #[tokio::test]
    async fn the_page_has_the_output_of_its_example() {
        let page = include_str!("../../../docs/estimate.md");
        let (_, example) = page.split_once("```sh\nwebhooks ").unwrap();
        let (command, rest) = example.split_once("\n```\n").unwrap();
        let printed = run(&command.split(' ').collect::<Vec<_>>()).await.unwrap();
        let (_, shown) = rest.split_once("```text\n").unwrap();
        let (shown, _) = shown.split_once("```").unwrap();
        assert_eq!(shown, printed);
    }

    #[tokio::test]
    async fn json_has_the_quotas_of_the_region() {
        let json = run(&[
            "--json",
            "estimate",
            "--events-per-second",
            "1000",
            "--region",
            "eu-west-2",
        ]);
        let json: serde_json::Value = serde_json::from_str(&json.await.unwrap()).unwrap();
        let quotas = json["quotas"].as_array().unwrap();
        let invocations = quotas.iter().find(|quota| quota["default"] == 2_250.0);
        let name = &invocations.unwrap()["name"];
        assert_eq!(*name, "EventBridge: invocations a second");
        assert_eq!(json["region"], "eu-west-2");
    }

    /// The estimate names the parameter of the queue that the health of an endpoint chooses.
    #[tokio::test]
    async fn slow_endpoints_need_the_concurrency_of_the_slow_queue() {
        for (answer_ms, parameter) in [
            (999, "MaximumDeliveryConcurrency=500"),
            (1_000, "MaximumSlowDeliveryConcurrency=500"),
        ] {
            let answer = format!("{answer_ms}ms");
            let arguments = [
                "estimate",
                "--events-per-second",
                "2000",
                "--answer-time",
                &answer,
            ];
            let text = run(&arguments).await.unwrap();
            assert!(text.contains(&format!("  {parameter}\n")), "{text}");
            let is_slow = is_slow(AttemptOutcome::Succeeded, answer_ms);
            assert_eq!(is_slow, parameter.contains("Slow"));
        }
    }

    #[tokio::test]
    async fn a_wrong_number_is_named_with_its_bounds() {
        for (option, value, problem) in [
            ("--region", "mars-1", "us-west-2, is `mars-1`"),
            ("--fan-out", "0", "fan-out: must be 1 to 1000"),
            ("--answer-time", "1min", "answer time: must be 1ms to 30s"),
            ("--failing", "1", "such as 1%"),
            ("--failing", "101%", "failing: must be 0% to 100%"),
        ] {
            let arguments = ["estimate", "--events-per-second", "1", option, value];
            let error = run(&arguments).await.unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn numbers_are_short() {
        for (of, text) in [
            (0.0, "0"),
            (0.018, "0.018"),
            (4.896, "4.9"),
            (48.96, "49"),
            (12_345.6, "12,346"),
        ] {
            assert_eq!(number(of), text);
        }
        assert_eq!(seconds(0.0021), "2 ms");
    }
}
