//! Makes the document, and holds the checked-in one against it.

use utoipa::OpenApi;

use super::problems::Problems;
use super::tidy::{AbsentIsNotNull, Groups, Signed};

/// What is served. A handler that is missing here fails the test of the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Webhooks",
        description = "Manages the subscriptions of customers, and tells what became of every event. \
            Requests are signed with AWS Signature Version 4 for the service `lambda`. Errors are \
            problem details (RFC 9457): decide by `type` and `field`.",
    ),
    paths(
        crate::subscriptions::create,
        crate::subscriptions::list,
        crate::subscriptions::show,
        crate::subscriptions::update,
        crate::subscriptions::delete,
        crate::subscriptions::rotate_secret,
        crate::subscriptions::show_secrets,
        crate::enable::enable,
        crate::lists::deliveries,
        crate::lists::undelivered,
        crate::lists::of_customer,
        crate::lists::messages,
        crate::send_test::send_test,
        crate::deliveries::message,
        crate::deliveries::message_of_customer,
        crate::deliveries::delivery,
        crate::deliveries::delivery_of_customer,
        crate::resend::resend,
        crate::resend::resend_of_customer,
        crate::recoveries::recover,
        crate::recoveries::replay,
        crate::recoveries::list,
        crate::recoveries::show,
        crate::recoveries::stop,
        crate::filters::test,
        crate::openapi::show,
    ),
    components(schemas(webhooks_api_types::Problem)),
    servers((url = "https://{urlId}.lambda-url.{region}.on.aws", description = "The stack's output `ApiUrl`.",
        variables(("urlId" = (default = "abcdefghijklmnopqrstuvwxyz012345")), ("region" = (default = "us-east-1"))))),
    security(("sigv4" = [])),
    modifiers(&Signed, &Groups, &Problems, &AbsentIsNotNull),
)]
pub(crate) struct Document;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use serde_json::{Value, json};
    use tower::ServiceExt;
    use webhooks_domain::filter::try_filter;
    use webhooks_domain::manage::{Rotation, SubscriptionChange, test_event_type};
    use webhooks_domain::outbound::DevelopmentNetworks;
    use webhooks_domain::recovery::RecoveryRequest;
    use webhooks_domain::timestamp::Timestamp;

    use super::*;
    use crate::{Api, router};

    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

    fn document() -> Value {
        serde_json::to_value(Document::openapi()).unwrap()
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever runs the test may ask for a new file"
    )]
    fn the_checked_in_document_is_made_of_this_code() {
        let made = format!("{}\n", Document::openapi().to_pretty_json().unwrap());
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(PATH, made).unwrap();
            return;
        }
        let checked_in = std::fs::read_to_string(PATH).unwrap();
        assert!(
            checked_in == made,
            "docs/openapi.json is not what the code says: run `UPDATE=1 cargo test -p api checked_in`, and look at the difference"
        );
    }

    #[tokio::test]
    async fn what_is_documented_is_served_and_nothing_beside_it_at_its_path() {
        let router = router(Arc::new(Api::unconnected().await));
        let document = document();
        for (path, item) in document["paths"].as_object().unwrap() {
            // Braces stand in no id, so that every handler refuses before it reads anything.
            let uri = path.replace('{', "%7B").replace('}', "%7D");
            for method in ["get", "post", "put", "patch", "delete"] {
                let request = Request::builder().method(method.to_uppercase().as_str());
                let request = request.uri(&uri).body(Body::empty()).unwrap();
                let answer = router.clone().oneshot(request).await.unwrap();
                assert_ne!(answer.status(), StatusCode::NOT_FOUND, "{method} {path}");
                let is_served = answer.status() != StatusCode::METHOD_NOT_ALLOWED;
                let is_documented = item.get(method).is_some();
                assert_eq!(is_served, is_documented, "served? {method} {path}");
            }
        }
    }

    #[test]
    fn every_route_is_documented() {
        let routes = include_str!("../main.rs").matches(".route(").count();
        let documented = document()["paths"].as_object().unwrap().len();
        assert_eq!(routes, documented, "annotate the handler and name it above");
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_a_summary() {
        let document = document();
        let mut names = BTreeSet::new();
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{name} twice");
                assert!(operation["summary"].is_string(), "{name}");
            }
        }
    }

    /// The fields that a body may have, as the reader of bodies tells them.
    fn known_fields(refusal: &str) -> BTreeSet<String> {
        let (_, fields) = refusal.split_once("the fields are ").unwrap();
        fields.split(", ").map(str::to_owned).collect()
    }

    #[test]
    fn bodies_have_the_fields_that_are_read() {
        let document = document();
        let documented = |schema: &str| -> BTreeSet<String> {
            let properties = &document["components"]["schemas"][schema]["properties"];
            properties.as_object().unwrap().keys().cloned().collect()
        };
        let unknown = json!({"?": 1}).to_string();
        let none = DevelopmentNetworks::none();
        let subscription = SubscriptionChange::parse(unknown.as_bytes(), &none).unwrap_err();
        let subscription = known_fields(&subscription.problem);
        assert_eq!(documented("NewSubscription"), subscription);
        assert_eq!(documented("SubscriptionPatch"), subscription);
        let rotation = Rotation::parse(unknown.as_bytes()).unwrap_err();
        assert_eq!(documented("Rotation"), known_fields(&rotation.problem));
        let test = test_event_type(unknown.as_bytes()).unwrap_err();
        assert_eq!(documented("Test"), known_fields(&test.problem));
        let trial = try_filter(unknown.as_bytes()).unwrap_err();
        assert_eq!(documented("FilterTest"), known_fields(&trial.problem));
        let now = Timestamp::from_millis(0);
        let recover = RecoveryRequest::recover(unknown.as_bytes(), now).unwrap_err();
        assert_eq!(documented("Recover"), known_fields(&recover.problem));
        let replay = RecoveryRequest::replay(unknown.as_bytes(), now).unwrap_err();
        assert_eq!(documented("Replay"), known_fields(&replay.problem));
    }

    #[test]
    fn the_examples_of_bodies_are_taken() {
        let document = document();
        let example = |schema: &str| {
            let example = &document["components"]["schemas"][schema]["example"];
            example.to_string().into_bytes()
        };
        let none = DevelopmentNetworks::none();
        for schema in ["NewSubscription", "SubscriptionPatch"] {
            SubscriptionChange::parse(&example(schema), &none).unwrap();
        }
        Rotation::parse(&example("Rotation")).unwrap();
        test_event_type(&example("Test")).unwrap();
        assert!(try_filter(&example("FilterTest")).unwrap());
        let now = Timestamp::parse_rfc3339("2026-12-01T00:00:00Z").unwrap();
        RecoveryRequest::recover(&example("Recover"), now).unwrap();
        RecoveryRequest::replay(&example("Replay"), now).unwrap();
    }
}
