//! `RequeueDueDeliveries`: every minute, queues the deliveries whose long wait is over.

use std::time::Duration;

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde::de::IgnoredAny;
use tracing::{error, info, warn};
use webhooks_domain::errors;
use webhooks_domain::sweep::{Sweep, SweepReport};
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{
    Environment, FunctionError, SystemClock, aws_config, end_of_invocation, init_logging,
    with_sources,
};
use webhooks_sqs::SqsQueue;

/// What the last batch that was begun may take.
const TIME_FOR_A_BATCH: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let environment = Environment::read();
    init_logging(&environment)?;
    let aws = aws_config().await;
    let sweep = Sweep {
        table: DynamoStore::new(
            aws_sdk_dynamodb::Client::new(&aws),
            environment.text("TABLE_NAME")?,
        ),
        queue: SqsQueue::new(
            aws_sdk_sqs::Client::new(&aws),
            environment.text("DELIVERY_QUEUE_URL")?,
        ),
        clock: SystemClock,
    };
    let sweep = &sweep;
    run(service_fn(async |event: LambdaEvent<IgnoredAny>| {
        let end = end_of_invocation(&event.context) - TIME_FOR_A_BATCH;
        answer(&sweep.run(end).await)
    }))
    .await
}

/// Logs what was done, and nothing when nothing was.
fn answer(report: &SweepReport) -> Result<(), FunctionError> {
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
    match report.failures.first() {
        None => Ok(()),
        Some(failure) => Err(FunctionError::new(errors::SWEEP_FAILED, failure)),
    }
}
