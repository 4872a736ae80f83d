//! A client for AWS's JSON interfaces, limited to what the checks read.
//!
//! The SDK's crates for Lambda, CloudWatch and its logs are among its largest. They would add
//! event streams, compression and CBOR to every build that uses the SDK, while the checks read
//! a few fields of some twenty answers.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::context::{CALL_DEADLINE, Context, Described, causes, no_answer, refused};
use super::report::Outcome;

/// The waits before a call is repeated after throttling or a server error.
const RETRY_WAITS: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// A service with a JSON interface.
pub(crate) struct Service {
    /// The start of its host.
    host: &'static str,
    /// Its name in signatures.
    signing_name: &'static str,
    /// Its name in IAM's actions.
    action: &'static str,
    /// The prefix of the header that names the operation; empty for REST.
    target: &'static str,
    version: &'static str,
}

impl Service {
    const fn json(name: &'static str, target: &'static str, version: &'static str) -> Self {
        Self {
            host: name,
            signing_name: name,
            action: name,
            target,
            version,
        }
    }
}

pub(crate) const CLOUDWATCH: Service = Service {
    host: "monitoring",
    signing_name: "monitoring",
    action: "cloudwatch",
    ..Service::json("", "GraniteServiceVersion20100801", "1.0")
};
pub(crate) const DYNAMODB: Service = Service::json("dynamodb", "DynamoDB_20120810", "1.0");
pub(crate) const EVENTS: Service = Service::json("events", "AWSEvents", "1.1");
pub(crate) const KMS: Service = Service::json("kms", "TrentService", "1.1");
pub(crate) const LAMBDA: Service = Service::json("lambda", "", "1.1");
pub(crate) const LOGS: Service = Service::json("logs", "Logs_20140328", "1.1");
pub(crate) const SCHEDULER: Service = Service::json("scheduler", "", "1.1");
pub(crate) const SQS: Service = Service::json("sqs", "AmazonSQS", "1.0");
pub(crate) const STATES: Service = Service::json("states", "AWSStepFunctions", "1.0");

/// The error body of a service.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(rename = "__type", alias = "code", alias = "Code")]
    code: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

impl Context {
    /// Calls an operation of a service with JSON requests.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        service: &Service,
        operation: &str,
        input: &Value,
    ) -> Described<T> {
        let request = Request::post(self.url(service, "/"))
            .header("x-amz-target", format!("{}.{operation}", service.target))
            .header(
                "content-type",
                format!("application/x-amz-json-{}", service.version),
            );
        let request = request.body(Bytes::from(input.to_string()));
        self.answer(service, operation, request).await
    }

    /// Reads a path of a REST service.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        service: &Service,
        operation: &str,
        path: &str,
    ) -> Described<T> {
        let request = Request::get(self.url(service, path)).body(Bytes::new());
        self.answer(service, operation, request).await
    }

    fn url(&self, service: &Service, path: &str) -> String {
        let region = self.stack.region();
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        format!("https://{}.{region}.{domain}{path}", service.host)
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        service: &Service,
        operation: &str,
        request: http::Result<Request<Bytes>>,
    ) -> Described<T> {
        let action = format!("{}:{operation}", service.action);
        let unreadable = |error: &(dyn std::error::Error + 'static)| {
            Outcome::failed(
                format!("{action}: {}", causes(error)),
                "look at the network, the Region and the credentials, and run this again",
            )
        };
        let request = request.map_err(|error| unreadable(&error))?;
        let http = self.stack.signed_http();
        let sent = async {
            let mut waits = RETRY_WAITS.into_iter();
            loop {
                let response = http.send(service.signing_name, request.clone()).await?;
                match waits.next() {
                    Some(wait) if is_worth_a_retry(&response) => sleep(wait).await,
                    _ => return Ok::<_, webhooks_client::Error>(response),
                }
            }
        };
        let response = match timeout(CALL_DEADLINE, sent).await {
            Ok(sent) => sent.map_err(|error| unreadable(&error))?,
            Err(_) => return Err(no_answer(&action)),
        };
        if response.status().is_success() {
            return serde_json::from_slice(response.body()).map_err(|error| unreadable(&error));
        }
        let refusal = refusal(&response);
        let code = refusal.code.unwrap_or_default();
        let message = refusal.message.as_deref();
        Err(refused(&action, &code, message, self.is_local()))
    }
}

/// Returns the code and message of an error answer. If there is no code, the status takes its
/// place.
fn refusal(response: &Response<Bytes>) -> Refusal {
    let mut refusal: Refusal = serde_json::from_slice(response.body()).unwrap_or_default();
    let header = response.headers().get("x-amzn-errortype");
    let header = header.and_then(|value| value.to_str().ok());
    let code = header.map(str::to_owned).or(refusal.code);
    // `com.amazonaws.kms#NotFoundException`, `NotFoundException:http://…`
    let code = code.and_then(|code| {
        let name = code.rsplit('#').next()?;
        name.split(':').next().map(str::to_owned)
    });
    refusal.code = Some(code.unwrap_or_else(|| response.status().as_str().to_owned()));
    refusal
}

fn is_worth_a_retry(response: &Response<Bytes>) -> bool {
    let code = || refusal(response).code.unwrap_or_default();
    let is_known = || code().contains("NotImplemented");
    response.status() == 429
        || response.status() == 400 && code().contains("Throttl")
        || response.status().is_server_error() && !is_known()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, header: Option<&str>, body: &str) -> Response<Bytes> {
        let mut response = Response::builder().status(status);
        if let Some(header) = header {
            response = response.header("x-amzn-errortype", header);
        }
        response.body(Bytes::from(body.to_owned())).unwrap()
    }

    #[test]
    fn a_refusal_is_read_in_every_form_of_aws() {
        for (header, body) in [
            (None, r#"{"__type":"com.amazonaws.kms#X","message":"m"}"#),
            (None, r#"{"code":"X","Message":"m"}"#),
            (Some("X:http://internal.amazon.com/"), r#"{"message":"m"}"#),
        ] {
            let refusal = refusal(&response(400, header, body));
            assert_eq!(refusal.code.as_deref(), Some("X"));
            assert_eq!(refusal.message.as_deref(), Some("m"));
        }
        let page = refusal(&response(503, None, "<html>"));
        assert_eq!(page.code.as_deref(), Some("503"));
    }

    #[test]
    fn throttling_is_tried_again_and_a_refusal_is_not() {
        let throttled = response(400, None, r#"{"__type":"ThrottlingException"}"#);
        assert!(is_worth_a_retry(&throttled));
        assert!(is_worth_a_retry(&response(429, None, "")));
        assert!(is_worth_a_retry(&response(500, None, "")));
        let denied = response(400, None, r#"{"__type":"AccessDeniedException"}"#);
        assert!(!is_worth_a_retry(&denied));
    }
}
