//! Invokes another function of the stack.
//!
//! Only one request of AWS Lambda's API is needed. Its SDK has eighty operations and takes a
//! minute to compile; this client uses crates that the other SDKs already need.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningError, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use tokio::time::timeout;
use webhooks_domain::ports::Clock;

use crate::SystemClock;

/// Any error of an AWS client.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The reason why a function's result is unknown.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The configuration has no region or no credentials.
    #[error("aws configuration: no {0}")]
    Configuration(&'static str),
    /// The credentials are unavailable.
    #[error("credentials")]
    Credentials(#[from] CredentialsError),
    /// The request could not be built.
    #[error("request to lambda")]
    Request(#[source] Failure),
    /// The request could not be signed.
    #[error("signature")]
    Signing(#[from] SigningError),
    /// No complete answer arrived.
    #[error("no answer of lambda")]
    NoAnswer(#[source] Failure),
    /// No answer arrived in time.
    #[error("no answer of lambda within {0:?}")]
    TimedOut(Duration),
    /// Lambda refused the request.
    #[error("lambda refused with status {0}")]
    Refused(u16),
    /// The function ended with an error.
    #[error("function failed")]
    FunctionFailed,
}

/// Invokes one function.
#[derive(Debug, Clone)]
pub struct FunctionClient {
    credentials: SharedCredentialsProvider,
    region: String,
    url: String,
    timeout: Duration,
}

impl FunctionClient {
    /// Creates a client for the function with this name, or `name:alias`. `endpoint` is Lambda's own, such as
    /// `https://lambda.eu-central-1.amazonaws.com`; an endpoint in the configuration has
    /// precedence.
    ///
    /// # Errors
    /// If the configuration has no region or no credentials.
    pub fn new(
        aws: &SdkConfig,
        endpoint: &str,
        function: &str,
        timeout: Duration,
    ) -> Result<Self, InvokeError> {
        let missing = InvokeError::Configuration;
        let credentials = aws.credentials_provider();
        let endpoint = aws.endpoint_url().unwrap_or(endpoint).trim_end_matches('/');
        // The only character of such a name that a path has encoded.
        let function = function.replace(':', "%3A");
        Ok(Self {
            credentials: credentials.ok_or(missing("credentials"))?,
            region: aws.region().ok_or(missing("region"))?.to_string(),
            url: format!("{endpoint}/2015-03-31/functions/{function}/invocations"),
            timeout,
        })
    }

    /// Invokes the function once and returns its result.
    pub async fn invoke(&self, payload: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        let request = self.signed(payload).await?;
        // Created for each call: calls are rare, and loading certificates would slow down each
        // start.
        let connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build();
        let answer = async {
            let answer = connector.call(request).await;
            let answer = answer.map_err(|error| InvokeError::NoAnswer(error.into()))?;
            returned(answer).await
        };
        let answer = timeout(self.timeout, answer).await;
        answer.map_err(|_| InvokeError::TimedOut(self.timeout))?
    }

    async fn signed(&self, payload: Vec<u8>) -> Result<HttpRequest, InvokeError> {
        let credentials = self.credentials.provide_credentials().await?;
        let identity = credentials.into();
        let now = u64::try_from(SystemClock.now().as_millis()).unwrap_or_default();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("lambda")
            .time(UNIX_EPOCH + Duration::from_millis(now))
            .settings(SigningSettings::default())
            .build()
            .expect("every part is given");
        let body = SignableBody::Bytes(&payload);
        let signable = SignableRequest::new("POST", self.url.as_str(), std::iter::empty(), body)?;
        let (instructions, _) = sign(signable, &params.into())?.into_parts();
        let mut request = http::Request::post(&self.url)
            .body(SdkBody::from(payload))
            .map_err(|error| InvokeError::Request(error.into()))?;
        instructions.apply_to_request_http1x(&mut request);
        HttpRequest::try_from(request).map_err(|error| InvokeError::Request(error.into()))
    }
}

/// Returns the function's result if it succeeded.
async fn returned(answer: HttpResponse) -> Result<Vec<u8>, InvokeError> {
    let status = answer.status();
    if !status.is_success() {
        return Err(InvokeError::Refused(status.as_u16()));
    }
    if answer.headers().contains_key("x-amz-function-error") {
        return Err(InvokeError::FunctionFailed);
    }
    let body = ByteStream::new(answer.into_body()).collect().await;
    let body = body.map_err(|error| InvokeError::NoAnswer(error.into()))?;
    Ok(body.to_vec())
}
