//! `Api`: manages subscriptions, and answers what became of a message.

mod answers;
mod audit;
mod body;
mod cursor;
mod customers;
mod deliveries;
mod enable;
mod event;
mod extract;
mod filters;
mod held;
mod if_match;
mod lists;
mod metrics;
mod openapi;
mod pages;
mod problem;
mod publish;
mod recoveries;
mod requests;
mod resend;
mod send_test;
mod subscriptions;
mod unhealthy;
mod workflow;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, LambdaEvent, Service, service_fn};
use ring::rand::SystemRandom;
use utoipa::openapi::HttpMethod;
use webhooks_domain::customers::Customers;
use webhooks_domain::lists::Lists;
use webhooks_domain::manage::Manage;
use webhooks_domain::outbound::DevelopmentNetworks;
use webhooks_domain::quota::Quota;
use webhooks_domain::recover::Recoveries;
use webhooks_domain::resend::Resend;
use webhooks_domain::send_test::SendTest;
use webhooks_domain::unhealthy::UnhealthyLists;
use webhooks_domain::vault::Vault;
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{
    ApiConfig, EventBus, FunctionClient, KmsKeyService, KmsUsage, Metrics, SdkConfig, SystemClock,
    aws_config, start,
};
#[cfg(test)]
use webhooks_lambda::{Config, Environment};
use webhooks_sqs::SqsQueue;

use crate::metrics::Counters;
use crate::problem::Problem;
use crate::publish::Publisher;
use crate::recoveries::ApiRecoveries;
use crate::send_test::DeliverFunction;
use crate::workflow::SfnWorkflow;

/// The time that the delivery function needs in addition to the request itself: see the template.
const TIME_TO_DELIVER: Duration = Duration::from_secs(9);

/// The dependencies of every request.
struct Api {
    manage: Manage<DynamoStore, Vault<DynamoStore, KmsKeyService, SystemClock>, SystemClock>,
    resend: Resend<DynamoStore, SqsQueue, SystemClock>,
    publisher: Publisher,
    customers: Customers<DynamoStore, SystemClock>,
    lists: Lists<DynamoStore>,
    unhealthy: UnhealthyLists<DynamoStore>,
    tests: SendTest<DynamoStore, SqsQueue, DeliverFunction, SystemClock>,
    recoveries: ApiRecoveries,
    table: DynamoStore,
    development: DevelopmentNetworks,
}

impl Api {
    /// Gives the count of calls to the key service too.
    fn new(
        aws: &SdkConfig,
        config: ApiConfig,
    ) -> Result<(Self, Arc<KmsUsage>), lambda_http::Error> {
        let keys = KmsKeyService::new(aws, config.signing_key_arn, &config.installation_id);
        let usage = keys.usage();
        let queue = SqsQueue::new(aws_sdk_sqs::Client::new(aws), config.delivery_queue_url);
        let table = DynamoStore::new(aws_sdk_dynamodb::Client::new(aws), config.table_name);
        let api = Self {
            manage: Manage {
                table: table.clone(),
                vault: Vault::new(table.clone(), keys, SystemClock),
                clock: SystemClock,
                random: SystemRandom::new(),
                retention: config.retention,
                request_timeout: config.request_timeout,
                quota: Quota {
                    subscriptions: config.maximum_subscriptions,
                },
            },
            tests: SendTest {
                table: table.clone(),
                queue: queue.clone(),
                deliverer: DeliverFunction(FunctionClient::new(
                    aws,
                    &config.lambda_endpoint,
                    &config.deliver_webhook_function_name,
                    Duration::from_secs(config.request_timeout.as_secs()) + TIME_TO_DELIVER,
                )?),
                clock: SystemClock,
                random: SystemRandom::new(),
                retention: config.retention,
            },
            resend: Resend {
                table: table.clone(),
                queue,
                clock: SystemClock,
            },
            publisher: Publisher {
                bus: EventBus::new(aws, config.event_bus_name),
                operator: config.operator,
            },
            customers: Customers {
                table: table.clone(),
                clock: SystemClock,
            },
            lists: Lists {
                table: table.clone(),
            },
            unhealthy: UnhealthyLists {
                table: table.clone(),
            },
            recoveries: Recoveries {
                table: table.clone(),
                workflow: SfnWorkflow::new(
                    aws_sdk_sfn::Client::new(aws),
                    config.recovery_state_machine_arn,
                ),
                clock: SystemClock,
                random: SystemRandom::new(),
                retention: config.retention,
            },
            table,
            development: config.development_networks,
        };
        Ok((api, usage))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let config = start::<ApiConfig>()?;
    let metrics = Metrics::new(&*config.function_name, config.monitoring);
    let (api, key_usage) = Api::new(&aws_config().await, config)?;
    let counters = Counters::new(metrics, key_usage);
    let with_layer =
        move |router: Router| router.layer(from_fn_with_state(counters.clone(), metrics::count));
    let routes = with_layer(router(Arc::new(api)));
    let answer = service_fn(move |invocation: LambdaEvent<LambdaRequest>| {
        let LambdaEvent {
            mut payload,
            context,
        } = invocation;
        let (payload, chosen) = match event::check(&mut payload) {
            Ok(()) => (payload, routes.clone()),
            Err(problem) => {
                let (payload, refusal) = event::refuse(problem);
                (payload, with_layer(refusal))
            }
        };
        Adapter::from(chosen).call(LambdaEvent { payload, context })
    });
    lambda_http::lambda_runtime::run(answer).await
}

/// Declares the operations, each once: its path and method stand in the annotation of its handler.
/// The routes are made of them, and in tests the document.
///
/// (`utoipa-axum` makes both when a router is built: each cold start would make the document.)
macro_rules! operations {
    ($($module:ident::$handler:ident),+ $(,)?) => {
        fn routes() -> Router<Arc<Api>> {
            Router::new()$(.merge(pastey::paste! {
                route::<$module::[<__path_ $handler>], _, _>(&$module::$handler)
            }))+
        }

        #[cfg(test)]
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($module::$handler),+))]
        struct Operations;
    };
}

