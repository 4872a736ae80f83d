//! `Portal`: the web site on which customers see and manage their endpoints, and the console on which
//! support staff do it for every customer.
//!
//! Anybody on the Internet can send requests to it. A request without the token of a session
//! (256 random bits) causes at most one read of the table, and none if its path, its cookie or its
//! form is malformed. A request with a customer's token reaches the data of this customer only.
//!
//! - [`router`] finds the page or the change of a path.
//! - [`session`] finds the session of a request, and [`change`] checks a form.
//! - [`data`] reads and changes for a [`CustomerScope`](webhooks_domain::portal_access::CustomerScope) only.
//! - [`console`] reads what concerns all customers, for a
//!   [`ConsoleScope`](webhooks_domain::portal_access::ConsoleScope) only.
//! - [`api`] invokes the API's function for such a scope, for what needs the signing key or the API's rules.
//! - [`views`] makes the pages of `webhooks-pages` from these data.

mod actions;
mod answer;
mod api;
mod catalogue;
mod change;
mod console;
mod cookies;
mod data;
mod editing;
mod enter;
mod flash;
mod form;
mod hidden;
mod managing;
mod recovering;
mod refusal;
mod refused;
mod router;
mod session;
mod settings;
#[cfg(test)]
mod tests;
mod views;

use std::time::Duration;

use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, LambdaEvent, Request, Service, service_fn};
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{FunctionClient, PortalConfig, SfnWorkflow, SystemClock, aws_config, start};
use webhooks_sqs::SqsQueue;

use crate::api::ScopedApi;
use crate::console::Queues;
use crate::data::Services;
use crate::router::Portal;
use crate::settings::Settings;

/// The time that the API needs in addition to the request of a test: its own timeout, and one second.
/// See the template.
const TIME_OF_API: Duration = Duration::from_secs(19);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let mut config = start::<PortalConfig>()?;
    let aws = aws_config().await;
    let client = aws_sdk_dynamodb::Client::new(&aws);
    let table = DynamoStore::new(client, std::mem::take(&mut config.table_name));
    let queue_url = config.delivery_queue_url.clone();
    let sqs = aws_sdk_sqs::Client::new(&aws);
    let queues = Queues::new(Box::new(sqs.clone()), &config);
    let queue = SqsQueue::new(sqs, queue_url);
    let workflow = std::mem::take(&mut config.recovery_state_machine_arn);
    let time_of_api = Duration::from_secs(config.request_timeout.as_secs()) + TIME_OF_API;
    let api = FunctionClient::new(
        &aws,
        &config.lambda_endpoint,
        &config.api_function_name,
        time_of_api,
    )?;
    let services = Services {
        table,
        queue,
        workflow: SfnWorkflow::new(&aws, workflow),
        clock: SystemClock,
        statistics: config.statistics,
        retention: config.retention,
        daily_limits: config.daily_limits,
        time_of_test: time_of_api,
    };
    let portal = Portal::new(
        services,
        queues,
        ScopedApi(Box::new(api)),
        Settings::new(config)?,
    );
    // It lives as long as the process.
    let portal: &'static Portal<_, _, _, _> = Box::leak(Box::new(portal));
    let answer = service_fn(move |invocation: LambdaEvent<LambdaRequest>| {
        let LambdaEvent {
            mut payload,
            context,
        } = invocation;
        let is_request = webhooks_function_url::check(&mut payload).is_ok();
        if !is_request {
            payload = webhooks_function_url::harmless();
        }
        let answer = service_fn(move |request: Request| async move {
            Ok::<_, lambda_http::Error>(if is_request {
                portal.answer(&request).await
            } else {
                portal.refuse_malformed(&request)
            })
        });
        Adapter::from(answer).call(LambdaEvent { payload, context })
    });
    lambda_http::lambda_runtime::run(answer).await
}
