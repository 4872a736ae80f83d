//! Fuzz targets: one for each text that an outsider may write.
//!
//! A target checks properties with inputs that resemble real ones. In `cargo xtask test`, they
//! are the same 1,000 in each run. In `cargo xtask fuzz`, libFuzzer chooses the inputs by the
//! code that they reach, for any length of time. It stores its findings in
//! `__fuzz__/TARGET/crashes`, and both kinds of run start with them.
//!
//! Random inputs without libFuzzer: `BOLERO_RANDOM_ITERATIONS=100000 cargo test --release -p
//! webhooks-fuzz`. A failure prints the shrunken input and `BOLERO_RANDOM_SEED=…`, with which
//! the target starts with the same input.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod client_certificate;
mod custom_headers;
mod event;
mod event_type;
mod filter;
mod law;
mod near;
mod queue_message;
mod retry_after;
mod transform;
mod url;
