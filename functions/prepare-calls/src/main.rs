//! `PrepareCalls`: builds the items and messages that the workflow writes. It writes nothing
//! itself.

mod calls;

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::value::RawValue;
use webhooks_domain::errors::INVALID_INPUT;
use webhooks_domain::ports::Clock;
use webhooks_lambda::{FunctionError, PrepareCallsConfig, SystemClock, start};

use crate::calls::prepare_calls;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = start::<PrepareCallsConfig>()?;
    run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        serde_json::from_str(event.payload.get())
            .map(|page| {
                let (retention, links) = (config.retention, config.message_links.as_ref());
                prepare_calls(&page, SystemClock.now(), retention, links)
            })
            .map_err(|error| FunctionError::new(INVALID_INPUT, &error))
    }))
    .await
}
