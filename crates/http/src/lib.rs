//! The outbound HTTP client: makes one request to a URL that a customer chose.
//!
//! Requests for access tokens go the same way, because their URLs are chosen by customers too. Only
//! the body of their answers is kept as a whole, up to 64 KiB.
//!
//! Guarantees of [`HttpSender`]:
//! - Only checked addresses are dialled. If the address policy refuses **any** address of a
//!   name, nothing is dialled. An address in the URL never reaches a resolver, so it is checked
//!   before.
//! - A kept connection goes to an address that was checked when it was dialled, and the policy
//!   does not change while the process lives. So reusing it is safe, even if the name resolves
//!   to another address by now. It is dropped after a few idle seconds.
//! - One deadline covers name resolution, connection, TLS, headers and body.
//! - Each call makes at most one request and follows no redirect, with one exception. A kept
//!   connection can fail before the peer has sent anything, most often because the peer was
//!   closing it. That is no failure of the endpoint, so the request is repeated once, on a
//!   fresh connection and within the same deadline (RFC 9112, 9.3.1).
//! - No proxy from the environment, no decompression, no cookies, HTTP/1.1 only, TLS 1.2 or
//!   newer against Mozilla's roots. Verification cannot be switched off. (The feature `bench`
//!   adds an authority, and no release build has it.)
//! - A request with a client certificate shares its connections and its TLS sessions only with
//!   requests of the same subscription, certificate and origin. One without shares them with no
//!   request that has one.
//! - Bounded memory: at most 256 KiB of a response's head and [`MAX_BODY_BYTES`] of its body
//!   are read, and only the beginning of the body is kept.
//! - A dead address among several delays an exchange by a quarter of a second, because
//!   addresses are raced as RFC 8305 describes.
//!
//! The status line decides an attempt's outcome. Nothing after it undoes a 2xx, neither an
//! invalid header nor an incomplete body: the endpoint has accepted the webhook, and sending it
//! again would duplicate it. Such problems are recorded in the response's `error`. We wait for
//! the body for a second at most, and the recorded duration ends at the head.
//!
//! Names are resolved over DNS alone, by the name servers of the system's configuration, which
//! is read once. We do not use `getaddrinfo`: it blocks a thread, cannot be cancelled, and its
//! failures differ only in their texts. Therefore:
//! - Names are absolute. No search list and no `hosts` file applies. A receiver on this machine
//!   is reached by its address, in a development network, since `localhost` is not a valid
//!   endpoint name.
//! - IPv4 and IPv6 addresses are both requested, and we wait for both answers. If one family
//!   gives no address, the other one is used. An address that was not learnt is never dialled.
//! - A question is given up after four seconds. It announces room for 1,232 bytes (EDNS); a
//!   longer answer comes over TCP. An answer is cached for at most five seconds, and is checked
//!   again whenever it is used.
//!
//! This crate pools connections itself, on top of hyper's connections. A client with its own
//! pool hides two facts that decide if a failure is the endpoint's: if the connection was used
//! before, and if a byte of an answer came.
//!
//! This crate is not a general HTTP client, and records and signs nothing.

#[cfg(all(feature = "bench", not(debug_assertions)))]
compile_error!("a release build trusts no authority of a measurement: build it without `bench`");

mod body;
mod certified;
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
mod token;

#[cfg(test)]
mod hostile_receivers;

pub use body::MAX_BODY_BYTES;
pub use sender::{HttpSender, HttpSenderError};
