//! A client of a deployed stack, through its public interfaces only.
//!
//! - [`Stack`] is read from `stack.json`, or made from the outputs of a deployed
//!   stack. It puts events on the bus, starts the workflow by hand, and makes sessions of the console.
//! - [`Api`] manages subscriptions and reads messages and deliveries, with
//!   signed requests to the Function URL, or by `lambda:InvokeFunction` where
//!   the stack's Region has no Function URLs.
//!
//! The same code talks to AWS and to a local emulator. The emulator differs in
//! one way: its Function URLs have the host names of AWS, so a request is
//! signed for that host and sent to the emulator's own address.
//!
//! The client never retries an API request and never hides an answer: what the
//! API says is what the caller gets. It is not for use inside the functions.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![expect(
    clippy::disallowed_methods,
    reason = "runs beside the system, not in a function: it waits, and has no clock port"
)]

mod api;
mod error;
mod event;
mod function;
mod signed;
mod stack;

pub use api::{Answered, Api, Call, Sent};
pub use error::Error;
pub use event::Event;
pub use signed::SignedHttp;
pub use stack::{Execution, ExecutionStatus, Stack, sdk_loader};
pub use webhooks_api_types::*;
