//! The failures of ports, and the outcomes of conditional writes.

/// A failure of the table. It is our own failure, never the endpoint's.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The table did not answer, or refused temporarily. A retry may help.
    #[error("table did not {operation}")]
    Unavailable {
        /// The operation, such as `get subscription`.
        operation: &'static str,
        /// The error of the client.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An item exists but cannot be read.
    #[error("item `{key}` cannot be read: {problem}")]
    Corrupt {
        /// The item's key.
        key: String,
        /// The problem.
        problem: String,
    },
}

/// The key service did not answer, or refused.
#[derive(Debug, thiserror::Error)]
#[error("key service did not {operation}")]
pub struct KeyServiceError {
    /// The operation, such as `unwrap the data key`.
    pub operation: &'static str,
    /// The error of the client.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The queue did not accept a message.
#[derive(Debug, thiserror::Error)]
#[error("queue did not take the message")]
pub struct QueueError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// An operational event did not reach the bus.
#[derive(Debug, thiserror::Error)]
#[error("bus did not take the event")]
pub struct PublishError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The workflow of a recovery did not start.
#[derive(Debug, thiserror::Error)]
#[error("workflow of the recovery did not start")]
pub struct WorkflowError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The result of a write that must not overwrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertOutcome {
    /// It was written.
    Inserted,
    /// It already exists, possibly from an earlier try of this write; nothing was written.
    AlreadyThere,
}

/// The result of a write that is conditional on the state that was read (optimistic concurrency).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It was written.
    Written,
    /// Another write came first; nothing was written.
    Conflict,
}

/// Returns the text of an error with all its sources: `outer: inner: innermost`.
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
