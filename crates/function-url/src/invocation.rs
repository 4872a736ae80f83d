//! Requests from one function of the stack to another: the event that a Function URL would make, and
//! the answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::Body;
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayRequestAuthorizer, ApiGatewayV2httpRequest, ApiGatewayV2httpResponse,
};
use lambda_http::http::header::{CONTENT_TYPE, HOST, HeaderName};
use lambda_http::http::{HeaderValue, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::PortalScope;

/// The host of a request that reaches no URL.
const HOST_OF_INVOCATIONS: &str = "portal.invalid";

/// The characters of a segment that stay as they are.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A request to the API for a session of the portal.
#[derive(Debug, Clone)]
pub struct Invocation(ApiGatewayV2httpRequest);

impl Invocation {
    /// A request without a body, with these segments of its path.
    pub fn new<'a>(
        scope: &PortalScope,
        method: Method,
        segments: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut path = String::new();
        for segment in segments {
            path.push('/');
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        let mut authorizer = ApiGatewayRequestAuthorizer::default();
        authorizer.fields = scope.members();
        let mut event = ApiGatewayV2httpRequest::default();
        event.version = Some("2.0".to_owned());
        event.raw_path = Some(path.clone());
        event.raw_query_string = Some(String::new());
        event.request_context.stage = Some("$default".to_owned());
        event.request_context.authorizer = Some(authorizer);
        event.request_context.http.method = method;
        event.request_context.http.path = Some(path);
        let host = HeaderValue::from_static(HOST_OF_INVOCATIONS);
        event.headers.insert(HOST, host);
        Self(event)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Sets the only parameter of the query.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: &str) -> Self {
        let value = utf8_percent_encode(value, SEGMENT);
        self.0.raw_query_string = Some(format!("{name}={value}"));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn json(mut self, body: String) -> Self {
        self.0.body = Some(body);
        self.header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// The event.
    pub fn into_event(self) -> Vec<u8> {
        serde_json::to_vec(&self.0).expect("texts become JSON")
    }
}

/// The answer of the invoked function.
#[derive(Clone, PartialEq, Eq)]
pub struct FunctionAnswer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body.
    pub body: Vec<u8>,
}

/// The result of the function is no answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the result of the function is no answer to a request")]
pub struct UnreadableAnswer;

impl FunctionAnswer {
    /// Reads the result of a function.
    ///
    /// # Errors
    /// If it is no answer to a request.
    pub fn read(result: &[u8]) -> Result<Self, UnreadableAnswer> {
        let answer: ApiGatewayV2httpResponse =
            serde_json::from_slice(result).map_err(|_| UnreadableAnswer)?;
        let status = u16::try_from(answer.status_code).ok();
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let body = match answer.body {
            Some(Body::Text(text)) => text.into_bytes(),
            Some(Body::Binary(bytes)) => bytes,
            _ => Vec::new(),
        };
        let body = if answer.is_base64_encoded {
            STANDARD.decode(body).map_err(|_| UnreadableAnswer)?
        } else {
            body
        };
        Ok(Self {
            status: status.ok_or(UnreadableAnswer)?,
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::request::{LambdaRequest, RequestContext};
    use lambda_http::{Request, RequestExt};
    use serde_json::{Value, json};
    use webhooks_domain::portal_session::{Capabilities, Capability};

    use super::*;
    use crate::MalformedScope;

    fn scope() -> PortalScope {
        PortalScope {
            customer: "a|b+c".parse().unwrap(),
            session: "pse_019ab3f0c2d17c6e5d4c3b2a19080706".parse().unwrap(),
            actor: Some("jo@example.com".parse().unwrap()),
            capabilities: Capabilities::new([Capability::Secrets]).unwrap(),
        }
    }

    fn event() -> Value {
        let customer = scope().customer.to_string();
        let path = ["customers", &customer, "subscriptions"];
        let invocation = Invocation::new(&scope(), Method::POST, path)
            .header(
                lambda_http::http::header::IF_MATCH,
                HeaderValue::from_static("\"3\""),
            )
            .json("{\"a\": 1.0}".to_owned());
        serde_json::from_slice(&invocation.into_event()).unwrap()
    }

    fn request(event: Value) -> Request {
        let mut event: LambdaRequest = serde_json::from_value(event).unwrap();
        crate::check(&mut event).unwrap();
        event.into()
    }

    fn scope_of(request: &Request) -> Result<Option<PortalScope>, MalformedScope> {
        match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => PortalScope::read(context),
            _ => panic!("no context"),
        }
    }

    #[test]
    fn an_invocation_becomes_the_request_that_it_stands_for() {
        let request = request(event());
        assert_eq!(request.method(), Method::POST);
        assert_eq!(
            request.raw_http_path(),
            "/customers/a%7Cb%2Bc/subscriptions"
        );
        assert_eq!(request.headers()["if-match"], "\"3\"");
        assert_eq!(request.body().as_ref(), b"{\"a\": 1.0}");
        assert_eq!(scope_of(&request), Ok(Some(scope())));
    }

    #[test]
    fn a_scope_that_cannot_be_read_is_not_taken_for_none() {
        let mut without = event();
        without["requestContext"]["authorizer"] = json!({"lambda": {"other": {}}});
        assert_eq!(scope_of(&request(without)), Ok(None));
        for (member, value) in [
            ("customerId", json!("")),
            ("customerId", json!(null)),
            ("sessionId", json!("pse_1")),
            ("actor", json!("")),
            ("actor", json!("jo\n")),
            ("actor", json!(["jo"])),
            ("capabilities", json!([])),
            ("capabilities", json!(["manage", "all"])),
            ("capabilities", json!("manage")),
        ] {
            let mut broken = event();
            let scope = &mut broken["requestContext"]["authorizer"]["lambda"];
            scope["webhooksPortalSession"][member] = value;
            assert_eq!(scope_of(&request(broken)), Err(MalformedScope), "{member}");
        }
        let mut empty = event();
        let members = &mut empty["requestContext"]["authorizer"]["lambda"];
        members["webhooksPortalSession"] = json!(null);
        assert_eq!(scope_of(&request(empty)), Err(MalformedScope));
    }

    #[test]
    fn an_answer_has_the_status_and_the_body() {
        for (body, is_encoded) in [("{\"a\":1}", false), ("eyJhIjoxfQ==", true)] {
            let result = json!({
                "statusCode": 201, "headers": {"etag": "\"1\""}, "multiValueHeaders": {},
                "body": body, "isBase64Encoded": is_encoded, "cookies": [],
            });
            let answer = FunctionAnswer::read(result.to_string().as_bytes()).unwrap();
            assert_eq!(answer.status, StatusCode::CREATED);
            assert_eq!(answer.body, b"{\"a\":1}");
        }
        for result in ["null", "{}", r#"{"statusCode": 7, "cookies": []}"#, ""] {
            let read = FunctionAnswer::read(result.as_bytes());
            assert!(
                read.is_err_and(|error| error == UnreadableAnswer),
                "{result}"
            );
        }
    }
}
