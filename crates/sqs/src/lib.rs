//! The delivery queue: the message codec, sending, and the batch loop; and the depth of any queue.
//!
//! A queue message says that there may be work. It never contains a payload or a secret. A message
//! that this code does not understand is never acknowledged.

pub mod batch;

mod depth;
mod message;
mod notification;
mod queue;
mod trace;

pub use depth::{QueueDepth, queue_depth};
pub use message::{DeliveryTaskError, decode, encode};
pub use notification::{ConfirmationMessage, ConfirmationRequest, NotificationQueue};
pub use queue::SqsQueue;
pub use trace::in_trace;
