//! `LookUpSubscriptions`: validates an event and pages through the customer's
//! subscriptions that want it.

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::value::RawValue;
use webhooks_domain::event::EventReader;
use webhooks_domain::look_up::{LookUp, Page};
use webhooks_domain::subscription::SubscriptionStatus;
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{Environment, FunctionError, Metric, Metrics, aws_config, init_logging};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let environment = Environment::read();
    init_logging(&environment)?;
    let metrics = &Metrics::of_this_function(&environment)?;
    let client = aws_sdk_dynamodb::Client::new(&aws_config().await);
    let look_up = LookUp {
        directory: DynamoStore::new(client, environment.text("TABLE_NAME")?),
        reader: EventReader {
            operator: environment.parse_unless_empty("OPERATOR_CUSTOMER_ID")?,
            customer_id: environment.parse("CUSTOMER_ID_POINTER")?,
            idempotency_key: environment.parse("IDEMPOTENCY_KEY_POINTER")?,
            deadline: environment.parse("DEADLINE_POINTER")?,
        },
    };
    let look_up = &look_up;
    run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let page = look_up
            .run(event.payload.get())
            .await
            .inspect(|page| count(metrics, page))
            .map_err(|error| FunctionError::new(error.error_type(), &error));
        metrics.write();
        page
    }))
    .await
}

/// Counts an event with its last page, of which there is one.
///
/// What `prepare-calls` will make of the page is counted here too: a line of its own for
/// each event would cost as much as this one.
fn count(metrics: &Metrics, page: &Page) {
    let matched = page.subscriptions.len();
    let active = page
        .subscriptions
        .iter()
        .filter(|subscription| subscription.status == SubscriptionStatus::Active)
        .count();
    metrics.count(Metric::Accepted, u64::from(page.cursor.is_none()));
    metrics.count(Metric::Matched, matched as u64);
    metrics.count(Metric::Held, (matched - active) as u64);
}
