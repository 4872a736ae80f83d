//! JSON logs on standard output, where Lambda takes them.

use crate::{Environment, EnvironmentError};

/// Starts logging at the level that `LOG_LEVEL` names.
///
/// One JSON object a line, without a time: Lambda adds its own.
///
/// # Errors
/// When `LOG_LEVEL` is missing or no level.
pub fn init_logging(environment: &Environment) -> Result<(), EnvironmentError> {
    let level: tracing::Level = environment.parse("LOG_LEVEL")?;
    tracing_subscriber::fmt()
        .json()
        .with_max_level(level)
        .with_target(false)
        .without_time()
        .flatten_event(true)
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
