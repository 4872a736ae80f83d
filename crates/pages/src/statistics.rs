//! Numbers of attempts.

use std::fmt::Write;

use maud::{Markup, html};
use webhooks_api_types::{HourStatistics, OutcomeCounts, PeriodStatistics, Statistics};

use crate::parts::{Facts, count, grouped, table};
use crate::time::millis;

/// The size of the chart of hours.
const BAR_WIDTH: u64 = 8;
const CHART_HEIGHT: u64 = 32;

/// The last day in one line, with a bar for each hour.
pub(crate) fn brief(statistics: &Statistics) -> Markup {
    let day = &statistics.last_day;
    html! {
        div .numbers {
            @if day.attempts == 0 {
                p .muted { "No attempt in the last 24 hours." }
            } @else {
                (hours(&statistics.hours))
                p {
                    (share(day)) " of " (count(day.attempts, "attempt"))
                    " succeeded in the last 24 hours"
                    @if let Some(times) = day.answer_time_ms {
                        ". Half of the answers took " (millis(times.p50.into()))
                        " or less, 95 % " (millis(times.p95.into())) " or less"
                    }
                    "."
                }
            }
        }
    }
}

/// All numbers of an endpoint.
pub(crate) fn full(statistics: &Statistics) -> Markup {
    let periods = [
        ("Last hour", &statistics.last_hour),
        ("Last 24 hours", &statistics.last_day),
        ("Last 7 days", &statistics.last_7_days),
    ];
    let rows = html! {
        table {
            caption { "Attempts by period" }
            thead {
                tr {
                    th scope="col" { "Period" }
                    th scope="col" .number { "Attempts" }
                    th scope="col" .number { "Succeeded" }
                    th scope="col" .number { "Failed" }
                    th scope="col" .number { "Half within" }
                    th scope="col" .number { "95 % within" }
                }
            }
            tbody {
                @for (name, period) in periods {
                    tr {
                        th scope="row" { (name) }
                        td .number { (grouped(period.attempts)) }
                        td .number { (share(period)) }
                        td .number { (grouped(period.failed)) }
                        @match period.answer_time_ms {
                            Some(times) => {
                                td .number { (millis(times.p50.into())) }
                                td .number { (millis(times.p95.into())) }
                            }
                            None => { td .number { "–" } td .number { "–" } }
                        }
                    }
                }
            }
        }
    };
    html! {
        (hours(&statistics.hours))
        (table("Attempts by period", &rows))
        (failures(&statistics.last_7_days.failures))
    }
}

fn failures(counts: &OutcomeCounts) -> Markup {
    let rows = [
        ("Answered 3xx", counts.status_3xx),
        ("Answered 4xx", counts.status_4xx),
        ("Answered 5xx", counts.status_5xx),
        ("Answered otherwise", counts.other_status),
        ("Timed out", counts.timed_out),
        ("Not reached", counts.unreachable),
        ("Blocked", counts.blocked),
        ("No access token", counts.no_token),
    ];
    let rows: Vec<_> = rows.into_iter().filter(|(_, number)| *number > 0).collect();
    if rows.is_empty() {
        return html! {};
    }
    let mut facts = Facts::default();
    for (name, number) in rows {
        facts.add(name, html! { (grouped(number)) });
    }
    html! {
        h3 { "Failures of the last 7 days" }
        (facts.markup())
    }
}

/// The share of successes in percent. It is 100 % only if nothing has failed.
fn share(period: &PeriodStatistics) -> String {
    let Some(share) = period.success_share else {
        return "–".to_owned();
    };
    let tenths = (share.clamp(0.0, 1.0) * 1_000.0).floor() / 10.0;
    format!("{tenths} %")
}

/// A bar for each hour: successes, and failures above them.
fn hours(hours: &[HourStatistics]) -> Markup {
    let most = hours.iter().map(|hour| hour.attempts).max().unwrap_or(0);
    if most == 0 {
        return html! {};
    }
    let width = BAR_WIDTH * u64::try_from(hours.len()).unwrap_or_default();
    let failed: u64 = hours.iter().map(failures_of).sum();
    let failing = hours.iter().filter(|hour| failures_of(hour) > 0).count();
    let text = if failed == 0 {
        "Attempts by hour, none failed".to_owned()
    } else {
        format!(
            "Attempts by hour, {} failed in {failing} of {} hours",
            grouped(failed),
            hours.len()
        )
    };
    // Something that happened is at least one unit high.
    let height = |number: u64| match number {
        0 => 0,
        number => (number.saturating_mul(CHART_HEIGHT) / most).max(1),
    };
    let (mut base, mut good, mut bad) = (String::new(), String::new(), String::new());
    for (index, hour) in (0_u64..).zip(hours) {
        let x = index * BAR_WIDTH;
        let failed = height(failures_of(hour));
        let succeeded = height(hour.succeeded).min(CHART_HEIGHT.saturating_sub(failed));
        bar(&mut base, x, CHART_HEIGHT - 1, 1);
        bar(&mut good, x, CHART_HEIGHT - succeeded, succeeded);
        bar(&mut bad, x, CHART_HEIGHT - succeeded - failed, failed);
    }
    html! {
        svg .hours role="img" aria-label=(text) viewBox={ "0 0 " (width) " " (CHART_HEIGHT) } {
            path .base d=(base) {}
            path .good d=(good) {}
            path .bad d=(bad) {}
        }
    }
}

/// Adds a bar to the commands of a path.
fn bar(path: &mut String, x: u64, y: u64, height: u64) {
    if height > 0 {
        let width = BAR_WIDTH - 2;
        write!(path, "M{x} {y}h{width}v{height}h-{width}z").expect("a string takes every text");
    }
}

fn failures_of(hour: &HourStatistics) -> u64 {
    hour.attempts.saturating_sub(hour.succeeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(attempts: u64, succeeded: u64) -> HourStatistics {
        HourStatistics {
            start: String::new(),
            attempts,
            succeeded,
        }
    }

    #[test]
    fn a_failure_is_never_too_small_to_see() {
        let svg = hours(&[hour(1_000_000, 999_999), hour(0, 0), hour(10, 20)]).into_string();
        assert!(svg.contains("aria-label=\"Attempts by hour, 1 failed in 1 of 3 hours\""));
        let bad = "class=\"bad\" d=\"M0 0h6v1h-6z\"";
        assert!(svg.contains(bad), "{svg}");
        assert_eq!(hours(&[hour(0, 0)]).into_string(), "");
    }

    #[test]
    fn everything_succeeded_only_if_nothing_failed() {
        let period = |share: Option<f64>| -> PeriodStatistics {
            serde_json::from_value(serde_json::json!({
                "since": "", "attempts": 1, "succeeded": 1, "succeededStandardError": 0, "failed": 0,
                "successShare": share, "failures": {
                    "status3xx": 0, "status4xx": 0, "status5xx": 0, "otherStatus": 0, "timedOut": 0,
                    "unreachable": 0, "blocked": 0,
                },
            }))
            .unwrap()
        };
        for (number, text) in [
            (1.0, "100 %"),
            (0.99999, "99.9 %"),
            (0.5, "50 %"),
            (2.0, "100 %"),
        ] {
            assert_eq!(share(&period(Some(number))), text);
        }
        assert_eq!(share(&period(None)), "–");
    }
}
