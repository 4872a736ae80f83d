//! The outbound HTTP client: makes one request to a URL that a customer chose.
//!
//! Guarantees of [`HttpSender`]:
//! - Only checked addresses are dialled. If **any** address of a name is refused by the address
//!   policy, nothing is dialled. An address in the URL never reaches a resolver, so it is checked
//!   before.
//! - A kept connection leads to an address that was checked when it was dialled, and the policy
//!   does not change while the process lives; so using it again dials nothing new, whatever the
//!   name has come to mean since. It is dropped after a few idle seconds.
//! - One deadline over name resolution, connection, TLS, headers and body.
//! - At most one request per call, and no redirect is followed; with one exception. A kept
//!   connection can fail before the peer has said anything, most often because the peer was
//!   closing it. That says nothing of the endpoint, so the request is made once more, on a fresh
//!   connection and within the same deadline (RFC 9112, 9.3.1).
//! - No proxy from the environment, no decompression, no cookies, HTTP/1.1 only, TLS 1.2 or
//!   newer against Mozilla's roots. No way to switch verification off. (The feature `bench`
//!   adds an authority, and no release build has it.)
//! - Bounded memory: at most 256 KiB of a response's head and [`MAX_BODY_BYTES`] of its body are
//!   read, and only the excerpt is kept.
//! - A dead address among several delays an exchange by a quarter of a second: addresses are
//!   raced as RFC 8305 says.
//!
//! The status line decides an attempt's outcome. Nothing after it undoes a 2xx (the endpoint has
//! said that it accepted the webhook, and sending again would duplicate it): no odd header, no
//! body that breaks off. What happened is in the response's `error`. The body is waited for for
//! a second at most, and the time that is recorded is the time to the head.
//!
//! Names are resolved over DNS alone, by the name servers of the system's configuration, which
//! is read once. `getaddrinfo` would hold a thread until it gives up by itself, cannot be
//! cancelled, and tells one failure from another in words only. So:
//! - Names are absolute; no search list and no `hosts` file counts. A receiver on this machine is
//!   reached by its address, in a development network, since `localhost` is no endpoint's name.
//! - IPv4 and IPv6 addresses are both asked for and waited for. When one family gives none,
//!   for whatever reason, the other counts: what was not learnt is not dialled either.
//! - A question is given up after four seconds. It announces room for 1,232 bytes (EDNS); an
//!   answer that is longer comes over TCP. An answer is kept for five seconds at most, and is
//!   checked again whenever it is used.
//!
//! We keep connections and dial by ourselves, on top of hyper's connections: a client that pools
//! them hides whether a connection was used before and whether a byte of an answer came, and
//! both decide what a failure says of the endpoint.
//!
//! This crate is not a general HTTP client, and records and signs nothing.

#[cfg(all(feature = "bench", not(debug_assertions)))]
compile_error!("a release build trusts no authority of a measurement: build it without `bench`");

mod connection;
mod dial;
mod excerpt;
mod failure;
mod head;
mod phase;
mod pool;
mod resolver;
mod sender;
mod tls;

#[cfg(test)]
mod hostile_receivers;

pub use sender::{HttpSender, HttpSenderError, MAX_BODY_BYTES};
