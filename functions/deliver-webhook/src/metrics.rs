//! The metrics of a batch: one log line for any number of webhooks.

use std::time::Duration;

use webhooks_domain::deliver::{DeferReason, Recorded, Report};
use webhooks_domain::delivery::{Attempt, DeliveryStatus, DeliveryTask, DeliveryTrigger, Verdict};
use webhooks_domain::outbound::AttemptOutcome;
use webhooks_domain::queue::QueueKind;
use webhooks_domain::timestamp::Timestamp;
use webhooks_lambda::{KmsUsage, Metric, Metrics};

/// Counts a handled queue message that was sent at this time.
pub(crate) fn report(
    metrics: &Metrics,
    task: &DeliveryTask,
    sent_at: Option<Timestamp>,
    report: &Report,
) {
    match report {
        Report::Attempted {
            attempt,
            verdict,
            recorded,
            event_at,
            summary,
            ..
        } => {
            attempted(metrics, attempt, *event_at);
            if summary.trigger != DeliveryTrigger::Test {
                lag(metrics, task, sent_at, attempt);
            }
            // An attempt that is not recorded is repeated, and counted then.
            if *recorded == Recorded::Written {
                match verdict {
                    Verdict::Ended(status) => ended(metrics, *status),
                    Verdict::Retry(_) => metrics.count(Metric::Retried, 1),
                }
            }
        }
        Report::Settled(status, _) => ended(metrics, *status),
        Report::Deferred(DeferReason::CircuitBreakerOpen) => {
            metrics.count(Metric::DeferredByCircuitBreaker, 1);
        }
        Report::Deferred(DeferReason::OverLimit | DeferReason::AwaitsToken) => {
            metrics.count(Metric::DeferredByLimit, 1);
        }
        Report::Deferred(DeferReason::SlowEndpoint) => metrics.count(Metric::MovedToSlowQueue, 1),
        Report::Deferred(DeferReason::NotDue) | Report::Discarded(_) => {}
    }
}

/// Records how late an attempt began. A message that leads to no attempt is never late. The slow
/// queue is not counted, because its endpoints wait for each other by design.
fn lag(metrics: &Metrics, task: &DeliveryTask, sent_at: Option<Timestamp>, attempt: &Attempt) {
    if task.queue == QueueKind::Slow {
        return;
    }
    if let Some(due_at) = task.late_from(sent_at) {
        metrics.time(Metric::QueueLag, attempt.at.since(due_at));
    }
}

fn attempted(metrics: &Metrics, attempt: &Attempt, event_at: Option<Timestamp>) {
    let succeeded = attempt.outcome == AttemptOutcome::Succeeded;
    let took = Duration::from_millis(attempt.duration_ms.into());
    let outcome = match attempt.outcome {
        AttemptOutcome::Succeeded => Metric::AttemptsSucceeded,
        AttemptOutcome::HttpError => Metric::AttemptsHttpError,
        AttemptOutcome::TimedOut => Metric::AttemptsTimedOut,
        AttemptOutcome::Unreachable => Metric::AttemptsUnreachable,
        AttemptOutcome::Blocked => Metric::AttemptsBlocked,
        AttemptOutcome::NoToken => Metric::AttemptsNoToken,
    };
    metrics.count(outcome, 1);
    metrics.share(Metric::AttemptFailure, !succeeded);
    metrics.time(Metric::ReceiverLatency, took);
    if let Some(event_at) = event_at {
        if attempt.number == 1 {
            metrics.time(Metric::FirstAttemptLatency, attempt.at.since(event_at));
        }
        if succeeded {
            let latency = (attempt.at + took).since(event_at);
            metrics.time(Metric::DeliveryLatency, latency);
        }
    }
}

fn ended(metrics: &Metrics, status: DeliveryStatus) {
    let metric = match status {
        DeliveryStatus::Succeeded => Metric::Delivered,
        DeliveryStatus::Failed(_) => Metric::Failed,
        DeliveryStatus::Cancelled(_) => Metric::Cancelled,
        DeliveryStatus::Held(_) => Metric::Held,
        DeliveryStatus::Pending => return,
    };
    metrics.count(metric, 1);
}

