//! `PrepareCalls`: builds the items and messages that the workflow writes. It writes nothing
//! itself.

mod calls;

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::value::RawValue;
use tracing::warn;
use webhooks_domain::errors::{INVALID_EVENT, INVALID_INPUT};
use webhooks_domain::ports::Clock;
use webhooks_lambda::{FunctionError, PrepareCallsConfig, SystemClock, start};

use crate::calls::{Settings, prepare_calls};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = start::<PrepareCallsConfig>()?;
    for (pattern, days) in config.retention.too_long() {
        warn!(event.type = pattern.as_str(), days, "RetentionDays applies, because it is shorter");
    }
    run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let page = serde_json::from_str(event.payload.get())
            .map_err(|error| FunctionError::new(INVALID_INPUT, &error))?;
        let settings = Settings {
            retention: &config.retention,
            longest_queue_delay: config.longest_queue_delay,
            links: config.message_links.as_ref(),
        };
        prepare_calls(&page, SystemClock.now(), &settings)
            .map_err(|error| FunctionError::new(INVALID_EVENT, &error))
    }))
    .await
}
