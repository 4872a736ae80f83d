//! The errors between a client and a stack.

use std::{path::PathBuf, time::Duration};

use webhooks_api_types::{Broken, Problem};

/// An error of the client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("`{}` is not {expected}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The expected content.
        expected: &'static str,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// The stack has no such output.
    #[error("the stack has no output `{0}`: was it deployed from this version of the template?")]
    MissingOutput(String),
    /// Nothing says where the stack is.
    #[error("no AWS region: set AWS_REGION, or `region` in the profile")]
    Region,
    /// The address of the emulator is not one.
    #[error("endpoint `{endpoint}` is not a URL")]
    Endpoint {
        /// The given text.
        endpoint: String,
        /// The parser's error.
        source: url::ParseError,
    },
    /// No credentials are to be had.
    #[error("no AWS credentials")]
    Credentials(#[source] aws_credential_types::provider::error::CredentialsError),
    /// The request cannot be built or signed.
    #[error("cannot build the request")]
    Request(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer came.
    #[error("no answer from {host}")]
    NoAnswer {
        /// The host of the request.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// An AWS service refused the call.
    #[error("{operation} failed: {message}")]
    Service {
        /// The AWS operation, such as `PutEvents`.
        operation: &'static str,
        /// The code and message of the service.
        message: String,
        /// The SDK's own error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An invoked function failed, or refused its input.
    #[error("the function failed: {message}")]
    Function {
        /// The name of the error, such as `InvalidInput`. Empty if Lambda gave none.
        kind: String,
        /// The text of the error.
        message: String,
    },
    /// The bus refused one of the events.
    #[error("event {index} was refused by the bus: {code}: {message}")]
    EventRefused {
        /// Its position, from 0.
        index: usize,
        /// The code of EventBridge.
        code: String,
        /// The message of EventBridge.
        message: String,
    },
    /// The API answered with problem details.
    #[error("{0}")]
    Problem(Problem),
    /// The entry exists, but cannot be read completely.
    #[error("{0}")]
    Broken(Broken),
    /// The API answered with something else than its contract says.
    #[error("unexpected answer: status {status}, body `{body}`")]
    UnexpectedAnswer {
        /// The HTTP status.
        status: u16,
        /// The body, cut to 1,024 characters.
        body: String,
    },
    /// A condition did not become true in time.
    #[error("waited {within:?} in vain; the API's last answer was {last}")]
    StillWaiting {
        /// The time limit.
        within: Duration,
        /// The last answer of the API, as JSON.
        last: String,
    },
}
