//! `DeliverWebhook`: makes the attempts of the tasks in the delivery queue.

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("a release build must not crash on purpose: build it without `failpoints`");

#[cfg(all(feature = "bench", not(debug_assertions)))]
compile_error!("a release build trusts no authority of a measurement: build it without `bench`");

#[cfg(all(feature = "system-allocator", not(debug_assertions)))]
compile_error!("a release build has its own allocator: build it without `system-allocator`");

#[cfg(feature = "bench")]
mod bench;
#[cfg(feature = "failpoints")]
mod failpoints;
mod handler;
mod log;
mod metrics;
mod publish;
mod statistics;
mod use_case;

use lambda_runtime::{Diagnostic, LambdaEvent, run, service_fn};
#[cfg(not(feature = "system-allocator"))]
use mimalloc::MiMalloc;
use webhooks_lambda::{DeliverWebhookConfig, aws_config, start};
use webhooks_sqs::batch::Batch;

use crate::handler::Handler;

/// A delivery makes some thousand small allocations, most of them in the AWS client. With the
/// system's allocator, it would use a sixth more CPU time.
#[cfg(not(feature = "system-allocator"))]
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = start::<DeliverWebhookConfig>()?;
    let handler = &Handler::new(config, &aws_config().await)?;
    run(service_fn(async |event: LambdaEvent<Batch>| {
        Ok::<_, Diagnostic>(handler.handle(event).await)
    }))
    .await
}
