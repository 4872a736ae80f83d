//! JSON logs on standard output, from which Lambda reads them.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::{Format, Json, JsonFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Our own crates: the functions and the crates that they consist of.
const OURS: [&str; 12] = [
    "webhooks",
    "look_up_subscriptions",
    "prepare_calls",
    "deliver_webhook",
    "requeue_due_deliveries",
    "recover_deliveries",
    "delete_customers",
    "notify_contacts",
    "api",
    "portal",
    "console_sessions",
    "echo_receiver",
];

/// Starts logging at this level.
///
/// Each line is a JSON object with the `timestamp` and `level` that Lambda uses for filtering.
/// The level applies only to our own crates. Others log only warnings and errors, because lower
/// levels of AWS clients may contain whole requests. The name resolver does not log at all,
/// since customers' name servers influence its texts.
pub(crate) fn init(level: LevelFilter) {
    let ours = Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target("hickory", LevelFilter::OFF)
        .with_targets(OURS.map(|target| (target, level)));
    tracing_subscriber::registry()
        .with(lines().with_filter(ours))
        .init();
}

/// Writes one JSON object per line.
fn lines<S>() -> fmt::Layer<S, JsonFields, Format<Json>> {
    fmt::layer().json().with_target(false).flatten_event(true)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, PipeWriter, Read, pipe};

    use serde_json::Value;
    use webhooks_domain::timestamp::Timestamp;

    use super::*;

    fn log_to(writer: PipeWriter) {
        let lines = lines().with_writer(std::sync::Mutex::new(writer));
        let registry = tracing_subscriber::registry().with(lines);
        tracing::subscriber::with_default(registry, || {
            tracing::debug!(delivery.id = "dlv_1", "looked at");
            tracing::error!("failed");
        });
    }

    fn read(mut reader: PipeReader) -> Vec<Value> {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Without both fields, Lambda treats a line as INFO (Lambda developer guide, "Log-level
    /// filtering"): DEBUG lines would not be filtered out, and errors would not be recognised.
    #[test]
    fn a_line_has_the_level_and_the_time_by_which_lambda_filters() {
        let (reader, writer) = pipe().unwrap();
        log_to(writer);
        let lines = read(reader);
        let levels: Vec<_> = lines.iter().map(|line| &line["level"]).collect();
        assert_eq!(levels, ["DEBUG", "ERROR"]);
        for line in &lines {
            let time = line["timestamp"].as_str().unwrap();
            assert!(Timestamp::parse_rfc3339(time).is_some(), "{time}");
        }
        assert_eq!(lines[0]["delivery.id"], "dlv_1");
    }
}
