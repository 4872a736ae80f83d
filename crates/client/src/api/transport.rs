//! How a request reaches the API: through its Function URL, or by invoking its function.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use crate::{Error, SignedHttp};

/// The host of requests that reach no URL. It never leaves the event.
const NO_HOST: &str = "https://direct-invocation.invalid/";

/// The header by which Lambda says that the function failed.
const FUNCTION_ERROR: &str = "x-amz-function-error";

/// The way to the API.
#[derive(Clone, Debug)]
pub(super) enum Transport {
    /// Its Function URL.
    FunctionUrl(Url),
    /// Lambda's own `Invoke`, for a stack in a Region without Function URLs. The request becomes
    /// an event as a Function URL would make it, payload format 2.0.
    ///
    /// One request is all that is needed of Lambda's API, so its SDK would be much for little.
    Invoke(Url),
}

impl Transport {
    pub(super) fn function_url(url: &str) -> Result<Self, Error> {
        parse(url).map(Self::FunctionUrl)
    }

    pub(super) fn invoke(region: &str, function: &str) -> Result<Self, Error> {
        let suffix = match region.split('-').next() {
            Some("cn") => "amazonaws.com.cn",
            _ => "amazonaws.com",
        };
        let mut url = parse(&format!("https://lambda.{region}.{suffix}/"))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(["2015-03-31", "functions", function, "invocations"]);
        }
        Ok(Self::Invoke(url))
    }

    /// The root that the paths of requests come under.
    pub(super) fn root(&self) -> Url {
        match self {
            Self::FunctionUrl(url) => url.clone(),
            Self::Invoke(_) => Url::parse(NO_HOST).expect("the constant is a URL"),
        }
    }

    /// Sends a request to a URL below the root.
    pub(super) async fn send(
        &self,
        http: &SignedHttp,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        match self {
            Self::FunctionUrl(_) => http.send("lambda", request).await,
            Self::Invoke(url) => {
                let request = Request::post(url.as_str())
                    .body(event(&request).to_string().into())
                    .map_err(|error| Error::Request(error.into()))?;
                answer(&http.send("lambda", request).await?)
            }
        }
    }
}

fn parse(url: &str) -> Result<Url, Error> {
    url.parse()
        .map_err(|error: url::ParseError| Error::Request(error.into()))
}

/// The request as the event that a Function URL makes of it.
fn event(request: &Request<Bytes>) -> Value {
    let path = request.uri().path();
    let headers: Map<String, Value> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into())
        })
        .collect();
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": request.uri().query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {"http": {"method": request.method().as_str(), "path": path}},
        // A body need not be text.
        "body": STANDARD.encode(request.body()),
        "isBase64Encoded": true,
    })
}

/// The function's result.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionAnswer {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The answer of the API in Lambda's answer.
fn answer(response: &Response<Bytes>) -> Result<Response<Bytes>, Error> {
    let has_run = response.status().is_success();
    if !has_run || response.headers().contains_key(FUNCTION_ERROR) {
        return Err(refused(response));
    }
    let unreadable = |_| Error::UnexpectedAnswer {
        status: response.status().as_u16(),
        body: excerpt(response.body()),
    };
    let answer: FunctionAnswer = serde_json::from_slice(response.body()).map_err(unreadable)?;
    let body = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded {
        STANDARD
            .decode(&body)
            .map_err(|error| Error::Request(error.into()))?
    } else {
        body.into_bytes()
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        let name = HeaderName::try_from(name).map_err(|error| Error::Request(error.into()))?;
        let value = HeaderValue::try_from(value).map_err(|error| Error::Request(error.into()))?;
        headers.insert(name, value);
    }
    let mut response = Response::builder()
        .status(answer.status_code)
        .body(Bytes::from(body))
        .map_err(|error| Error::Request(error.into()))?;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Why Lambda did not run the function, or how the function failed.
fn refused(response: &Response<Bytes>) -> Error {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(alias = "Message", alias = "errorMessage")]
        message: String,
    }
    let text = match serde_json::from_slice(response.body()) {
        Ok(Refusal { message }) => message,
        Err(_) => excerpt(response.body()),
    };
    let message = format!("status {}: {text}", response.status().as_u16());
    Error::Service {
        operation: "Invoke",
        source: message.clone().into(),
        message,
    }
}

fn excerpt(body: &Bytes) -> String {
    String::from_utf8_lossy(body).chars().take(1024).collect()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn lambda(status: u16, error: Option<&str>, body: &Value) -> Response<Bytes> {
        let mut response = Response::builder().status(status);
        if let Some(error) = error {
            response = response.header(FUNCTION_ERROR, error);
        }
        response.body(body.to_string().into()).unwrap()
    }

    #[test]
    fn a_function_is_invoked_where_its_region_is() {
        for (region, host) in [
            ("me-central-1", "lambda.me-central-1.amazonaws.com"),
            ("us-gov-west-1", "lambda.us-gov-west-1.amazonaws.com"),
            ("cn-northwest-1", "lambda.cn-northwest-1.amazonaws.com.cn"),
        ] {
            let Transport::Invoke(url) = Transport::invoke(region, "api-1").unwrap() else {
                panic!("invoked")
            };
            let expected = format!("https://{host}/2015-03-31/functions/api-1/invocations");
            assert_eq!(url.as_str(), expected);
        }
    }

    #[test]
    fn a_request_becomes_the_event_of_a_function_url() {
        let request = Request::post(format!("{NO_HOST}customers/a%20b?limit=3&cursor=x%2By"))
            .header("if-match", "\"3\"")
            .body(Bytes::from_static(b"\xff{}"))
            .unwrap();
        let event = event(&request);
        assert_eq!(event["rawPath"], "/customers/a%20b");
        assert_eq!(event["rawQueryString"], "limit=3&cursor=x%2By");
        assert_eq!(event["headers"], json!({"if-match": "\"3\""}));
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
        assert_eq!(event["body"], "/3t9");
        assert!(!event.to_string().contains("invalid"));
    }

    #[test]
    fn an_answer_has_the_functions_status_headers_and_body() {
        for (body, is_encoded) in [("{\"a\":1}", false), ("eyJhIjoxfQ==", true)] {
            let returned = json!({
                "statusCode": 201, "headers": {"etag": "\"1\""}, "multiValueHeaders": {},
                "body": body, "isBase64Encoded": is_encoded, "cookies": [],
            });
            let answer = answer(&lambda(200, None, &returned)).unwrap();
            assert_eq!(answer.status(), StatusCode::CREATED);
            assert_eq!(answer.headers()["etag"], "\"1\"");
            assert_eq!(answer.body(), "{\"a\":1}");
        }
        let empty = json!({"statusCode": 204, "headers": {}, "body": null});
        assert!(
            answer(&lambda(200, None, &empty))
                .unwrap()
                .body()
                .is_empty()
        );
    }

    #[test]
    fn what_lambda_refuses_and_how_the_function_failed_is_said() {
        for (response, expected) in [
            (
                lambda(403, None, &json!({"Message": "not authorized"})),
                "Invoke failed: status 403: not authorized",
            ),
            (
                lambda(
                    200,
                    Some("Unhandled"),
                    &json!({"errorMessage": "Task timed out after 33.00 seconds"}),
                ),
                "Invoke failed: status 200: Task timed out after 33.00 seconds",
            ),
            (
                lambda(200, None, &json!("x")),
                "unexpected answer: status 200, body `\"x\"`",
            ),
        ] {
            assert_eq!(answer(&response).unwrap_err().to_string(), expected);
        }
    }
}
