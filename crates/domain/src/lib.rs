//! The words and the decisions of the webhook provider.
//!
//! # Cast of characters
//!
//! | word | meaning |
//! |---|---|
//! | event | what a producer puts on the bus |
//! | customer | whose event it is ([`CustomerId`](ids::CustomerId)) |
//! | message | our stored copy of one event ([`Message`](message::Message)) |
//! | subscription | a customer's endpoint and what it wants ([`Subscription`](subscription::Subscription)) |
//! | delivery | one message owed to one subscription ([`Delivery`](delivery::Delivery)) |
//! | attempt | one HTTP request made for a delivery ([`Attempt`](delivery::Attempt)) |
//!
//! # The life of a delivery
//!
//! 1. [`event`] turns a raw event into a message, or says what is wrong with it.
//! 2. [`look_up`] pages through the customer's subscriptions that want it.
//! 3. [`prepare`] makes one [`Delivery`](delivery::Delivery) for each, `pending` or `held`.
//! 4. [`deliver`] makes an attempt: read, sign, send, schedule the next, record.
//! 5. [`delivery`] and [`retry`] decide what follows, until the delivery is
//!    `succeeded`, `failed` or `cancelled`.
//! 6. [`resend`] begins again with one that has ended or is held, when somebody asks for it;
//!    [`recover`] with many, at the pace of their endpoint.
//! 7. [`due`] says where it waits in between; [`sweep`] ends the long waits and finds
//!    what was lost.
//!
//! # What this crate is not
//!
//! It does no I/O and knows no AWS, no async runtime, no HTTP client, no
//! environment and no clock: those come in through [`ports`].
//!
//! # Layers
//!
//! - `model`: the types, and pure decisions on them.
//! - [`ports`]: the traits that adapters implement, in terms of the model.
//! - `use_cases`: each one reads through ports, decides, and writes through ports.
//!
//! A module uses only modules before it, in the order that `tests/layers.rs` declares and checks.

mod model;
pub mod ports;
mod use_cases;

pub use model::{
    broken, data_key, delivery, due, errors, event, event_type, fields, filter, health,
    idempotency, ids, limits, message, metadata, operational, outbound, paging, payload_format,
    prepare, queue, quota, recovery, retry, signing, subscription, timestamp,
};
pub(crate) use model::{members, whole_number};
pub use use_cases::{
    deliver, lists, look_up, manage, publish, read_subscription, recover, resend, send_test, sweep,
    vault,
};