/// Adds the counts of a completed batch.
pub(crate) fn batch(metrics: &Metrics, handed_back: usize, keys: &KmsUsage) {
    metrics.count(Metric::HandedBack, handed_back as u64);
    metrics.count(Metric::KmsCalls, keys.take_calls());
    metrics.count(Metric::KmsErrors, keys.take_errors());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use webhooks_domain::deliver::DeliverySummary;
    use webhooks_domain::delivery::{
        AnswerBody, Deferral, DiscardReason, FailureReason, HoldReason,
    };
    use webhooks_domain::due::{LongestQueueDelay, NextAttempt};
    use webhooks_domain::limits::{LimiterKind, Reservation};
    use webhooks_domain::outbound::{ResponseHeaders, Timings};
    use webhooks_lambda::Monitoring;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn metrics() -> Metrics {
        // As long as CloudFormation makes it for a stack with a long name.
        let name = format!("{}-DeliverWebhookFunction-AbCdEfGhIjKl", "s".repeat(28));
        Metrics::new(name, Monitoring::Full)
    }

    fn summary() -> DeliverySummary {
        DeliverySummary {
            customer_id: "acme".parse().unwrap(),
            event_type: "order.created".parse().unwrap(),
            trigger: DeliveryTrigger::Event,
        }
    }

    fn attempt(number: u32, outcome: AttemptOutcome) -> Attempt {
        Attempt {
            number,
            at: NOW,
            duration_ms: 200,
            outcome,
            status: None,
            error: None,
            addresses: Vec::new(),
            request_version: 1,
            timings: Timings::default(),
            response_headers: ResponseHeaders::default(),
            response_excerpt: None,
            answer_body: AnswerBody::default(),
        }
    }

    fn attempted(number: u32, outcome: AttemptOutcome, verdict: Verdict) -> Report {
        Report::Attempted {
            attempt: attempt(number, outcome),
            verdict,
            recorded: Recorded::Written,
            event_at: Some(NOW - Duration::from_secs(2)),
            summary: summary(),
            changes: Vec::new(),
            warning: None,
            health_failure: None,
        }
    }

    fn delivered() -> Report {
        let verdict = Verdict::Ended(DeliveryStatus::Succeeded);
        attempted(1, AttemptOutcome::Succeeded, verdict)
    }

    fn retried() -> Report {
        let due_at = NOW + Duration::from_secs(5);
        let next = NextAttempt::plan(due_at, NOW, LongestQueueDelay::MAX);
        attempted(2, AttemptOutcome::TimedOut, Verdict::Retry(next))
    }

    fn task() -> DeliveryTask {
        DeliveryTask::first(format!("dlv_{:032x}_{:032x}", 1, 2).parse().unwrap())
    }

    fn line_of(reports: &[Report]) -> Value {
        let metrics = metrics();
        for one in reports {
            report(&metrics, &task(), None, one);
        }
        serde_json::from_str(&metrics.take(NOW).unwrap()).unwrap()
    }

    #[test]
    fn a_success_at_once_is_counted_and_timed_from_its_event() {
        let line = line_of(&[delivered(), delivered()]);
        assert_eq!(line["Delivered"], 2);
        assert_eq!(line["AttemptsSucceeded"], 2);
        assert_eq!(line["AttemptFailure"], serde_json::json!([0, 0]));
        assert_eq!(line["FirstAttemptLatency"][0], 2_000);
        assert_eq!(line["DeliveryLatency"][0], 2_200);
        assert_eq!(line["ReceiverLatency"][0], 200);
        assert!(line.get("Failed").is_none() && line.get("Retried").is_none());
    }

    #[test]
    fn a_failure_is_counted_by_its_outcome_and_by_what_follows() {
        let gone = Verdict::Ended(DeliveryStatus::Failed(FailureReason::EndpointGone));
        let failed = attempted(3, AttemptOutcome::HttpError, gone);
        let line = line_of(&[retried(), failed, delivered()]);
        assert_eq!(line["Retried"], 1);
        assert_eq!(line["AttemptsTimedOut"], 1);
        assert_eq!(line["Failed"], 1);
        assert_eq!(line["AttemptsHttpError"], 1);
        assert_eq!(line["AttemptFailure"], serde_json::json!([100, 100, 0]));
        // Only a delivery's first attempt has this metric.
        assert_eq!(line["FirstAttemptLatency"], 2_000);
    }

    #[test]
    fn an_unrecorded_attempt_counts_as_an_attempt_only() {
        let Report::Attempted {
            attempt, verdict, ..
        } = delivered()
        else {
            unreachable!()
        };
        let line = line_of(&[Report::Attempted {
            attempt,
            verdict,
            recorded: Recorded::LeftToNextTask,
            event_at: None,
            summary: summary(),
            changes: Vec::new(),
            warning: None,
            health_failure: None,
        }]);
        assert_eq!(line["AttemptsSucceeded"], 1);
        assert!(line.get("Delivered").is_none());
    }

    #[test]
    fn deliveries_that_end_without_an_attempt_are_counted() {
        let line = line_of(&[Report::Settled(
            DeliveryStatus::Held(HoldReason::NotActive),
            summary(),
        )]);
        assert_eq!(line["Held"], 1);
        let line = line_of(&[Report::Deferred(DeferReason::CircuitBreakerOpen)]);
        assert_eq!(line["DeferredByCircuitBreaker"], 1);
        let line =
            line_of(&[DeferReason::OverLimit, DeferReason::SlowEndpoint].map(Report::Deferred));
        assert_eq!(
            (&line["DeferredByLimit"], &line["MovedToSlowQueue"]),
            (&1.into(), &1.into())
        );
        let line = line_of(&[Report::Deferred(DeferReason::AwaitsToken)]);
        assert_eq!(line["DeferredByLimit"], 1);
    }

    #[test]
    fn calls_of_kms_are_counted_with_the_batch() {
        let (metrics, keys) = (metrics(), KmsUsage::default());
        assert_eq!(keys.note(Err::<(), _>("disabled")), Err("disabled"));
        assert_eq!(keys.note(Ok::<_, &str>(1)), Ok(1));
        batch(&metrics, 3, &keys);
        let line: Value = serde_json::from_str(&metrics.take(NOW).unwrap()).unwrap();
        assert_eq!(
            (&line["KmsCalls"], &line["KmsErrors"]),
            (&2.into(), &1.into())
        );
        assert_eq!(line["HandedBack"], 3);
        batch(&metrics, 0, &keys);
        assert_eq!(metrics.take(NOW), None, "they are counted once");
    }

    /// Returns the recorded delays of attempts that begin now.
    fn lags(reports: &[(DeliveryTask, Duration, Report)]) -> Value {
        let metrics = metrics();
        for (task, sent_before, one) in reports {
            report(&metrics, task, Some(NOW - *sent_before), one);
        }
        let line = metrics.take(NOW).unwrap_or("{}".to_owned());
        serde_json::from_str::<Value>(&line).unwrap()["QueueLag"].clone()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_attempt_is_late_from_the_time_that_it_was_due_at() {
        let due = |before| DeliveryTask {
            due_at: Some(NOW - seconds(before)),
            ..task()
        };
        // A first attempt, a retry that waited in the queue, an attempt that the sweep found
        // after an hour, and one whose reservation was three seconds ago.
        let limited = due(600).deferred_by(Deferral::Limiter(Reservation {
            not_before: NOW - seconds(3),
            limiter: LimiterKind::Subscription,
            version: 1,
        }));
        let lags = lags(&[
            (task(), seconds(9), delivered()),
            (due(1), seconds(301), delivered()),
            (due(3_700), seconds(20), delivered()),
            (limited, seconds(900), delivered()),
        ]);
        assert_eq!(lags, serde_json::json!([9_000, 1_000, 20_000, 3_000]));
    }

    #[test]
    fn a_planned_wait_is_not_late() {
        let (slow, deferred) = (
            task().on(QueueKind::Slow),
            task().deferred_by(Deferral::CircuitBreaker),
        );
        let lags = lags(&[
            (slow, seconds(900), delivered()),
            (deferred, seconds(900), delivered()),
        ]);
        assert_eq!(lags, Value::Null);
    }

    #[test]
    fn a_test_is_not_late_whether_the_queue_or_the_api_has_it_sent() {
        let mut test = delivered();
        let Report::Attempted {
            summary: tested, ..
        } = &mut test
        else {
            unreachable!()
        };
        tested.trigger = DeliveryTrigger::Test;
        // The queue delivers the task again after a minute, and nothing is left to do.
        let dropped = Report::Discarded(DiscardReason::NotPending);
        let settled = Report::Settled(DeliveryStatus::Held(HoldReason::NotActive), summary());
        let lags = lags(&[
            (task(), seconds(60), dropped),
            (task(), seconds(60), test),
            (task(), seconds(60), settled),
        ]);
        assert_eq!(lags, Value::Null);
    }

    /// CloudWatch bills the logged bytes, with 26 bytes more for each line. At $0.50 per
    /// gigabyte, these are $0.05 and $0.35 for a million deliveries.
    #[test]
    fn a_delivery_in_a_full_batch_logs_100_bytes_and_one_alone_700() {
        let bytes = |deliveries: usize| {
            let metrics = metrics();
            for _ in 0..deliveries {
                let sent_at = Some(NOW - Duration::from_mins(2));
                report(&metrics, &task(), sent_at, &delivered());
            }
            (metrics.take(NOW).unwrap().len() + 26).div_ceil(deliveries)
        };
        assert!(bytes(10) <= 100, "{} bytes", bytes(10));
        assert!(bytes(1) <= 700, "{} bytes", bytes(1));
    }
}
