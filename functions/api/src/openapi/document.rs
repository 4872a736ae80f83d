//! Makes the document, and checks that the checked-in document equals it.

use utoipa::{Modify, OpenApi};

use super::problems::Problems;
use super::tidy::{AbsentIsNotNull, Groups, Signed};
use crate::operations::Operations;

/// All but the operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Webhooks",
        description = "Manages the subscriptions of customers, and tells what became of every event. \
            Requests are signed with AWS Signature Version 4 for the service `lambda`. Errors are \
            problem details (RFC 9457): decide by `type` and `field`.",
    ),
    components(schemas(webhooks_api_types::Problem)),
    servers((url = "https://{urlId}.lambda-url.{region}.on.aws", description = "The stack's output `ApiUrl`.",
        variables(("urlId" = (default = "abcdefghijklmnopqrstuvwxyz012345")), ("region" = (default = "us-east-1"))))),
    security(("sigv4" = [])),
)]
struct Header;

/// The document.
fn document() -> utoipa::openapi::OpenApi {
    let mut document = Header::openapi();
    document.merge(Operations::openapi());
    let modifiers: [&dyn Modify; 4] = [&Signed, &Groups, &Problems, &AbsentIsNotNull];
    for modifier in modifiers {
        modifier.modify(&mut document);
    }
    document
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use serde_json::Value;
    use tower::ServiceExt;
    use webhooks_domain::outbound::EndpointPolicy;
    use webhooks_domain::timestamp::Timestamp;

    use crate::extract::Caller;
    use crate::{Api, body, requests, router};

    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

    fn document() -> Value {
        serde_json::to_value(super::document()).unwrap()
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever runs the test may ask for a new file, as for every snapshot"
    )]
    fn the_checked_in_document_is_made_of_this_code() {
        let made = format!("{}\n", super::document().to_pretty_json().unwrap());
        if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
            std::fs::write(PATH, made).unwrap();
            return;
        }
        let checked_in = std::fs::read_to_string(PATH).unwrap();
        assert!(
            checked_in == made,
            "docs/openapi.json is not what the code says: run `INSTA_UPDATE=always cargo test --workspace --bin api checked_in`, and look at the difference"
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

    #[test]
    fn the_examples_of_bodies_are_taken() {
        let document = document();
        let example = |schema: &str| {
            let example = &document["components"]["schemas"][schema]["example"];
            example.to_string().into_bytes()
        };
        let any = EndpointPolicy::default();
        for schema in ["NewSubscription", "SubscriptionPatch"] {
            let patch = body::read(&example(schema)).unwrap();
            requests::subscription_change(patch, &any).unwrap();
        }
        requests::customer_fields(body::read(&example("NewCustomer")).unwrap()).unwrap();
        requests::customer_change(body::read(&example("CustomerPatch")).unwrap()).unwrap();
        requests::documentation(body::read(&example("NewEventType")).unwrap()).unwrap();
        let origins = "https://app.example".parse().unwrap();
        let session = body::read(&example("NewPortalSession")).unwrap();
        requests::portal_session(session, &origins, &Caller::default()).unwrap();
        requests::rotation(body::read(&example("Rotation")).unwrap()).unwrap();
        requests::test_event_type(body::read(&example("Test")).unwrap()).unwrap();
        let trial = body::read(&example("FilterTest")).unwrap();
        assert!(requests::filter_matches(&trial).unwrap());
        let mut trial = body::read(&example("TransformTest")).unwrap();
        let event = requests::TrialEvent::of(&mut trial).unwrap();
        let requests::TrialEvent::Given(event) = event else {
            panic!("{event:?}");
        };
        requests::transformed(trial, event.get()).unwrap();
        let now = Timestamp::parse_rfc3339("2026-12-01T00:00:00Z").unwrap();
        requests::recover(body::read(&example("Recover")).unwrap(), now).unwrap();
        requests::replay(body::read(&example("Replay")).unwrap(), now).unwrap();
    }
}
