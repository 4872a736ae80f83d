//! Calls the emulator's services beyond what the stack's client supports.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, header::CONTENT_TYPE};
use serde_json::Value;
use webhooks_client::{SignedHttp, Stack};

/// A service that speaks JSON, with the operation in a header.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service {
    DynamoDb,
    Logs,
    StepFunctions,
}

impl Service {
    /// Returns the name for signing requests, and the header's prefix.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::DynamoDb => ("dynamodb", "DynamoDB_20120810"),
            Self::Logs => ("logs", "Logs_20140328"),
            Self::StepFunctions => ("states", "AWSStepFunctions"),
        }
    }
}

/// The services of a stack's emulator.
#[derive(Clone, Debug)]
pub(crate) struct Aws {
    http: SignedHttp,
    region: String,
}

impl Aws {
    pub(crate) fn of(stack: &Stack) -> Self {
        Self {
            http: stack.signed_http(),
            region: stack.region().to_owned(),
        }
    }

    /// Calls an operation of a JSON service.
    pub(crate) async fn call(
        &self,
        service: Service,
        operation: &str,
        body: &Value,
    ) -> Result<Value> {
        let (name, prefix) = service.names();
        let request = Request::post(self.url(name, "/"))
            .header(CONTENT_TYPE, "application/x-amz-json-1.0")
            .header("x-amz-target", format!("{prefix}.{operation}"))
            .body(Bytes::from(body.to_string()))?;
        self.send(name, request)
            .await
            .with_context(|| operation.to_owned())
    }

    /// Calls Lambda, whose operations are paths.
    pub(crate) async fn lambda(&self, method: Method, path: &str, body: &str) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(self.url("lambda", path))
            .header(CONTENT_TYPE, "application/json")
            .body(Bytes::copy_from_slice(body.as_bytes()))?;
        self.send("lambda", request)
            .await
            .with_context(|| path.to_owned())
    }

    fn url(&self, service: &str, path: &str) -> String {
        format!("https://{service}.{}.amazonaws.com{path}", self.region)
    }

    async fn send(&self, service: &str, request: Request<Bytes>) -> Result<Value> {
        let answer = self.http.send(service, request).await?;
        let body = answer.body();
        let text = String::from_utf8_lossy(body);
        ensure!(answer.status().is_success(), "{}: {text}", answer.status());
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(body).with_context(|| text.into_owned())
    }
}
