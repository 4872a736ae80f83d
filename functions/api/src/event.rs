//! The event of a Function URL, before it becomes a request.

use axum::Router;
use lambda_http::request::LambdaRequest;
use webhooks_function_url::harmless;

use crate::problem::Problem;

/// Escapes the path of an event, and refuses an event that no request can be made of.
pub(crate) fn check(event: &mut LambdaRequest) -> Result<(), Problem> {
    let checked = webhooks_function_url::check(event);
    checked.map_err(|bad| Problem::bad_parameter(bad.name, bad.problem))
}

/// A harmless event, and who answers it with the problem.
pub(crate) fn refuse(problem: Problem) -> (LambdaRequest, Router) {
    (harmless(), Router::new().fallback(async || problem))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::to_bytes;
    use axum::http::StatusCode;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;
    use crate::{Api, router};

    fn event(path: &str, query: &str, host: &str) -> Value {
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
            "headers": {"host": host}, "isBase64Encoded": false,
            "requestContext": {"http": {"method": "GET", "path": path}, "stage": "$default"},
        })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut event = event("/openapi.json", "", "a.example");
        event[name] = value;
        event
    }

    /// The status and the field of the answer, made as the function makes it.
    async fn answer(event: Value) -> (StatusCode, Value) {
        let api = router(Arc::new(Api::unconnected().await));
        let mut event: LambdaRequest = serde_json::from_value(event).unwrap();
        let (event, router) = match check(&mut event) {
            Ok(()) => (event, api),
            Err(problem) => refuse(problem),
        };
        let request: lambda_http::Request = event.into();
        let answer = router.oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        (status, problem["field"].clone())
    }

    #[tokio::test]
    async fn a_space_or_control_character_at_the_end_of_a_path_belongs_to_it() {
        for path in ["/customers/\0", "/customers/acme\u{1f}", "/customers/acme "] {
            let answer = answer(event(path, "", "a.example")).await;
            assert_eq!(
                answer,
                (StatusCode::BAD_REQUEST, json!("customerId")),
                "{path:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_part_that_makes_no_request_is_refused_by_name() {
        let good = event("/openapi.json", "", "a.example");
        assert_eq!(answer(good).await.0, StatusCode::OK);
        let long = "a".repeat(70_000);
        let longest = format!("/{long}");
        for (event, field) in [
            (event("openapi.json", "", "a.example"), "path"),
            (event(":x", "", "a.example"), "path"),
            (event("@b.example/", "", "a.example"), "path"),
            (event("/a?b", "", "a.example"), "path"),
            (event("/a#b", "", "a.example"), "path"),
            (event("/customers/a/../b", "", "a.example"), "path"),
            (event("/customers/a/%2e%2E/b", "", "a.example"), "path"),
            (event("/customers/a/.%2e/b", "", "a.example"), "path"),
            (event("/customers/a/%2e", "", "a.example"), "path"),
            (event("/customers/a/.\t%2e/b", "", "a.example"), "path"),
            (event("/customers/a\\..\\b", "", "a.example"), "path"),
            (event(&longest, "", "a.example"), "path"),
            (event("/", "a b", "a.example"), "query"),
            (event("/", "a\nb", "a.example"), "query"),
            (event("/", &long, "a.example"), "query"),
            (event("/", "", ""), "host"),
            (event("/", "", "a b"), "host"),
            (event("/", "", "["), "host"),
            (event("/", "", "a:99999"), "host"),
            (event("/", "", "a/b"), "host"),
            (event("/", "", "a@b"), "host"),
            (
                with(
                    "headers",
                    json!({"x-forwarded-proto": "ht tp", "host": "a"}),
                ),
                "x-forwarded-proto",
            ),
        ] {
            let published = event.to_string();
            let shown: String = published.chars().take(300).collect();
            let (status, named) = answer(event).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{shown}");
            assert_eq!(named, field, "{shown}");
        }
        let context = json!({"http": {"method": "GET"}, "domainName": "a b"});
        let mut by_context = with("requestContext", context);
        by_context["headers"] = json!({});
        let refused = answer(by_context).await;
        assert_eq!(refused, (StatusCode::BAD_REQUEST, json!("host")));
        let mut encoded = with("isBase64Encoded", json!(true));
        encoded["body"] = json!("no base64!");
        assert_eq!(
            answer(encoded).await,
            (StatusCode::BAD_REQUEST, json!("body"))
        );
    }

    fn odd() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            "[ -~]{0,3}",
            Just("/".to_owned()),
            Just("..".to_owned()),
            Just("%".to_owned()),
            Just("%2e".to_owned()),
            Just("\u{0}".to_owned()),
        ];
        prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_passes_the_check_becomes_a_request(
            path in odd(), is_rooted: bool, query in odd(), host in "[ -~]{0,12}", names_host: bool,
            scheme in prop_oneof![Just("https".to_owned()), "[ -~]{0,5}"],
            body in odd(), encoded: bool, stage in prop_oneof![Just("$default".to_owned()), odd()],
        ) {
            let path = if is_rooted { format!("/{path}") } else { path };
            let mut event = event(&path, &query, &host);
            event["headers"]["x-forwarded-proto"] = json!(scheme);
            if !names_host {
                event["headers"].as_object_mut().unwrap().remove("host");
                event["requestContext"]["domainName"] = json!(host);
            }
            event["requestContext"]["stage"] = json!(stage);
            event["isBase64Encoded"] = json!(encoded);
            event["body"] = json!(body);
            let mut event: LambdaRequest = serde_json::from_value(event).unwrap();
            if check(&mut event).is_ok() {
                let LambdaRequest::ApiGatewayV2(checked) = &event else { unreachable!() };
                let segments = checked.raw_path.as_deref().map_or(0, |path| path.matches('/').count());
                let request: lambda_http::Request = event.into();
                // The path that is routed has the segments that were checked.
                let is_read_otherwise = path.contains('\\') || segments == 0;
                let routed = request.uri().path().matches('/').count();
                prop_assert!(is_read_otherwise || routed == segments, "{path:?}");
            }
        }
    }
}
