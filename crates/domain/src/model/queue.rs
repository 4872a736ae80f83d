//! The delivery queues and their limits.

use std::time::Duration;

/// The largest number of tasks in one call of the queue (SQS `SendMessageBatch`).
pub const MAX_QUEUE_BATCH: usize = 10;

/// The longest delay of the queue (SQS: `DelaySeconds` ≤ 900).
pub const MAX_QUEUE_DELAY: Duration = Duration::from_mins(15);

/// The queue of a task (a bulkhead). Each queue has its own execution environments, so slow
/// endpoints delay only each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum QueueKind {
    /// The delivery queue.
    #[default]
    Fast,
    /// The queue for endpoints that take long to answer.
    Slow,
}

impl QueueKind {
    /// Returns true for the fast queue, which is the default.
    pub fn is_fast(&self) -> bool {
        *self == Self::Fast
    }
}
