//! The pages of the portal (for customers) and of the console (for the operator's support staff).
//!
//! Each page is a function from a [`Frame`](frame::Frame) and the data of the page to HTML. The
//! data are types of the API where these fit. The function `portal` reads the data, checks the
//! session, and serves the pages and the [`assets`].
//!
//! # Guarantees
//!
//! - Text of customers, producers and receivers adds no element and no attribute: `maud` escapes
//!   it, and all attributes stand in double quotes. Characters that are invisible or change the
//!   direction of text are shown as their code points ([`text`]).
//! - A link leads to a path of the portal, or to an `https:` or `mailto:` URL ([`Href`](href::Href)).
//! - No page has an inline script, an inline style or a file of another host, except the
//!   operator's logo. [`csp`] has the policy that enforces this.
//! - A page shows neither a body nor an answer of an endpoint without the capability `payloads`,
//!   and no form without the capability for its request. The function checks capabilities again
//!   at each request.
//!
//! # What this crate is not
//!
//! It does no I/O, and has no clock: the frame has the present time. It checks no session and no
//! token.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod assets;
pub mod brand;
pub mod console;
pub mod csp;
pub mod deliveries;
pub mod delivery;
pub mod endpoint;
pub mod endpoint_form;
pub mod endpoints;
pub mod event_types;
mod fields;
pub mod frame;
pub mod href;
mod json;
mod layout;
pub mod notices;
mod parts;
pub mod paths;
pub mod problem;
pub mod recoveries;
pub mod recovery_form;
mod state;
mod statistics;
pub mod text;
mod time;
