//! Code that all functions share: configuration from the environment, AWS clients, logging,
//! metrics, traces, the clock, and errors with a fixed name.
//!
//! This crate contains nothing that is specific to one function.

mod aws;
mod clock;
mod environment;
mod error;
mod function_client;
mod logging;
pub mod metrics;
mod trace;

pub use aws::aws_config;
pub use aws_config::SdkConfig;
pub use clock::{SystemClock, end_of_invocation};
pub use environment::{Environment, EnvironmentError};
pub use error::FunctionError;
pub use function_client::{FunctionClient, InvokeError};
pub use logging::{init_logging, with_sources};
pub use metrics::{Metric, Metrics};
pub use trace::{TraceHeader, Tracer};
