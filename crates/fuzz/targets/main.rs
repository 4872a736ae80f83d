//! Fuzz targets: one for each text that a stranger may write.
//!
//! A target holds laws against inputs near to real ones. As a part of `cargo xtask test` the
//! inputs are random with a fixed seed, for a second each; `cargo xtask fuzz` lets libFuzzer choose them by the
//! code that they reach, for as long as one likes.
//!
//! A failure prints the shrunken input and, in the random run, `BOLERO_RANDOM_SEED=…`: with that
//! in the environment the target begins with the same input. What libFuzzer finds stays in
//! `__fuzz__/TARGET/crashes`, and both runs begin with that.

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
