//! A deployed stack: where it is, and how events get into it.

use std::{collections::BTreeMap, path::Path};

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::{
    Credentials,
    provider::{SharedCredentialsProvider, error::CredentialsError},
};
use aws_sdk_eventbridge::{
    error::{ProvideErrorMetadata, SdkError},
    types::PutEventsRequestEntry,
};
use aws_sdk_sfn::operation::start_execution::StartExecutionError;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;
use webhooks_api_types::ConsoleSessionsRequest;

use crate::function::{self, Function};
use crate::{Api, Error, Event, SignedHttp};

/// The most entries that one `PutEvents` call takes (an AWS limit).
const MAX_ENTRIES: usize = 10;

/// `stack.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StackFile {
    /// The emulator's address. Absent on AWS.
    endpoint: Option<String>,
    region: String,
    /// Absent on AWS, where the environment has the credentials.
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    /// Its name in CloudFormation.
    stack_name: Option<String>,
    outputs: BTreeMap<String, String>,
}

/// The state of an execution of the workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionStatus {
    /// It runs.
    Running,
    /// It ended in a Succeed state.
    Succeeded,
    /// It ended in a Fail state, or with an error that nothing caught.
    Failed,
    /// Any other, by the name that AWS gives it.
    Other(String),
}

/// One execution of the workflow.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// Its status.
    pub status: ExecutionStatus,
    /// The name of the error that it failed with.
    pub error: Option<String>,
    /// The error's text.
    pub cause: Option<String>,
    /// The name of the error for which its event was sent to the failed-events queue. Such an
    /// execution has succeeded: it has kept its event.
    pub event_error: Option<String>,
}

/// The output of an execution that has sent its event to the failed-events queue.
#[derive(Deserialize)]
struct SentToFailedEvents {
    status: String,
    error: String,
}

impl SentToFailedEvents {
    /// As `webhook-delivery.asl.json` has it.
    const STATUS: &str = "sent to the failed-events queue";

    /// The error, if this is the output of such an execution.
    fn error(output: &str) -> Option<String> {
        let output: Self = serde_json::from_str(output).ok()?;
        (output.status == Self::STATUS).then_some(output.error)
    }
}

/// A deployed stack.
#[derive(Clone, Debug)]
pub struct Stack {
    endpoint: Option<Url>,
    region: String,
    name: Option<String>,
    outputs: BTreeMap<String, String>,
    sdk: SdkConfig,
    credentials: SharedCredentialsProvider,
}

