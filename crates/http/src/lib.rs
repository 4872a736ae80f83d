//! The outbound HTTP client: makes one request to a URL that a customer chose.
//!
//! Guarantees of [`HttpSender`]:
//! - Only checked addresses are dialled. A name is resolved once, when a connection is made;
//!   if **any** answer is refused by the address policy, nothing is dialled. An address in the
//!   URL never reaches a resolver, so it is checked before.
//! - A kept connection leads to an address that was checked when it was dialled, and the policy
//!   does not change while the process lives; so using it again dials nothing new, whatever the
//!   name has come to mean since. It is dropped after a few idle seconds.
//! - One deadline over name resolution, connection, TLS, headers and body.
//! - At most one request per call: no redirect is followed, nothing is sent again. (A connection
//!   found closed before a single byte was written to it is replaced; that is no second request.)
//! - No proxy from the environment, no decompression, no cookies, HTTP/1.1 only, TLS 1.2 or
//!   newer against Mozilla's roots. No way to switch verification off. (The feature `bench`
//!   adds an authority, and no release build has it.)
//! - Bounded memory: at most [`MAX_BODY_BYTES`] of a response are read and only the excerpt is
//!   kept; headers are at most 100 in about 400 KiB (hyper's bounds).
//!
//! The status line decides an attempt's outcome. A body that breaks off or is slow after a 2xx
//! does not undo the success (the endpoint has said that it accepted the webhook, and sending
//! again would duplicate it); what happened is in the response's `error`.
//!
//! Names are resolved over DNS alone, by the name servers of the system's configuration, which
//! is read once. `getaddrinfo` would hold a thread until it gives up by itself, cannot be
//! cancelled, and tells one failure from another in words only. So:
//! - Names are absolute; no search list and no `hosts` file counts. A receiver on this machine is
//!   reached by its address, in a development network, since `localhost` is no endpoint's name.
//! - IPv4 and IPv6 addresses are both asked for and waited for. When one family gives none,
//!   for whatever reason, the other counts: what was not learnt is not dialled either.
//! - A question is given up after four seconds. An answer that is too long for UDP comes over
//!   TCP. No answer is kept, whatever its time to live.
//!
//! This crate is not a general HTTP client, and records and signs nothing.

#[cfg(all(feature = "bench", not(debug_assertions)))]
compile_error!("a release build trusts no authority of a measurement: build it without `bench`");

mod dialled;
mod excerpt;
mod failure;
mod phase;
mod resolver;
mod sender;

#[cfg(test)]
mod hostile_receivers;

pub use sender::{HttpSender, HttpSenderError, MAX_BODY_BYTES};
