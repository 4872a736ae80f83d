//! Code that functions share: configuration from the environment, AWS clients, logging, metrics,
//! traces, the clock, errors with a fixed name, and the adapters of KMS, EventBridge and Step
//! Functions.
//!
//! The only thing in this crate that is specific to one function is its [configuration](Config).

mod aws;
mod clock;
mod config;
mod environment;
mod error;
mod event_bus;
mod function_client;
mod kms;
mod logging;
pub mod metrics;
mod recovery_workflow;
mod switch;
mod trace;

pub use aws::aws_config;
pub use aws_config::SdkConfig;
pub use clock::{SystemClock, end_of_invocation};
pub use config::{
    ApiConfig, Config, ConfigError, ConsoleSessionsConfig, DeleteCustomersConfig,
    DeliverWebhookConfig, EchoReceiverConfig, LookUpSubscriptionsConfig, NotifyContactsConfig,
    PortalConfig, PrepareCallsConfig, RecoverDeliveriesConfig, RequeueDueDeliveriesConfig,
    functions, start,
};
pub use environment::{Environment, Variable, VariableError, Variables};
pub use error::FunctionError;
pub use event_bus::EventBus;
pub use function_client::{FunctionClient, InvokeError};
pub use kms::{KmsKeyService, KmsUsage};
pub use metrics::{Metric, Metrics, Monitoring};
pub use recovery_workflow::SfnWorkflow;
pub use switch::{Switch, SwitchError};
pub use trace::{TraceHeader, Tracer};
pub use webhooks_domain::ports::with_sources;
