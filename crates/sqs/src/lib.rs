//! The delivery queue: the message codec, sending, and the batch loop.
//!
//! A queue message is a task that there may be work, never a payload and never
//! a secret. What is not understood is never acknowledged.

pub mod batch;

mod message;
mod queue;
mod trace;

pub use message::{DeliveryTaskError, decode, encode};
pub use queue::SqsQueue;
pub use trace::in_trace;
