//! The invocation of a function of the stack.
//!
//! One request is all that is needed of Lambda's API, so its SDK would be much for little.

use bytes::Bytes;
use http::{Request, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::{Error, SignedHttp};

/// The header by which Lambda says that the function failed.
const FUNCTION_ERROR: &str = "x-amz-function-error";

/// A function, by the URL of `Invoke`.
#[derive(Clone, Debug)]
pub(crate) struct Function(Url);

impl Function {
    /// The function with this name in a Region.
    pub(crate) fn new(region: &str, name: &str) -> Result<Self, Error> {
        let suffix = match region.split('-').next() {
            Some("cn") => "amazonaws.com.cn",
            _ => "amazonaws.com",
        };
        let mut url: Url = format!("https://lambda.{region}.{suffix}/")
            .parse()
            .map_err(|error: url::ParseError| Error::Request(error.into()))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(["2015-03-31", "functions", name, "invocations"]);
        }
        Ok(Self(url))
    }

    /// Invokes it, and returns its result.
    pub(crate) async fn invoke(&self, http: &SignedHttp, event: Bytes) -> Result<Bytes, Error> {
        let request = Request::post(self.0.as_str()).body(event);
        let request = request.map_err(|error| Error::Request(error.into()))?;
        result(http.send("lambda", request).await?)
    }
}

/// Reads the result of a function.
pub(crate) fn read<T: DeserializeOwned>(result: &Bytes) -> Result<T, Error> {
    serde_json::from_slice(result).map_err(|_| Error::UnexpectedAnswer {
        status: 200,
        body: excerpt(result),
    })
}

/// The result of a function in Lambda's answer.
fn result(response: Response<Bytes>) -> Result<Bytes, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Failure {
        #[serde(default)]
        error_type: String,
        error_message: String,
    }
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(alias = "Message")]
        message: String,
    }
    let (head, body) = response.into_parts();
    if head.headers.contains_key(FUNCTION_ERROR) {
        let failure = serde_json::from_slice(&body).unwrap_or_else(|_| Failure {
            error_type: String::new(),
            error_message: excerpt(&body),
        });
        return Err(Error::Function {
            kind: failure.error_type,
            message: failure.error_message,
        });
    }
    if head.status.is_success() {
        return Ok(body);
    }
    let text = match serde_json::from_slice(&body) {
        Ok(Refusal { message }) => message,
        Err(_) => excerpt(&body),
    };
    let message = format!("status {}: {text}", head.status.as_u16());
    Err(Error::Service {
        operation: "Invoke",
        source: message.clone().into(),
        message,
    })
}

fn excerpt(body: &Bytes) -> String {
    String::from_utf8_lossy(body).chars().take(1024).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

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
            let Function(url) = Function::new(region, "api-1").unwrap();
            let expected = format!("https://{host}/2015-03-31/functions/api-1/invocations");
            assert_eq!(url.as_str(), expected);
        }
    }

    #[test]
    fn a_result_is_read() {
        let whole = result(lambda(200, None, &json!({"a": 1}))).unwrap();
        assert_eq!(read::<Value>(&whole).unwrap(), json!({"a": 1}));
        let unexpected = read::<u32>(&whole).unwrap_err().to_string();
        assert_eq!(
            unexpected,
            r#"unexpected answer: status 200, body `{"a":1}`"#
        );
    }

    #[test]
    fn what_lambda_refuses_and_how_the_function_failed_is_said() {
        let timed_out = json!({"errorMessage": "Task timed out after 33.00 seconds"});
        let invalid = json!({"errorType": "InvalidInput", "errorMessage": "actor: bad"});
        for (response, expected) in [
            (
                lambda(403, None, &json!({"Message": "not authorized"})),
                "Invoke failed: status 403: not authorized",
            ),
            (
                lambda(200, Some("Unhandled"), &timed_out),
                "the function failed: Task timed out after 33.00 seconds",
            ),
            (
                lambda(200, Some("Unhandled"), &invalid),
                "the function failed: actor: bad",
            ),
        ] {
            assert_eq!(result(response).unwrap_err().to_string(), expected);
        }
    }
}
