//! Running recoveries: sending much again, at the pace of the endpoint.
//!
//! A recovery goes through a list, oldest first, a page at a time: `recover` through what
//! a subscription is owed, `replay` through the customer's messages that the subscription
//! never had. A page hands out the attempts that the endpoint takes in the next 30 seconds,
//! each with a time of its own, and the workflow waits until they are over.
//!
//! What a page has written counts, whether or not it came to write its progress: a delivery
//! is made pending only as it was read, and a missing one is only put where there is none.
//! So a page that was killed is run again, and sends nothing twice on purpose.

mod count;
mod pace;
mod page;
mod run;
mod select;

pub use count::Count;
pub use page::{RecoverDeliveries, RecoverError, Report, Turn};
pub use run::{Recoveries, RecoveriesError};
