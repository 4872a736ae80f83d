//! `Api`: manages subscriptions, and answers what became of a message.

mod audit;
mod body;
mod cancel;
mod customers;
mod deliveries;
mod dependencies;
mod enable;
mod event;
mod event_types;
mod extract;
mod filters;
mod held;
mod if_match;
mod lists;
mod metrics;
mod openapi;
mod operations;
mod pages;
mod path;
mod portal_scope;
mod portal_sessions;
mod problem;
mod publish;
mod recoveries;
mod requests;
mod resend;
mod send_test;
mod statistics;
mod subscriptions;
mod texts;
mod transforms;
mod unhealthy;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, LambdaEvent, Service, service_fn};
use webhooks_lambda::{ApiConfig, Metrics, aws_config, start};

use crate::dependencies::Api;
use crate::metrics::Counters;
use crate::operations::router;

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
        let checked = event::check(&mut payload);
        let entered =
            checked.and_then(|()| portal_scope::enter(&payload, &context.invoked_function_arn));
        let (payload, chosen) = match entered {
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
