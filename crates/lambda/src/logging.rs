//! JSON logs on standard output, where Lambda takes them.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::{Environment, EnvironmentError};

/// The crates whose events are ours: the functions and what they are made of.
const OURS: [&str; 7] = [
    "webhooks",
    "look_up_subscriptions",
    "prepare_calls",
    "deliver_webhook",
    "requeue_due_deliveries",
    "recover_deliveries",
    "api",
];

/// Starts logging at the level that `LOG_LEVEL` names.
///
/// One JSON object a line, with the `timestamp` and `level` by which Lambda filters.
/// The level is for our own crates only: what AWS clients log below a warning may hold
/// requests whole. And what the name resolver logs is up to customers' name servers.
///
/// # Errors
/// When `LOG_LEVEL` is missing or no level.
pub fn init_logging(environment: &Environment) -> Result<(), EnvironmentError> {
    let level: LevelFilter = environment.parse("LOG_LEVEL")?;
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .with_target(false)
        .flatten_event(true);
    let ours = Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target("hickory", LevelFilter::OFF)
        .with_targets(OURS.map(|target| (target, level)));
    tracing_subscriber::registry()
        .with(lines.with_filter(ours))
        .init();
    Ok(())
}

/// The text of an error with all its sources: `outer: inner: innermost`.
pub fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
