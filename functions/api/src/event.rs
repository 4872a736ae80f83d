//! The event of a Function URL, before it becomes a request.
//!
//! Whoever invokes the function without its URL makes up the event. What turns one into a request
//! panics where a part makes no URL, or a body no bytes: those parts are looked at here first, and
//! refused by name.

use axum::Router;
use axum::http::{Uri, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::request::LambdaRequest;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

use crate::problem::Problem;

const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Escapes the path of an event, and refuses an event that no request can be made of.
pub(crate) fn check(event: &mut LambdaRequest) -> Result<(), Problem> {
    match event {
        LambdaRequest::ApiGatewayV2(event) => {
            event.raw_path = event.raw_path.as_deref().map(escaped);
            check_parts(event)
        }
        // The build takes in no other kind.
        _ => Ok(()),
    }
}

/// The characters that a URL parser drops at the end of a path, so that it would read
/// `/customers/acme ` as `/customers/acme`. A path with a line end or a tab is refused later.
const DROPPED: &AsciiSet = &CONTROLS.add(b' ').remove(b'\t').remove(b'\n').remove(b'\r');

fn escaped(path: &str) -> String {
    utf8_percent_encode(path, DROPPED).to_string()
}

/// A harmless event, and who answers it with the problem.
pub(crate) fn refuse(problem: Problem) -> (LambdaRequest, Router) {
    let event = LambdaRequest::ApiGatewayV2(ApiGatewayV2httpRequest::default());
    (event, Router::new().fallback(async || problem))
}

fn check_parts(event: &ApiGatewayV2httpRequest) -> Result<(), Problem> {
    let header = |name| {
        let value = event.headers.get(name);
        value.and_then(|value| value.to_str().ok())
    };
    let scheme = header(FORWARDED_PROTO).unwrap_or("https");
    if !matches!(scheme, "http" | "https") {
        let problem = "must be `http` or `https`";
        return Err(Problem::bad_parameter(FORWARDED_PROTO, problem));
    }
    let host = header(header::HOST.as_str()).or(event.request_context.domain_name.as_deref());
    let host = host.unwrap_or("localhost");
    // With a stage it would be another path than the one that is routed by.
    let stage = event.request_context.stage.as_deref();
    if stage.is_some_and(|stage| stage != "$default") {
        return Err(Problem::bad_parameter(
            "stage",
            "must be `$default` or absent",
        ));
    }
    let base = format!("{scheme}://{host}");
    if !is_url(&base) || host.contains(['/', '\\', '?', '#', '@']) {
        return Err(Problem::bad_parameter("host", "must be the name of a host"));
    }
    let path = event.raw_path.as_deref().unwrap_or_default();
    let has_root = path.is_empty() || path.starts_with('/');
    let whole = format!("{base}{path}");
    if !has_root || path.contains(['?', '#']) || !is_url(&whole) {
        let problem = "must begin with `/`, have no bare `?` and `#`, and make a URL";
        return Err(Problem::bad_parameter("path", problem));
    }
    let query = event.raw_query_string.as_deref().unwrap_or_default();
    let whole = Url::parse(&whole).map_or(whole, String::from);
    if Uri::try_from(format!("{whole}?{query}")).is_err() {
        let problem = "must be encoded as in a URL, and fit into one";
        return Err(Problem::bad_parameter("query", problem));
    }
    let body = event.body.as_deref().unwrap_or_default();
    if event.is_base64_encoded && STANDARD.decode(body).is_err() {
        let problem = "must be base64, as the event says that it is";
        return Err(Problem::bad_parameter("body", problem));
    }
    Ok(())
}

/// Returns true if both kinds of URL that the request passes accept it.
fn is_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| Uri::try_from(url.as_str()).is_ok())
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
                let _: lambda_http::Request = event.into();
            }
        }
    }
}