operations![
    customers::list,
    customers::show,
    customers::put,
    customers::update,
    subscriptions::create,
    subscriptions::list,
    subscriptions::show,
    subscriptions::update,
    subscriptions::delete,
    subscriptions::rotate_secret,
    subscriptions::show_secrets,
    enable::enable,
    unhealthy::all,
    unhealthy::of_customer,
    lists::deliveries,
    lists::undelivered,
    lists::of_customer,
    lists::messages,
    send_test::send_test,
    deliveries::message,
    deliveries::message_of_customer,
    deliveries::delivery,
    deliveries::delivery_of_customer,
    resend::resend,
    resend::resend_of_customer,
    recoveries::recover,
    recoveries::replay,
    recoveries::list,
    recoveries::show,
    recoveries::stop,
    filters::test,
    openapi::show,
];

/// The route of an operation.
fn route<P, H, T>(handler: &H) -> Router<Arc<Api>>
where
    P: utoipa::Path,
    H: Handler<T, Arc<Api>>,
    T: 'static,
{
    let methods = P::methods().into_iter();
    let methods = methods.fold(MethodRouter::new(), |router, method| {
        let filter = match method {
            HttpMethod::Get => MethodFilter::GET,
            HttpMethod::Post => MethodFilter::POST,
            HttpMethod::Put => MethodFilter::PUT,
            HttpMethod::Patch => MethodFilter::PATCH,
            HttpMethod::Delete => MethodFilter::DELETE,
            _ => unreachable!("no operation has another method"),
        };
        router.on(filter, handler.clone())
    });
    Router::new().route(&P::path(), methods)
}

fn router(api: Arc<Api>) -> Router {
    routes()
        .fallback(async || Problem::no_such_path())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .with_state(api)
}

#[cfg(test)]
impl Api {
    /// An API whose table, keys and queue nobody answers for.
    async fn unconnected() -> Self {
        // Nearly every type of a variable takes this text.
        let variables = ApiConfig::variables();
        let required = variables.iter().filter(|variable| variable.is_required);
        let environment: Environment = required
            .map(|variable| (variable.name, "9"))
            .chain([("MONITORING", "Off")])
            .collect();
        let config = ApiConfig::from_environment(&environment).unwrap();
        let region = aws_sdk_dynamodb::config::Region::from_static("eu-central-1");
        let aws = aws_config().await.to_builder().region(region).build();
        let (api, _) = Self::new(&aws, config).unwrap();
        api
    }
}
