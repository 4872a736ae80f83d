//! `RecoverDeliveries`: runs one page of a recovery.

use std::time::Duration;

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::{error, info};
use webhooks_domain::errors;
use webhooks_domain::ids::{CustomerId, RecoveryId, SubscriptionId};
use webhooks_domain::ports::StoreError;
use webhooks_domain::recover::{RecoverDeliveries, RecoverError, Report};
use webhooks_domain::recovery::RecoveryKey;
use webhooks_domain::resend::Resend;
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{
    FunctionError, RecoverDeliveriesConfig, SystemClock, aws_config, end_of_invocation, start,
    with_sources,
};
use webhooks_sqs::SqsQueue;

/// The longest time for the last part that is started.
const TIME_FOR_A_PART: Duration = Duration::from_secs(15);

/// The input from the workflow: the ids of its recovery. The definition builds the key of the
/// recovery's item from these ids, so an input with any other field is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(rename = "customerId")]
    customer: CustomerId,
    #[serde(rename = "subscriptionId")]
    subscription: SubscriptionId,
    #[serde(rename = "recoveryId")]
    recovery: RecoveryId,
}

impl From<Input> for RecoveryKey {
    fn from(input: Input) -> Self {
        Self {
            customer: input.customer,
            subscription: input.subscription,
            id: input.recovery,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = start::<RecoverDeliveriesConfig>()?;
    let aws = aws_config().await;
    let recover = RecoverDeliveries {
        resend: Resend {
            table: DynamoStore::new(aws_sdk_dynamodb::Client::new(&aws), config.table_name),
            queue: SqsQueue::new(aws_sdk_sqs::Client::new(&aws), config.delivery_queue_url),
            clock: SystemClock,
        },
        links: config.message_links,
    };
    let recover = &recover;
    run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let key = serde_json::from_str::<Input>(event.payload.get())
            .map(RecoveryKey::from)
            .map_err(|error| FunctionError::new(errors::INVALID_INPUT, &error))?;
        let end = end_of_invocation(&event.context) - TIME_FOR_A_PART;
        let report = Box::pin(recover.run(&key, end)).await;
        report
            .inspect(|report| log(&key, report))
            .map(|report| report.next_step)
            .map_err(|error| FunctionError::new(error_type(&error), &error))
    }))
    .await
}

fn log(key: &RecoveryKey, report: &Report) {
    info!(
        recovery.id = %key.id,
        subscription.id = %key.subscription,
        queued = report.queued,
        more = report.next_step.more,
        "page of a recovery"
    );
    for failure in &report.unreadable {
        error!(
            recovery.id = %key.id,
            error = with_sources(failure),
            "an entry was left out"
        );
    }
}

fn error_type(error: &RecoverError) -> &'static str {
    match error {
        RecoverError::Store(StoreError::Unavailable { .. }) => errors::STORE_UNAVAILABLE,
        RecoverError::Store(StoreError::Corrupt { .. }) | RecoverError::Select { .. } => {
            errors::CORRUPT_ITEM
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_the_ids_of_a_recovery_and_nothing_else() {
        let ids = serde_json::json!({
            "customerId": "acme",
            "subscriptionId": "sub_70e79b2df96dcca5a0a362236c8d86f4",
            "recoveryId": "rec_019ab3f0c2d17c6e5d4c3b2a19080706",
        });
        let read = |input: &serde_json::Value| serde_json::from_str::<Input>(&input.to_string());
        let key = RecoveryKey::from(read(&ids).unwrap());
        assert_eq!(key.customer.as_str(), "acme");
        for (name, planted) in [
            ("markFailed", serde_json::json!({"key": {}})),
            ("customerId", serde_json::json!("acme#CUSTOMER")),
            ("customerId", serde_json::json!({"S": "acme"})),
            ("subscriptionId", serde_json::json!("SUBSCRIPTION#1")),
            ("recoveryId", serde_json::json!(null)),
        ] {
            let mut input = ids.clone();
            input[name] = planted;
            assert!(read(&input).is_err(), "{input}");
        }
    }

    #[test]
    fn every_error_has_a_name_that_the_workflow_knows() {
        let corrupt = RecoverError::Store(StoreError::Corrupt {
            key: "a".to_owned(),
            problem: "b".to_owned(),
        });
        let unavailable = RecoverError::Store(StoreError::Unavailable {
            operation: "answer",
            source: "down".into(),
        });
        assert_eq!(error_type(&corrupt), errors::CORRUPT_ITEM);
        assert_eq!(error_type(&unavailable), errors::STORE_UNAVAILABLE);
        for error in [corrupt, unavailable] {
            assert!(errors::RECOVER_DELIVERIES.contains(&error_type(&error)));
        }
    }
}
