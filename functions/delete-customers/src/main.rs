//! `DeleteCustomers`: every 15 minutes, deletes the data of customers whose deletion was requested.

use std::time::Duration;

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde::de::IgnoredAny;
use tracing::{error, info};
use webhooks_domain::delete_customers::{DeleteCustomers, DeletionReport};
use webhooks_domain::errors;
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{
    DeleteCustomersConfig, FunctionError, SystemClock, aws_config, end_of_invocation, start,
    with_sources,
};

/// The longest time for the last part that is started.
const TIME_FOR_A_PART: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = start::<DeleteCustomersConfig>()?;
    let aws = aws_config().await;
    let deletions = &DeleteCustomers {
        table: DynamoStore::new(aws_sdk_dynamodb::Client::new(&aws), config.table_name),
        clock: SystemClock,
        settle: config.settle,
    };
    run(service_fn(async |event: LambdaEvent<IgnoredAny>| {
        let end = end_of_invocation(&event.context) - TIME_FOR_A_PART;
        answer(&deletions.run(end).await)
    }))
    .await
}

/// Logs the result of a run. A run that did nothing logs nothing.
fn answer(report: &DeletionReport) -> Result<(), FunctionError> {
    if report.deleted > 0 || report.forgotten > 0 {
        info!(
            deleted = report.deleted,
            forgotten = report.forgotten,
            unfinished = report.unfinished,
            "data of customers deleted"
        );
    }
    for failure in &report.failures {
        error!(
            error = with_sources(failure),
            "the data of a customer was not deleted; the next run tries again"
        );
    }
    match report.failures.first() {
        None => Ok(()),
        Some(failure) => Err(FunctionError::new(errors::DELETION_FAILED, failure)),
    }
}
