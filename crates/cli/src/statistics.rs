//! `webhooks statistics`: the attempts of a customer or a subscription, by period.

use crate::terminal::{Cell, Style, Table, Tone};
use anyhow::Result;
use clap::Args;
use webhooks_client::{Api, PeriodStatistics, Statistics};

use crate::Outcome;
use crate::answer::send;
use crate::print::{Printer, task};
use crate::when::short;

/// The examples in the help text.
pub(crate) const HELP: &str = "\
Examples:
  webhooks statistics cust_1001
  webhooks statistics cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4
  webhooks --json statistics cust_1001 | jq '.hours'

Each failed attempt is counted. One of ten successful attempts is counted, as ten. Without a
subscription the numbers are the sum of all subscriptions of the customer.";

/// Options of `statistics`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The customer.
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    /// Only this subscription.
    #[arg(value_name = "SUBSCRIPTION")]
    subscription: Option<String>,
}

impl Options {
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let call = api.statistics(&self.customer, self.subscription.as_deref());
        printer.answer(&send(call).await?, text)?;
        Ok(Outcome::Complete)
    }
}

fn text(statistics: &Statistics, style: Style) -> String {
    let mut table = Table::new([
        "PERIOD",
        "SINCE",
        "ATTEMPTS",
        "SUCCEEDED",
        "2XX",
        "3XX",
        "4XX",
        "5XX",
        "OTHER",
        "TIMED OUT",
        "UNREACHABLE",
        "BLOCKED",
        "NO TOKEN",
        "P50",
        "P95",
    ]);
    for (name, period) in [
        ("last hour", &statistics.last_hour),
        ("last day", &statistics.last_day),
        ("last 7 days", &statistics.last_7_days),
    ] {
        let failures = &period.failures;
        let times = period.answer_time_ms;
        let ms = |ms: Option<u32>| ms.map_or_else(String::new, |ms| format!("{ms} ms"));
        table.push([
            name.into(),
            short(&period.since).into(),
            period.attempts.to_string().into(),
            share(period),
            period.succeeded.to_string().into(),
            failures.status_3xx.to_string().into(),
            failures.status_4xx.to_string().into(),
            failures.status_5xx.to_string().into(),
            failures.other_status.to_string().into(),
            failures.timed_out.to_string().into(),
            failures.unreachable.to_string().into(),
            failures.blocked.to_string().into(),
            failures.no_token.to_string().into(),
            ms(times.map(|times| times.p50)).into(),
            ms(times.map(|times| times.p95)).into(),
        ]);
    }
    let exact = format!(
        "failures are exact; 2xx is sampled, ±{} in 7 days (standard error); times ±{} %",
        statistics.last_7_days.succeeded_standard_error,
        statistics.sampling.answer_time_error_percent,
    );
    table.text(style) + &task(exact)
}

/// The share of successes. It is rounded down, so that 100 % means that no attempt has failed.
fn share(period: &PeriodStatistics) -> Cell {
    let Some(share) = period.success_share else {
        return "".into();
    };
    let tone = match period.failed {
        0 => Tone::Good,
        _ if share > 0.5 => Tone::Waiting,
        _ => Tone::Bad,
    };
    let percent = (share * 1_000.0).floor() / 10.0;
    Cell::new(format!("{percent} %"), tone)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn period(succeeded: u32, timed_out: u32, times: &Value) -> Value {
        let attempts = succeeded + timed_out;
        let share = f64::from(succeeded) / f64::from(attempts);
        json!({
            "since": "2026-01-31T08:00:00.000Z",
            "attempts": attempts,
            "succeeded": succeeded,
            "succeededStandardError": 300,
            "failed": timed_out,
            "successShare": if attempts > 0 { json!(share) } else { Value::Null },
            "failures": {
                "status3xx": 0, "status4xx": 0, "status5xx": 0, "otherStatus": 0,
                "timedOut": timed_out, "unreachable": 0, "blocked": 0,
            },
            "answerTimeMs": times,
        })
    }

    #[test]
    fn a_table_has_a_row_for_each_period_and_says_how_exact_it_is() {
        let times = json!({"p50": 152, "p95": 861});
        let statistics = serde_json::from_value(json!({
            "lastHour": period(0, 0, &Value::Null),
            "lastDay": period(0, 3, &Value::Null),
            "last7Days": period(9_999, 1, &times),
            "hours": [],
            "sampling": {"successes": 10, "failures": 1, "answerTimeErrorPercent": 19},
        }));
        let text = text(&statistics.unwrap(), Style::Plain);
        let rows: Vec<Vec<_>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let since = "2026-01-31T08:00:00Z";
        let zeros = ["0"; 9];
        assert_eq!(rows[1][..3], ["last", "hour", since]);
        assert_eq!(rows[1][3..], [&["0"][..], &zeros].concat());
        assert_eq!(rows[2][3..7], ["3", "0", "%", "0"]);
        assert_eq!(rows[3][4..8], ["10000", "99.9", "%", "9999"], "not 100 %");
        assert_eq!(rows[3][16..], ["152", "ms", "861", "ms"]);
        assert!(text.contains("±300 in 7 days"), "{text}");
    }
}
