//! In-memory ports for tests: one [`InMemoryBackend`] plays every role at once.
//!
//! A test tells the backend what the endpoint answers and where things break, lets
//! a use case run, and looks at what the backend holds afterwards. Its [`contract`]
//! suites hold this backend and the real adapters against the same promises.
//!
//! A dev-dependency only; nothing here is meant to be fast or durable.

pub mod contract;
pub mod samples;

mod faults;
mod in_memory;
mod signed_request;

pub use faults::Fault;
pub use in_memory::{InMemoryBackend, Queued};
pub use signed_request::SignedRequest;
