//! The operations of the API, and their routes.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter};
use utoipa::openapi::HttpMethod;

use crate::problem::Problem;
use crate::{
    Api, cancel, customers, deliveries, enable, event_types, filters, lists, openapi, portal_scope,
    portal_sessions, recoveries, resend, send_test, statistics, subscriptions, transforms,
    unhealthy,
};

/// Declares the operations, each once. The annotation of its handler has its path and method. The
/// routes, and in tests the document, are made of these annotations.
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
        pub(crate) struct Operations;
    };
}

operations![
    customers::list,
    customers::show,
    customers::put,
    customers::update,
    customers::delete,
    event_types::list,
    event_types::show,
    event_types::put,
    event_types::delete,
    subscriptions::create,
    subscriptions::list,
    subscriptions::show,
    subscriptions::update,
    subscriptions::delete,
    subscriptions::rotate_secret,
    subscriptions::show_secrets,
    enable::enable,
    portal_sessions::create,
    portal_sessions::list,
    portal_sessions::revoke_all,
    portal_sessions::revoke,
    unhealthy::all,
    unhealthy::of_customer,
    statistics::of_subscription,
    statistics::of_customer,
    lists::deliveries,
    lists::undelivered,
    lists::of_customer,
    lists::messages,
    send_test::send_test,
    deliveries::message,
    deliveries::message_of_customer,
    cancel::cancel,
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
    transforms::test,
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
    let check = from_fn_with_state(P::path(), portal_scope::check);
    Router::new().route(&P::path(), methods.route_layer(check))
}

/// Answers every request.
pub(crate) fn router(api: Arc<Api>) -> Router {
    routes()
        .fallback(async || Problem::no_such_path())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .with_state(api)
}
