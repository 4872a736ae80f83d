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
//!    [`recovery`] with many, at the pace of their endpoint.
//! 7. [`due`] says where it waits in between; [`sweep`] ends the long waits and finds
//!    what was lost.
//!
//! # What this crate is not
//!
//! It does no I/O and knows no AWS, no async runtime, no HTTP client, no
//! environment and no clock: those come in through [`ports`].

pub mod data_key;
pub mod deliver;
pub mod delivery;
pub mod due;
pub mod duplicate;
pub mod errors;
pub mod event;
pub mod event_type;
pub mod filter;
pub mod health;
pub mod ids;
pub mod limits;
pub mod lists;
pub mod look_up;
pub mod manage;
pub mod message;
pub mod metadata;
pub mod operational;
pub mod outbound;
pub mod payload_format;
pub mod ports;
pub mod prepare;
pub mod quota;
pub mod recovery;
pub mod resend;
pub mod retry;
pub mod send_test;
pub mod signing;
pub mod subscription;
pub mod sweep;
pub mod timestamp;
pub mod vault;
mod whole_number;