impl Stack {
    /// Reads `stack.json`: `{"endpoint"?, "region", "accessKeyId"?,
    /// "secretAccessKey"?, "stackName"?, "outputs": {…}}`.
    ///
    /// Without keys in the file, the credentials are those of the environment.
    ///
    /// # Errors
    /// When the file cannot be read or is not a stack file, or there are no
    /// credentials.
    pub async fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        let file: StackFile = serde_json::from_str(&text).map_err(|source| Error::Parse {
            path: path.to_owned(),
            expected: "a stack file",
            source,
        })?;
        let mut loader = sdk_loader().region(Region::new(file.region));
        if let Some(endpoint) = file.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let (Some(id), Some(secret)) = (file.access_key_id, file.secret_access_key) {
            let keys = Credentials::new(id, secret, None, None, "stack file");
            loader = loader.credentials_provider(keys);
        }
        let stack = Self::new(loader.load().await, file.outputs)?;
        Ok(Self {
            name: file.stack_name,
            ..stack
        })
    }

    /// The stack with these outputs, where the configuration says.
    ///
    /// # Errors
    /// When the configuration has no region or no credentials, or an endpoint
    /// that is not a URL.
    pub fn new(sdk: SdkConfig, outputs: BTreeMap<String, String>) -> Result<Self, Error> {
        let endpoint = sdk
            .endpoint_url()
            .map(|endpoint| {
                Url::parse(endpoint).map_err(|source| Error::Endpoint {
                    endpoint: endpoint.to_owned(),
                    source,
                })
            })
            .transpose()?;
        let region = sdk.region().ok_or(Error::Region)?.to_string();
        let credentials = sdk.credentials_provider().ok_or_else(|| {
            let missing = "neither the stack file nor the environment has keys";
            Error::Credentials(CredentialsError::not_loaded(missing))
        })?;
        Ok(Self {
            endpoint,
            region,
            name: None,
            outputs,
            sdk,
            credentials,
        })
    }

    /// The same stack, with its name in CloudFormation.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            ..self
        }
    }

    /// Its name in CloudFormation, where that is known.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address of the emulator. `None` on AWS.
    pub fn endpoint(&self) -> Option<&Url> {
        self.endpoint.as_ref()
    }

    /// The AWS region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The configuration for AWS SDK clients of this stack.
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.sdk
    }

    /// A link to a Function URL as a browser reaches it. At the local emulator it has another host,
    /// which leads to this machine: `http://{id}.lambda-url.us-east-1.localhost:4566`.
    pub fn link(&self, url: &str) -> String {
        let port = self.endpoint.as_ref().and_then(Url::port_or_known_default);
        let of_emulator = port.and_then(|port| {
            let (host, rest) = url.strip_prefix("https://")?.split_once(".on.aws/")?;
            Some(format!("http://{host}.localhost:{port}/{rest}"))
        });
        of_emulator.unwrap_or_else(|| url.to_owned())
    }

    /// An output of the template, by its name.
    pub fn output(&self, name: &str) -> Result<&str, Error> {
        self.outputs
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| Error::MissingOutput(name.to_owned()))
    }

    /// A client that signs requests with this stack's credentials.
    pub fn signed_http(&self) -> SignedHttp {
        SignedHttp::new(
            &self.region,
            self.endpoint.clone(),
            self.credentials.clone(),
        )
    }

    /// The management API: behind its Function URL, or invoked directly where the stack has
    /// none, because its Region has none.
    pub fn api(&self) -> Result<Api, Error> {
        let http = self.signed_http();
        match self.output("ApiUrl") {
            Ok(url) => Api::new(url, http),
            Err(_) => Api::invoked(&self.region, self.output("ApiFunctionName")?, http),
        }
    }

    /// Asks the function of the console's sessions, which exists if the stack has a portal.
    ///
    /// # Errors
    /// [`Error::MissingOutput`] if the stack has no portal, and [`Error::Function`] if the function
    /// refuses the request.
    pub async fn console_sessions<T: DeserializeOwned>(
        &self,
        request: &ConsoleSessionsRequest,
    ) -> Result<T, Error> {
        let name = self.output("ConsoleSessionsFunctionName")?;
        let event = serde_json::to_vec(request).expect("requests become JSON");
        let function = Function::new(&self.region, name)?;
        let result = function.invoke(&self.signed_http(), event.into()).await?;
        function::read(&result)
    }

    /// Puts events on the bus, in as many calls as the limits of `PutEvents`
    /// need. Returns the id that EventBridge gave each.
    ///
    /// # Errors
    /// At the first event that the bus refuses. Those before it are on the bus.
    pub async fn put_events(&self, events: &[Event]) -> Result<Vec<String>, Error> {
        let bus = self.output("EventBusName")?;
        let client = aws_sdk_eventbridge::Client::new(&self.sdk);
        let mut ids = Vec::with_capacity(events.len());
        for chunk in events.chunks(MAX_ENTRIES) {
            let entries = chunk.iter().map(|event| {
                PutEventsRequestEntry::builder()
                    .event_bus_name(bus)
                    .source(&event.source)
                    .detail_type(&event.event_type)
                    .detail(event.detail.get())
                    .build()
            });
            let output = client
                .put_events()
                .set_entries(Some(entries.collect()))
                .send()
                .await
                .map_err(|error| service_error("PutEvents", error))?;
            for entry in output.entries() {
                match entry.event_id() {
                    Some(id) => ids.push(id.to_owned()),
                    None => {
                        return Err(Error::EventRefused {
                            index: ids.len(),
                            code: entry.error_code().unwrap_or_default().to_owned(),
                            message: entry.error_message().unwrap_or_default().to_owned(),
                        });
                    }
                }
            }
        }
        Ok(ids)
    }

    /// Starts the workflow with an event, as EventBridge would. Returns the
    /// ARN of the execution.
    pub async fn start_execution(&self, event: &str) -> Result<String, Error> {
        let output = aws_sdk_sfn::Client::new(&self.sdk)
            .start_execution()
            .state_machine_arn(self.output("StateMachineArn")?)
            .input(event)
            .send()
            .await
            .map_err(|error| service_error("StartExecution", error))?;
        Ok(output.execution_arn)
    }

    /// Starts the workflow with an event, unless an execution has this name
    /// already (at most 80 characters).
    ///
    /// A STANDARD workflow keeps a name for 90 days. An EXPRESS workflow on AWS
    /// does not look at it and starts every time.
    pub async fn start_execution_once(&self, name: &str, event: &str) -> Result<(), Error> {
        let started = aws_sdk_sfn::Client::new(&self.sdk)
            .start_execution()
            .state_machine_arn(self.output("StateMachineArn")?)
            .name(name)
            .input(event)
            .send()
            .await;
        match started {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(StartExecutionError::is_execution_already_exists) =>
            {
                Ok(())
            }
            Err(error) => Err(service_error("StartExecution", error)),
        }
    }

    /// Reads the state of an execution.
    ///
    /// AWS answers this for STANDARD workflows only; an EXPRESS workflow leaves
    /// its history in its log group. The emulator answers for both.
    pub async fn execution(&self, arn: &str) -> Result<Execution, Error> {
        use aws_sdk_sfn::types::ExecutionStatus as Status;

        let output = aws_sdk_sfn::Client::new(&self.sdk)
            .describe_execution()
            .execution_arn(arn)
            .send()
            .await
            .map_err(|error| service_error("DescribeExecution", error))?;
        Ok(Execution {
            arn: output.execution_arn,
            status: match output.status {
                Status::Running => ExecutionStatus::Running,
                Status::Succeeded => ExecutionStatus::Succeeded,
                Status::Failed => ExecutionStatus::Failed,
                other => ExecutionStatus::Other(other.as_str().to_owned()),
            },
            error: output.error,
            cause: output.cause,
            event_error: output.output.as_deref().and_then(SentToFailedEvents::error),
        })
    }
}

/// The base of every AWS configuration: one TLS stack, and the usual
/// places for the region and the credentials.
pub fn sdk_loader() -> ConfigLoader {
    let http_client = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http_client)
}

/// An error and what caused it, on one line.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

fn service_error<E>(operation: &'static str, error: SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let message = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => causes(&error),
    };
    Error::Service {
        operation,
        message,
        source: error.into(),
    }
}
