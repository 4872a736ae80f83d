//! `EchoReceiver`: receives the webhooks of the self test, and answers them by its script.
//!
//! Anybody on the Internet can send requests to it. Without the id of a run (256 random bits)
//! they have no effect; with it, a limited number of bytes is stored. The function holds no
//! secret.

mod echo;
mod url_event;

use lambda_runtime::{LambdaEvent, run, service_fn};
use tracing::error;
use webhooks_domain::ports::Clock;
use webhooks_lambda::{EchoReceiverConfig, SystemClock, aws_config, start, with_sources};
use webhooks_self_test::SelfTestTable;

use crate::echo::Echo;
use crate::url_event::{UrlAnswer, UrlEvent};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = start::<EchoReceiverConfig>()?;
    let client = aws_sdk_dynamodb::Client::new(&aws_config().await);
    let echo = Echo {
        runs: SelfTestTable::new(client, config.self_test_table_name),
    };
    let echo = &echo;
    run(service_fn(async |event: LambdaEvent<UrlEvent>| {
        let answered = echo.answer(event.payload, SystemClock.now()).await;
        Ok::<_, lambda_runtime::Error>(answered.unwrap_or_else(|error| {
            error!(error = with_sources(&error), "a request was not recorded");
            UrlAnswer::unavailable()
        }))
    }))
    .await
}
