//! `/customers/{customerId}/statistics` and the same of a subscription

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use webhooks_api_types as api;
use webhooks_domain::show_statistics::{ShowStatistics, StatisticsError};
use webhooks_domain::statistics::{
    ATTEMPTS_PER_SAMPLE, AnswerTime, OutcomeClass, Period, Statistics, Summary,
};
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::SystemClock;

use crate::Api;
use crate::extract::{NoQuery, Path};
use crate::path::{OfCustomer, OfSubscription};
use crate::problem::Problem;
use crate::subscriptions::must_exist;

impl From<StatisticsError> for Problem {
    fn from(error: StatisticsError) -> Self {
        match error {
            StatisticsError::TooManySubscriptions { .. } => Self::conflict(
                "too-many-subscriptions",
                "Too many subscriptions",
                error.to_string(),
            ),
            StatisticsError::Store(error) => error.into(),
        }
    }
}

impl Api {
    /// Refuses the request if attempts are not counted.
    fn statistics(&self) -> Result<&ShowStatistics<DynamoStore, SystemClock>, Problem> {
        self.statistics.as_ref().ok_or_else(|| {
            let detail = "attempts are not counted: the stack has the parameter \
                          `Statistics=Disabled`";
            Problem::conflict(
                "statistics-disabled",
                "Statistics disabled",
                detail.to_owned(),
            )
        })
    }
}

/// Read the statistics of a subscription
///
/// The numbers of attempts over the last hour, day and 7 days, by outcome, with the times of the
/// answers.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/statistics",
    operation_id = "showStatistics",
    tag = "subscriptions",
    params(OfCustomer, OfSubscription),
    responses((status = 200, description = "The statistics.", body = api::Statistics)),
)]
pub(crate) async fn of_subscription(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    _: NoQuery,
) -> Result<Json<api::Statistics>, Problem> {
    let statistics = api.statistics()?;
    must_exist(&api, &customer_id, &subscription_id).await?;
    let summary = statistics.of_subscription(&subscription_id).await?;
    Ok(Json(answer(&summary)))
}

/// Read the statistics of a customer
///
/// The sum of the statistics of its subscriptions. A customer with more than 100 of them gets 409.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/statistics",
    operation_id = "showStatisticsOfCustomer",
    tag = "customers",
    params(OfCustomer),
    responses((status = 200, description = "The statistics.", body = api::Statistics)),
)]
pub(crate) async fn of_customer(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    _: NoQuery,
) -> Result<Json<api::Statistics>, Problem> {
    let summary = api.statistics()?.of_customer(&customer_id).await?;
    Ok(Json(answer(&summary)))
}

fn answer(summary: &Summary) -> api::Statistics {
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

    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use serde_json::{Value, json};
    use tower::ServiceExt;
    use webhooks_domain::statistics::Hour;
    use webhooks_domain::timestamp::Timestamp;

    use super::*;
    use crate::operations::router;

    #[tokio::test]
    async fn a_stack_that_counts_nothing_has_no_statistics() {
        let mut api = Api::unconnected().await;
        api.statistics = None;
        let router = router(Arc::new(api));
        let subscription = format!("sub_{:032x}", 1);
        for path in [String::new(), format!("/subscriptions/{subscription}")] {
            let request = Request::get(format!("/customers/acme{path}/statistics"));
            let request = request.body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), StatusCode::CONFLICT, "{path}");
        }
    }

    #[test]
    fn a_summary_is_answered_with_how_exact_it_is() {
        let now = Timestamp::parse_rfc3339("2026-01-31T09:20:00Z").unwrap();
        let outcomes = OutcomeClass::ALL
            .into_iter()
            .zip([400, 1, 2, 3, 4, 5, 6, 7]);
        let times = [(150, 400), (5_000, 10)];
        let times = times.map(|(ms, count)| (AnswerTime::of(ms), count));
        let statistics = Statistics::from_counts(outcomes, times);
        let hourly = BTreeMap::from([(Hour::of(now), statistics)]);
        let answer = serde_json::to_value(answer(&Summary::new(&hourly, now))).unwrap();
        assert_eq!(
            answer["last7Days"],
            json!({
                "since": "2026-01-24T09:00:00.000Z",
                "attempts": 428,
                "succeeded": 400,
                "succeededStandardError": 60,
                "failed": 28,
                "successShare": 400.0 / 428.0,
                "failures": {
                    "status3xx": 1, "status4xx": 2, "status5xx": 3, "otherStatus": 4,
                    "timedOut": 5, "unreachable": 6, "blocked": 7,
                },
                "answerTimeMs": {"p50": 152, "p95": 152},
            })
        );
        let last = json!({"start": "2026-01-31T09:00:00.000Z", "attempts": 428, "succeeded": 400});
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
