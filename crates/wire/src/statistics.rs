//! Statistics as they are shown.

use webhooks_api_types as api;
use webhooks_domain::statistics::{
    ATTEMPTS_PER_SAMPLE, AnswerTime, OutcomeClass, Period, Statistics, Summary,
};

/// The statistics over the last hour, day and 7 days.
pub fn answer(summary: &Summary) -> api::Statistics {
    let hours = summary.hours.iter();
    let hours = hours.map(|(hour, statistics)| api::HourStatistics {
        start: hour.start().to_string(),
        attempts: statistics.attempts(),
        succeeded: statistics.succeeded(),
    });
    api::Statistics {
        last_hour: period(&summary.last_hour),
        last_day: period(&summary.last_day),
        last_7_days: period(&summary.last_7_days),
        hours: hours.collect(),
        sampling: api::Sampling {
            successes: ATTEMPTS_PER_SAMPLE,
            failures: 1,
            answer_time_error_percent: AnswerTime::ERROR_PERCENT,
        },
    }
}

fn period(period: &Period) -> api::PeriodStatistics {
    let statistics = &period.statistics;
    let (attempts, succeeded) = (statistics.attempts(), statistics.succeeded());
    api::PeriodStatistics {
        since: period.since.to_string(),
        attempts,
        succeeded,
        succeeded_standard_error: statistics.success_error(),
        failed: attempts - succeeded,
        success_share: statistics.success_share(),
        failures: failures(statistics),
        answer_time_ms: answer_times(statistics),
    }
}

fn failures(statistics: &Statistics) -> api::OutcomeCounts {
    api::OutcomeCounts {
        status_3xx: statistics.count(OutcomeClass::Status3xx),
        status_4xx: statistics.count(OutcomeClass::Status4xx),
        status_5xx: statistics.count(OutcomeClass::Status5xx),
        other_status: statistics.count(OutcomeClass::OtherStatus),
        timed_out: statistics.count(OutcomeClass::TimedOut),
        unreachable: statistics.count(OutcomeClass::Unreachable),
        blocked: statistics.count(OutcomeClass::Blocked),
        no_token: statistics.count(OutcomeClass::NoToken),
    }
}

fn answer_times(statistics: &Statistics) -> Option<api::AnswerTimes> {
    Some(api::AnswerTimes {
        p50: statistics.answer_time(50)?.estimate(),
        p95: statistics.answer_time(95)?.estimate(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};
    use webhooks_domain::statistics::Hour;
    use webhooks_domain::timestamp::Timestamp;

    use super::*;

    #[test]
    fn a_summary_is_answered_with_how_exact_it_is() {
        let now = Timestamp::parse_rfc3339("2026-01-31T09:20:00Z").unwrap();
        let outcomes = OutcomeClass::ALL
            .into_iter()
            .zip([400, 1, 2, 3, 4, 5, 6, 7, 8]);
        let times = [(150, 400), (5_000, 10)];
        let times = times.map(|(ms, count)| (AnswerTime::of(ms), count));
        let statistics = Statistics::from_counts(outcomes, times);
        let hourly = BTreeMap::from([(Hour::of(now), statistics)]);
        let answer = serde_json::to_value(answer(&Summary::new(&hourly, now))).unwrap();
        assert_eq!(
            answer["last7Days"],
            json!({
                "since": "2026-01-24T09:00:00.000Z",
                "attempts": 436,
                "succeeded": 400,
                "succeededStandardError": 60,
                "failed": 36,
                "successShare": 400.0 / 436.0,
                "failures": {
                    "status3xx": 1, "status4xx": 2, "status5xx": 3, "otherStatus": 4,
                    "timedOut": 5, "unreachable": 6, "blocked": 7, "noToken": 8,
                },
                "answerTimeMs": {"p50": 152, "p95": 152},
            })
        );
        let last = json!({"start": "2026-01-31T09:00:00.000Z", "attempts": 436, "succeeded": 400});
        assert_eq!(answer["hours"][24], last);
        let sampling = json!({"successes": 10, "failures": 1, "answerTimeErrorPercent": 19});
        assert_eq!(answer["sampling"], sampling);
    }

    #[test]
    fn nothing_is_divided_by_zero_attempts() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let answer = answer(&Summary::new(&BTreeMap::new(), now));
        let answer: Value = serde_json::to_value(answer).unwrap();
        let hour = answer["lastHour"].as_object().unwrap();
        assert_eq!(hour["attempts"], 0);
        assert!(!hour.contains_key("successShare") && !hour.contains_key("answerTimeMs"));
    }
}
