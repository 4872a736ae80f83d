//! `LookUpSubscriptions`: validates an event and pages through the customer's
//! subscriptions that want it.

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::value::RawValue;
use webhooks_domain::event::EventReader;
use webhooks_domain::look_up::LookUp;
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{Environment, FunctionError, aws_config, init_logging};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let environment = Environment::read();
    init_logging(&environment)?;
    let client = aws_sdk_dynamodb::Client::new(&aws_config().await);
    let look_up = LookUp {
        directory: DynamoStore::new(client, environment.text("TABLE_NAME")?),
        reader: EventReader {
            customer_id: environment.parse("CUSTOMER_ID_POINTER")?,
            idempotency_key: environment.parse("IDEMPOTENCY_KEY_POINTER")?,
            deadline: environment.parse("DEADLINE_POINTER")?,
        },
    };
    let look_up = &look_up;
    run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        look_up
            .run(event.payload.get())
            .await
            .map_err(|error| FunctionError::new(error.error_type(), &error))
    }))
    .await
}
