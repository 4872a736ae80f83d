//! `ConsoleSessions`: makes, lists and ends sessions of the console, for the operator's support staff.
//!
//! It is a function of its own, so that IAM can permit it to few: whoever may create sessions of
//! customers can create none of the console. It has no URL, and its role writes nothing but these
//! sessions. A session gives what [`webhooks_domain::portal_access`] permits.

mod request;
mod sessions;

use lambda_runtime::{LambdaEvent, run, service_fn};
use ring::rand::SystemRandom;
use serde_json::value::RawValue;
use webhooks_domain::portal_sessions::PortalSessions;
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{ConsoleSessionsConfig, SystemClock, aws_config, start};

use crate::sessions::ConsoleSessions;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = start::<ConsoleSessionsConfig>()?;
    let aws = aws_config().await;
    let sessions = &ConsoleSessions {
        sessions: PortalSessions {
            table: DynamoStore::new(aws_sdk_dynamodb::Client::new(&aws), config.table_name),
            clock: SystemClock,
            random: SystemRandom::new(),
        },
        origin: config.portal_url,
    };
    run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let request = request::read(event.payload.get())?;
        Box::pin(sessions.answer(request)).await
    }))
    .await
}
