//! Failures that AWS produces and the emulator does not, in the form of each service.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::json;

use crate::call::header;

/// A kind of failure. Each service has its own code for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailureKind {
    /// Too many calls.
    Throttled,
    /// The service failed.
    ServerError,
    /// A conflict with the present state of the resource.
    Conflict,
}

/// A failure of an AWS service, with the code from its API reference.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failure {
    service: &'static str,
    /// `ThrottlingException`
    pub code: &'static str,
    kind: FailureKind,
    status: u16,
}

const fn failure(
    service: &'static str,
    code: &'static str,
    kind: FailureKind,
    status: u16,
) -> Failure {
    Failure {
        service,
        code,
        kind,
        status,
    }
}

/// From the section "Errors" of each operation in the services' API references, and from the
/// common errors of each service. The first entry of each kind is the usual one.
const FAILURES: &[Failure] = {
    use FailureKind::{Conflict, ServerError, Throttled};
    &[
        failure("dynamodb", "ThrottlingException", Throttled, 400),
        failure(
            "dynamodb",
            "ProvisionedThroughputExceededException",
            Throttled,
            400,
        ),
        failure("dynamodb", "RequestLimitExceeded", Throttled, 400),
        failure("dynamodb", "InternalServerError", ServerError, 500),
        failure("dynamodb", "TransactionConflictException", Conflict, 400),
        failure("sqs", "RequestThrottled", Throttled, 400),
        failure("sqs", "InternalFailure", ServerError, 500),
        failure("sqs", "ServiceUnavailable", ServerError, 503),
        failure("kms", "ThrottlingException", Throttled, 400),
        failure("kms", "KMSInternalException", ServerError, 500),
        failure("kms", "DependencyTimeoutException", ServerError, 500),
        failure("kms", "KMSInvalidStateException", Conflict, 400),
        failure("events", "ThrottlingException", Throttled, 400),
        failure("events", "InternalException", ServerError, 500),
        failure("states", "ThrottlingException", Throttled, 400),
        failure("states", "InternalFailure", ServerError, 500),
        failure("lambda", "TooManyRequestsException", Throttled, 429),
        failure("lambda", "ServiceException", ServerError, 500),
        failure("lambda", "ResourceConflictException", Conflict, 409),
        failure("lambda", "ResourceNotReadyException", Conflict, 502),
    ]
};

impl Failure {
    /// Returns the called service's failure with this code.
    pub fn with_code(call: &Request<Bytes>, code: &str) -> Option<Self> {
        Self::find(call, |failure| failure.code == code)
    }

    /// Returns the called service's usual failure of this kind.
    pub fn of_kind(call: &Request<Bytes>, kind: FailureKind) -> Option<Self> {
        Self::find(call, |failure| failure.kind == kind)
    }

    /// Returns true if any service has a failure with this code.
    pub(crate) fn is_known(code: &str) -> bool {
        FAILURES.iter().any(|failure| failure.code == code)
    }

    fn find(call: &Request<Bytes>, is: impl Fn(&Self) -> bool) -> Option<Self> {
        let service = service(call)?;
        let of_service = FAILURES.iter().filter(|one| one.service == service);
        of_service.copied().find(is)
    }

    /// Returns the answer for the client.
    pub fn answer(self) -> Response<Bytes> {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let form = if self.service == "lambda" {
            Form::RestJson
        } else {
            Form::Json
        };
        form.error(status, self.code, "failure planted by a test")
    }
}

/// Returns the service's name in a call's signature, such as `dynamodb`.
pub(crate) fn service(call: &Request<Bytes>) -> Option<&str> {
    // AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=…
    let (_, credential) = header(call, "authorization")?.split_once("Credential=")?;
    credential.split(['/', ',']).nth(3)
}

/// The format of a service's errors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// The JSON protocols.
    Json,
    /// REST with JSON, used by Lambda.
    RestJson,
    /// Form and REST protocols with XML answers.
    Xml,
}

impl Form {
    /// Returns an error in this format.
    pub(crate) fn error(self, status: StatusCode, code: &str, message: &str) -> Response<Bytes> {
        let (content_type, body) = match self {
            Self::Json => (
                "application/x-amz-json-1.0",
                json!({"__type": code, "message": message}).to_string(),
            ),
            Self::RestJson => (
                "application/json",
                json!({"Type": "User", "message": message}).to_string(),
            ),
            Self::Xml => (
                "text/xml",
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{}</Message>\
                     </Error></ErrorResponse>",
                    escaped(message)
                ),
            ),
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Ok(code) = HeaderValue::from_str(code) {
            headers.insert("x-amzn-errortype", code);
        }
        response
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(service: &str) -> Request<Bytes> {
        Request::post("/")
            .header(
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/{service}/aws4_request, \
                     SignedHeaders=host, Signature=0"
                ),
            )
            .body(Bytes::new())
            .unwrap()
    }

    #[test]
    fn each_service_throttles_by_its_own_code() {
        for (service, code, status) in [
            ("dynamodb", "ThrottlingException", 400),
            ("sqs", "RequestThrottled", 400),
            ("lambda", "TooManyRequestsException", 429),
        ] {
            let failure = Failure::of_kind(&call(service), FailureKind::Throttled).unwrap();
            assert_eq!(failure.code, code);
            let answer = failure.answer();
            assert_eq!(answer.status(), status);
            assert_eq!(answer.headers()["x-amzn-errortype"], code);
        }
        assert_eq!(Failure::of_kind(&call("iam"), FailureKind::Throttled), None);
    }

    #[test]
    fn a_service_has_its_own_failures_only() {
        let conflict = "ResourceConflictException";
        assert!(Failure::with_code(&call("lambda"), conflict).is_some());
        assert_eq!(Failure::with_code(&call("sqs"), conflict), None);
    }
}
