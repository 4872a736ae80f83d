//! Counts the attempts of a batch for the statistics.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tracing::warn;
use webhooks_domain::count_attempts::CountedAttempts;
use webhooks_domain::deliver::Report;
use webhooks_domain::delivery::DeliveryTask;
use webhooks_domain::ports::StatisticsTable;
use webhooks_lambda::{Metric, Metrics, with_sources};

/// The longest time that a batch waits for its statistics. A table that throttles them must not
/// hold up deliveries.
const LONGEST_WRITE: Duration = Duration::from_secs(1);

/// Collects the attempts of a batch.
pub(crate) struct Counter<T> {
    table: T,
    counted: Mutex<CountedAttempts>,
}

impl<T: StatisticsTable> Counter<T> {
    pub(crate) fn new(table: T) -> Self {
        Self {
            table,
            counted: Mutex::default(),
        }
    }

    /// Adds the attempt of a queue message.
    pub(crate) fn report(&self, task: &DeliveryTask, report: &Report) {
        self.counted().add(&task.delivery, report);
    }

    /// Writes the batch's statistics within the time limit. If they are lost, the deliveries are
    /// still in the table.
    pub(crate) async fn write(&self, metrics: &Metrics, time_left: Duration) {
        let counted = std::mem::take(&mut *self.counted());
        let written = timeout(time_left.min(LONGEST_WRITE), counted.write(&self.table));
        let (problem, attempts) = match written.await {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => (with_sources(&failure), failure.attempts),
            Err(_) => ("no time was left".to_owned(), counted.attempts()),
        };
        warn!(error = problem, attempts, "attempts were not counted");
        metrics.count(Metric::AttemptsNotCounted, attempts);
    }

    fn counted(&self) -> MutexGuard<'_, CountedAttempts> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::future::pending;

    use serde_json::Value;
    use webhooks_domain::deliver::{DeliverySummary, Recorded};
    use webhooks_domain::delivery::{
        AnswerBody, Attempt, DeliveryStatus, DeliveryTrigger, FailureReason, Verdict,
    };
    use webhooks_domain::ids::SubscriptionId;
    use webhooks_domain::outbound::{AttemptOutcome, ResponseHeaders, Timings};
    use webhooks_domain::ports::StoreError;
    use webhooks_domain::statistics::{Hour, Statistics};
    use webhooks_domain::timestamp::Timestamp;
    use webhooks_lambda::Monitoring;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    /// A table that does not write.
    enum Failing {
        Refuses,
        NeverAnswers,
    }

    impl StatisticsTable for Failing {
        async fn add_statistics(
            &self,
            _: &SubscriptionId,
            _: Hour,
            _: &Statistics,
        ) -> Result<(), StoreError> {
            if matches!(self, Self::NeverAnswers) {
                pending::<()>().await;
            }
            Err(StoreError::Unavailable {
                operation: "add to statistics",
                source: "throttled".into(),
            })
        }

        async fn statistics(
            &self,
            _: &SubscriptionId,
            _: Hour,
            _: Hour,
        ) -> Result<BTreeMap<Hour, Statistics>, StoreError> {
            unreachable!("a batch reads no statistics")
        }
    }

    fn failed() -> Report {
        let status = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);
        Report::Attempted {
            attempt: Attempt {
                number: 1,
                at: NOW,
                duration_ms: 12,
                outcome: AttemptOutcome::TimedOut,
                status: None,
                error: None,
                addresses: Vec::new(),
                request_version: 1,
                timings: Timings::default(),
                response_headers: ResponseHeaders::default(),
                response_excerpt: None,
                answer_body: AnswerBody::default(),
            },
            verdict: Verdict::Ended(status),
            recorded: Recorded::Written,
            event_at: None,
            summary: DeliverySummary {
                customer_id: "acme".parse().unwrap(),
                event_type: "order.created".parse().unwrap(),
                trigger: DeliveryTrigger::Event,
            },
            changes: Vec::new(),
            warning: None,
            health_failure: None,
        }
    }

    #[tokio::test]
    async fn statistics_that_cannot_be_written_are_counted_and_nothing_else_fails() {
        for table in [Failing::Refuses, Failing::NeverAnswers] {
            let counter = Counter::new(table);
            let task = |number: u32| {
                let id = format!("dlv_{number:032x}_{:032x}", number % 2);
                DeliveryTask::first(id.parse().unwrap())
            };
            for number in 0..3 {
                counter.report(&task(number), &failed());
            }
            let metrics = Metrics::new("deliver", Monitoring::Full);
            counter.write(&metrics, Duration::ZERO).await;
            let line: Value = serde_json::from_str(&metrics.take(NOW).unwrap()).unwrap();
            assert_eq!(line["AttemptsNotCounted"], 3);
            // The next batch begins without them.
            counter.write(&metrics, Duration::ZERO).await;
            assert_eq!(metrics.take(NOW), None);
        }
    }
}
