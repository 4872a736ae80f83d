//! The parts of the programs to which `cargo xtask bench` compares the functions.
//!
//! They do as little as a program can that sends requests of the same size, with hyper and rustls.
//! They do not follow the rules of the functions: nothing is checked, decided or logged,
//! and a failure ends the program.

mod aws;
mod server;
mod webhook;

pub use aws::{AwsCall, AwsSigner};
pub use server::Server;
pub use webhook::{Webhook, now};

/// The result of a step. An error ends the program.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
