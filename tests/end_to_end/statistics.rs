//! Statistics of a subscription and a customer: known attempts are counted.

use anyhow::{Context, Result, ensure};
use http::StatusCode;
use serde_json::json;
use tokio::time::{Instant, sleep};
use webhooks_cli::Outcome;
use webhooks_client::{AttemptOutcome, Delivery, PeriodStatistics};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::statistics::{ATTEMPTS_PER_SAMPLE, is_sampled};
use webhooks_receiver::Answer;

use crate::command_line::webhooks_text;
use crate::fixture::{ALL_ATTEMPTS, Fixture, POLL_INTERVAL};

const EVENTS: usize = 20;

/// The numbers that the statistics must have: successes, answers 5xx and 4xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    succeeded: u64,
    status_5xx: u64,
    status_4xx: u64,
}

impl Counts {
    /// Counts the attempts of deliveries, the successes among them if they are in the sample.
    fn expected(deliveries: &[Delivery]) -> Result<Self> {
        let mut counts = Self {
            succeeded: 0,
            status_5xx: 0,
            status_4xx: 0,
        };
        for delivery in deliveries {
            let id: DeliveryId = delivery.id.parse()?;
            for attempt in &delivery.attempts {
                match (attempt.outcome, attempt.status) {
                    (AttemptOutcome::Succeeded, _) => {
                        let is_counted = is_sampled(&id, attempt.number);
                        counts.succeeded += u64::from(is_counted) * ATTEMPTS_PER_SAMPLE;
                    }
                    (_, Some(503)) => counts.status_5xx += 1,
                    (_, Some(404)) => counts.status_4xx += 1,
                    other => anyhow::bail!("unexpected: {other:?}"),
                }
            }
        }
        Ok(counts)
    }

    fn shown(period: &PeriodStatistics) -> Self {
        let failures = period.failures;
        let counts = Self {
            succeeded: period.succeeded,
            status_5xx: failures.status_5xx,
            status_4xx: failures.status_4xx,
        };
        let failed = counts.status_5xx + counts.status_4xx;
        assert_eq!(period.failed, failed, "{period:?}");
        assert_eq!(period.attempts, period.succeeded + failed, "{period:?}");
        counts
    }

    fn with(self, other: Self) -> Self {
        Self {
            succeeded: self.succeeded + other.succeeded,
            status_5xx: self.status_5xx + other.status_5xx,
            status_4xx: self.status_4xx + other.status_4xx,
        }
    }
}

/// Waits until the statistics have these numbers. They are written after the attempts.
async fn counted(test: &Fixture, subscription: Option<&str>, expected: Counts) -> Result<()> {
    let deadline = Instant::now() + ALL_ATTEMPTS;
    loop {
        let statistics = test.api.statistics(&test.customer, subscription).await?;
        let shown = Counts::shown(&statistics.last_7_days);
        if shown == expected {
            let in_hours = statistics.hours.iter().map(|hour| hour.attempts);
            assert_eq!(in_hours.sum::<u64>(), statistics.last_day.attempts);
            assert_eq!(statistics.last_hour.attempts, statistics.last_day.attempts);
            return Ok(());
        }
        let over = shown.succeeded > expected.succeeded
            || shown.status_5xx > expected.status_5xx
            || shown.status_4xx > expected.status_4xx;
        ensure!(
            !over && Instant::now() < deadline,
            "{shown:?}, not {expected:?}"
        );
        sleep(POLL_INTERVAL).await;
    }
}

#[tokio::test]
async fn each_failure_is_counted_and_a_known_sample_of_the_successes() -> Result<()> {
    let test = Fixture::new("statistics").await?;
    let unavailable = Answer::status(StatusCode::SERVICE_UNAVAILABLE);
    let missing = Answer::status(StatusCode::NOT_FOUND);
    test.receiver.script(
        "/fails",
        [unavailable.clone(), unavailable, missing, Answer::ok()],
    );
    let well = test.subscribe("/well").await?.subscription;
    let schedule = json!({"retryPolicy": {"schedule": [0, 1, 1, 1]}});
    let fails = test.subscribe_with("/fails", schedule).await?.subscription;
    let none = Counts::expected(&[])?;
    counted(&test, None, none).await?;
    for number in 0..EVENTS {
        test.put("order.created", json!({"n": number})).await?;
    }
    let requests = test.requests("/well", EVENTS).await?;
    let (mut of_well, mut of_fails) = (Vec::new(), Vec::new());
    for request in requests {
        for delivery in test.settled(request.webhook_id()).await?.deliveries {
            if delivery.subscription_id == well.id {
                of_well.push(delivery);
            } else {
                of_fails.push(delivery);
            }
        }
    }
    assert_eq!((of_well.len(), of_fails.len()), (EVENTS, EVENTS));
    let [expected_well, expected_fails] =
        [Counts::expected(&of_well)?, Counts::expected(&of_fails)?];
    assert_eq!(
        (expected_fails.status_5xx, expected_fails.status_4xx),
        (2, 1)
    );
    counted(&test, Some(&well.id), expected_well).await?;
    counted(&test, Some(&fails.id), expected_fails).await?;
    counted(&test, None, expected_well.with(expected_fails)).await?;

    let customer = test.customer.as_str();
    let (outcome, table) = webhooks_text(&["statistics", customer, &fails.id]).await?;
    assert_eq!(outcome, Outcome::Complete);
    let row = table.lines().find(|line| line.contains("last hour"));
    let row: Vec<_> = row.context("no row")?.split_whitespace().collect();
    let attempts = (3 + expected_fails.succeeded).to_string();
    assert_eq!(row[3], attempts, "{table}");

    // A test is not counted.
    test.api
        .test_subscription(customer, &fails.id, None)
        .await?;
    counted(&test, Some(&fails.id), expected_fails).await?;
    Ok(())
}

#[tokio::test]
async fn the_statistics_of_another_customer_are_not_shown() -> Result<()> {
    let test = Fixture::new("statistics-mine").await?;
    let mine = test.subscribe("/a").await?.subscription;
    let other = test.another("statistics-theirs").await?;
    let asked = other.api.statistics(&other.customer, Some(&mine.id));
    assert_eq!(asked.answer().await?.status, StatusCode::NOT_FOUND);
    let own = test.api.statistics(&test.customer, Some(&mine.id)).await?;
    assert_eq!(own.last_7_days.attempts, 0);
    assert_eq!(own.last_7_days.success_share, None);
    assert_eq!(own.sampling.successes, ATTEMPTS_PER_SAMPLE);
    Ok(())
}
