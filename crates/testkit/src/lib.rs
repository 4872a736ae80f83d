//! In-memory ports for tests: one [`InMemoryBackend`] implements every port.
//!
//! A test sets the endpoint's answers and the faults of the backend, runs a use case, and then
//! inspects the state of the backend. The [`contract`] suites check this backend and the real
//! adapters for the same behaviour.
//!
//! [`units`] counts what DynamoDB bills, for tests and measurements.
//!
//! No function and no command depends on this crate. The backend is neither fast nor durable.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod changes;
pub mod client_certificates;
pub mod contract;
pub mod samples;
pub mod units;

mod faults;
mod in_memory;
mod managing;
mod signed_request;

pub use faults::Fault;
pub use in_memory::{InMemoryBackend, Queued};
pub use managing::{InMemoryManage, ManagedSubscription};
pub use signed_request::SignedRequest;
