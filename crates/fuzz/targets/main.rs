//! Fuzz targets: one for each text that an outsider may write.
//!
//! A target checks properties with inputs that resemble real ones. In `cargo xtask test`, the
//! inputs are random with a fixed seed, and each target runs for a second. In `cargo xtask
//! fuzz`, libFuzzer chooses the inputs by the code that they reach, for any length of time.
//!
//! A failure prints the shrunken input and, in the random run, `BOLERO_RANDOM_SEED=…`: with
//! this environment variable, the target starts with the same input. libFuzzer stores its
//! findings in `__fuzz__/TARGET/crashes`, and both kinds of run start with them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod custom_headers;
mod event;
mod event_type;
mod filter;
mod near;
mod queue_message;
mod retry_after;
mod url;
