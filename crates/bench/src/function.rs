//! One execution environment: a function's program under a stub of the Runtime API.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use tokio::time::sleep;

use crate::{
    lockstep::Lockstep,
    process::Process,
    runtime_api::{Answer, RuntimeApi},
    stub_aws::TABLE,
};

/// The queue for tasks.
pub(crate) const QUEUE_URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/bench";

/// The programs and their environment.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// The folder of the functions' programs.
    pub(crate) programs: PathBuf,
    /// The environment variables of all functions.
    pub(crate) variables: BTreeMap<String, String>,
}

impl Surroundings {
    /// Returns the environment for every function: all variables that template.yaml defines.
    pub(crate) fn new(programs: PathBuf, aws_endpoint: &str) -> Self {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            (
                "AWS_SECRET_ACCESS_KEY",
                "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            ),
            // As long as on Lambda.
            ("AWS_SESSION_TOKEN", SESSION_TOKEN),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", aws_endpoint),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("LOG_LEVEL", "INFO"),
            ("MONITORING", "Essential"),
            ("STATISTICS", "Enabled"),
            ("TABLE_NAME", TABLE),
            ("PORTAL_URL", "https://portal.example.com"),
            ("PORTAL_RETURN_URLS", "https://app.example.com"),
            ("PORTAL_FRAME_ANCESTORS", "'none'"),
            (
                "PORTAL_DAILY_LIMITS",
                "tests=200,endpoints=100,resends=1000,recoveries=50,counts=200",
            ),
            ("SELF_TEST_TABLE_NAME", TABLE),
            ("DELIVERY_QUEUE_URL", QUEUE_URL),
            ("SLOW_DELIVERY_QUEUE_URL", QUEUE_URL),
            ("DELIVERY_DEAD_LETTER_QUEUE_URL", QUEUE_URL),
            ("FAILED_EVENTS_QUEUE_URL", QUEUE_URL),
            ("RULE_DEAD_LETTER_QUEUE_URL", QUEUE_URL),
            (
                "SIGNING_KEY_ARN",
                "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            ),
            ("INSTALLATION_ID", "8f0b1b5c-5f2e-4d8a-9d3a-0c6a3b6f1e2d"),
            (
                "RECOVERY_STATE_MACHINE_ARN",
                "arn:aws:states:us-east-1:123456789012:stateMachine:bench",
            ),
            ("LAMBDA_ENDPOINT", "https://lambda.us-east-1.amazonaws.com"),
            ("DELIVER_WEBHOOK_FUNCTION_NAME", "bench"),
            ("API_FUNCTION_NAME", "bench:portal"),
            ("EVENT_BUS_NAME", "bench"),
            ("NOTIFICATION_SENDER", "webhooks@example.com"),
            ("OPERATOR_CUSTOMER_ID", ""),
            ("CUSTOMER_ID_POINTER", "/detail/customerId"),
            ("IDEMPOTENCY_KEY_POINTER", "/detail/idempotencyKey"),
            ("DEADLINE_POINTER", "/detail/webhookDeadline"),
            ("DELIVER_AT_POINTER", "/detail/webhookDeliverAt"),
            ("MESSAGE_LINK_TEMPLATE", ""),
            ("REQUEST_TIMEOUT_SECONDS", "15"),
            ("KEPT_RESPONSE_BYTES", "512,16384"),
            ("MAXIMUM_SUBSCRIPTIONS_PER_CUSTOMER", "1000"),
            ("EVENT_TYPES_MUST_BE_KNOWN", "false"),
            ("EVENT_TYPE_REFRESH_SECONDS", "60"),
            ("RETENTION_DAYS", "90"),
            ("RETENTION_BY_EVENT_TYPE", ""),
            (
                "RETRY_SCHEDULE",
                "0,5,300,1800,7200,18000,36000,50400,72000,86400",
            ),
            ("LONGEST_QUEUE_DELAY_SECONDS", "900"),
            ("DISABLE_AFTER_DAYS", "5"),
            ("CIRCUIT_FAILURE_PERCENT", "80"),
            ("CIRCUIT_MINIMUM_ATTEMPTS", "10"),
            ("CIRCUIT_COOLDOWN_SECONDS", "30"),
            ("DEVELOPMENT_ALLOWED_CIDRS", "127.0.0.0/8"),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            programs,
            variables: variables.map(owned).into(),
        }
    }

    /// Returns the environment with one variable added or changed.
    pub(crate) fn with(&self, name: &str, value: impl std::fmt::Display) -> Self {
        let mut variables = self.variables.clone();
        variables.insert(name.to_owned(), value.to_string());
        Self {
            programs: self.programs.clone(),
            variables,
        }
    }

    /// Returns the path of a function's program.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

const SESSION_TOKEN: &str = "IQoJb3JpZ2luX2VjEExampleExampleExampleExampleExampleExampleExampleExample\
    ExampleExampleExampleExampleExampleExampleExampleExampleExampleExampleExampleExampleExample\
    ExampleExampleExampleExampleExampleExampleExampleExampleExampleExampleExampleExampleExample\
    ExampleExampleExampleExampleExampleExampleExampleExampleExampleExampleExampleExampleExample\
    ExampleExampleExampleExampleExampleExampleExampleExampleExampleExampleExampleExampleExample";

/// A function that is ready for its first event.
pub(crate) struct Function {
    /// Its program.
    pub(crate) process: Process,
    api: RuntimeApi,
    /// The time from its start to its first poll.
    pub(crate) start_took: Duration,
}

impl Function {
    /// Starts one of our functions and waits until it polls.
    pub(crate) async fn start(surroundings: &Surroundings, name: &str) -> Result<Self> {
        let program = surroundings.program(name);
        Self::start_program(&program, &[], &surroundings.variables).await
    }

    /// Starts any program that uses the Runtime API.
    pub(crate) async fn start_program(
        program: &Path,
        arguments: &[&str],
        variables: &BTreeMap<String, String>,
    ) -> Result<Self> {
        Self::start_in_step(&Lockstep::default(), program, arguments, variables).await
    }

    /// Starts a program whose stub of the Runtime API is in lockstep with other servers.
    pub(crate) async fn start_in_step(
        lockstep: &Lockstep,
        program: &Path,
        arguments: &[&str],
        variables: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let mut api = RuntimeApi::start(lockstep).await?;
        let mut variables = variables.clone();
        variables.insert("AWS_LAMBDA_RUNTIME_API".to_owned(), api.address.clone());
        let started = Instant::now();
        let mut process = Process::start(program, arguments, &variables)?;
        let polled = tokio::select! {
            polled = api.first_poll() => polled,
            error = ended(&mut process) => Err(error),
        };
        let polled = polled.with_context(|| format!("`{}`", program.display()))?;
        Ok(Self {
            process,
            api,
            start_took: polled - started,
        })
    }

    /// Invokes it with one event.
    pub(crate) async fn invoke(&mut self, payload: impl Into<Bytes>) -> Result<Answer> {
        tokio::select! {
            answer = self.api.invoke(payload) => {
                answer.with_context(|| self.process.last_lines())
            }
            error = ended(&mut self.process) => Err(error),
        }
    }
}

/// Returns an error when the program ends.
async fn ended(process: &mut Process) -> anyhow::Error {
    loop {
        if let Some(status) = process.ended() {
            return anyhow::anyhow!("it ended ({status}):\n{}", process.last_lines());
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Checks that the answer reports no failed items.
pub(crate) fn expect_no_failures(answer: &Answer) -> Result<()> {
    let body: serde_json::Value = serde_json::from_slice(&answer.body)?;
    match body["batchItemFailures"].as_array() {
        Some(failures) if failures.is_empty() => Ok(()),
        _ => bail!("not every message was handled: {body}"),
    }
}
