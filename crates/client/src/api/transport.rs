//! How a request reaches the API: through its Function URL, or by invoking its function.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use crate::function::{self, Function};
use crate::{Error, SignedHttp};

/// The host of requests that reach no URL. It never leaves the event.
const NO_HOST: &str = "https://direct-invocation.invalid/";

/// The way to the API.
#[derive(Clone, Debug)]
pub(super) enum Transport {
    /// Its Function URL.
    FunctionUrl(Url),
    /// Lambda's own `Invoke`, for a stack in a Region without Function URLs. The request becomes
    /// an event as a Function URL would make it, payload format 2.0.
    Invoke(Function),
}

impl Transport {
    pub(super) fn function_url(url: &str) -> Result<Self, Error> {
        parse(url).map(Self::FunctionUrl)
    }

    pub(super) fn invoke(region: &str, function: &str) -> Result<Self, Error> {
        Function::new(region, function).map(Self::Invoke)
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
            Self::Invoke(function) => {
                let event = event(&request).to_string();
                answer(&function.invoke(http, event.into()).await?)
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

/// The answer of the API in the result of its function.
fn answer(result: &Bytes) -> Result<Response<Bytes>, Error> {
    let answer: FunctionAnswer = function::read(result)?;
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

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

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
            let answer = answer(&returned.to_string().into()).unwrap();
            assert_eq!(answer.status(), StatusCode::CREATED);
            assert_eq!(answer.headers()["etag"], "\"1\"");
            assert_eq!(answer.body(), "{\"a\":1}");
        }
        let empty = json!({"statusCode": 204, "headers": {}, "body": null});
        let empty = answer(&empty.to_string().into()).unwrap();
        assert!(empty.body().is_empty());
    }
}
