//! `RequeueDueDeliveries`: every minute, queues the deliveries whose long wait has ended, and probes
//! the endpoints whose deliveries are held.

use std::time::Duration;

use futures_util::join;
use lambda_runtime::{LambdaEvent, run, service_fn};
use ring::rand::SystemRandom;
use serde::de::IgnoredAny;
use tracing::{error, info, warn};
use webhooks_domain::errors;
use webhooks_domain::recover::Recoveries;
use webhooks_domain::resend::Resend;
use webhooks_domain::sweep::{Sweep, SweepReport};
use webhooks_domain::unavailable::{UnavailableEndpoints, UnavailableReport};
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{
    FunctionError, Metric, Metrics, RequeueDueDeliveriesConfig, SfnWorkflow, SystemClock,
    aws_config, end_of_invocation, start, with_sources,
};
use webhooks_sqs::SqsQueue;

/// The longest time for the last batch that is started.
const TIME_FOR_A_BATCH: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = start::<RequeueDueDeliveriesConfig>()?;
    let metrics = &Metrics::new(config.function_name, config.monitoring);
    let aws = aws_config().await;
    let table = DynamoStore::new(aws_sdk_dynamodb::Client::new(&aws), config.table_name);
    let queue = SqsQueue::new(aws_sdk_sqs::Client::new(&aws), config.delivery_queue_url);
    let unavailable = &UnavailableEndpoints {
        recoveries: Recoveries {
            table: table.clone(),
            workflow: SfnWorkflow::new(&aws, config.recovery_state_machine_arn),
            clock: SystemClock,
            random: SystemRandom::new(),
            retention: config.retention,
        },
        resend: Resend {
            table: table.clone(),
            queue: queue.clone(),
            clock: SystemClock,
        },
    };
    let sweep = &Sweep {
        table,
        queue,
        clock: SystemClock,
    };
    run(service_fn(async |event: LambdaEvent<IgnoredAny>| {
        let end = end_of_invocation(&event.context) - TIME_FOR_A_BATCH;
        let (report, checked) = join!(sweep.run(end), unavailable.run(end));
        count(metrics, &report, &checked);
        metrics.write();
        log(&checked);
        answer(&report, &checked)
    }))
    .await
}

fn count(metrics: &Metrics, report: &SweepReport, checked: &UnavailableReport) {
    let is_whole = report.failures.is_empty() && checked.failures.is_empty();
    metrics.count(Metric::Sweeps, u64::from(is_whole));
    metrics.count(Metric::SweepQueued, report.queued);
    metrics.count(Metric::SweepOverdue, report.overdue);
    if let Some(lag) = report.lag {
        metrics.time(Metric::SweepLag, lag);
    }
}

/// Logs the result of the check of unavailable endpoints. A check that did nothing logs nothing.
fn log(checked: &UnavailableReport) {
    if checked.probes > 0 {
        info!(
            probes = checked.probes,
            "held deliveries released as probes"
        );
    }
    for recovery in &checked.started {
        info!(
            recovery.id = %recovery.id,
            recovery.kind = recovery.kind.as_str(),
            subscription.id = %recovery.subscription_id,
            "recovery of held deliveries"
        );
    }
    if checked.unfinished {
        warn!("more endpoints are unavailable than one sweep can check; the next one goes on");
    }
    for unreadable in &checked.unreadable {
        error!(
            error = with_sources(unreadable),
            "the deliveries of a subscription stay held"
        );
    }
    for failure in &checked.failures {
        error!(
            error = with_sources(failure),
            "an unavailable endpoint was not checked"
        );
    }
}

/// Logs the result of a sweep. A sweep that did nothing logs nothing.
fn answer(report: &SweepReport, checked: &UnavailableReport) -> Result<(), FunctionError> {
    if report.queued > 0 {
        info!(
            queued = report.queued,
            overdue = report.overdue,
            "due deliveries queued"
        );
    }
    if report.unfinished {
        warn!("more deliveries are due than one sweep can queue; the next one goes on");
    }
    for failure in &report.failures {
        error!(
            error = with_sources(failure),
            "a part of the due index was not swept"
        );
    }
    if let Some(failure) = report.failures.first() {
        return Err(FunctionError::new(errors::SWEEP_FAILED, failure));
    }
    match checked.failures.first() {
        None => Ok(()),
        Some(failure) => Err(FunctionError::new(errors::SWEEP_FAILED, failure)),
    }
}

#[cfg(test)]
mod tests {
    use webhooks_domain::ports::StoreError;
    use webhooks_domain::sweep::SweepError;
    use webhooks_domain::timestamp::Timestamp;
    use webhooks_lambda::Monitoring;

    use super::*;

    fn line(report: &SweepReport) -> Option<String> {
        let metrics = Metrics::new("sweep", Monitoring::Full);
        count(&metrics, report, &UnavailableReport::default());
        metrics.take(Timestamp::from_millis(0))
    }

    #[test]
    fn a_sweep_that_finds_nothing_still_says_that_it_ran() {
        let line = line(&SweepReport::default()).unwrap();
        assert!(line.contains("\"Sweeps\":1"), "{line}");
        assert!(!line.contains("SweepLag"), "{line}");
    }

    #[test]
    fn a_sweep_that_failed_does_not_count_as_one() {
        let failed = SweepError::Store(StoreError::Corrupt {
            key: "a".to_owned(),
            problem: "b".to_owned(),
        });
        let line = line(&SweepReport {
            queued: 3,
            lag: Some(Duration::from_secs(70)),
            failures: vec![failed],
            ..SweepReport::default()
        })
        .unwrap();
        assert!(!line.contains("\"Sweeps\""), "{line}");
        assert!(line.contains("\"SweepQueued\":3"), "{line}");
        assert!(line.contains("\"SweepLag\":70000"), "{line}");
    }
}
