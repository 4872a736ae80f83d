//! In-memory ports for tests: one [`InMemoryBackend`] implements every port.
//!
//! A test sets the endpoint's answers and the faults of the backend, runs a use case, and then
//! inspects the state of the backend. The [`contract`] suites check this backend and the real
//! adapters for the same behaviour.
//!
//! It is a dev-dependency only, and is neither fast nor durable.

pub mod changes;
pub mod contract;
pub mod samples;

mod faults;
mod in_memory;
mod signed_request;

pub use faults::Fault;
pub use in_memory::{InMemoryBackend, Queued};
pub use signed_request::SignedRequest;
