//! Stands between the clients of a local stack and its emulator.
//!
//! The clients take the [`Proxy`] for AWS, and what an [`Interceptor`] makes of a call is their
//! answer: it may forward it, look at what went through, or break it. Two interceptors in a
//! pair stand one behind the other.
//!
//! - [`Gate`] refuses what AWS would refuse.
//! - [`Planted`] answers with failures that a test has asked for.
//!
//! It sees only what is sent to it. What the emulator does by itself (the rule, the workflow,
//! the queue's poller) never passes it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod call;
mod emulator;
mod failure;
mod gate;
mod interceptor;
mod planted;

pub use call::{id, operation};
pub use emulator::Emulator;
pub use failure::{Failure, FailureKind};
pub use gate::{Gate, GateError};
pub use interceptor::{CallError, Interceptor, Next};
pub use planted::Planted;

use std::{convert::Infallible, net::Ipv4Addr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use url::Url;

/// The proxy cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("listening on port {port} for the clients")]
pub struct ListenError {
    port: u16,
    source: std::io::Error,
}

/// A call gets no answer: its connection ends.
#[derive(Debug, thiserror::Error)]
#[error("the call is not answered")]
struct Unanswered(#[source] CallError);

/// A proxy of the emulator. It ends when the value is dropped.
#[derive(Debug)]
pub struct Proxy {
    accepting: AbortHandle,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    /// Listens on a port of the loopback address, for an emulator.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start<I: Interceptor>(
        port: u16,
        emulator: &Url,
        interceptor: I,
    ) -> Result<Self, ListenError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|source| ListenError { port, source })?;
        let accepting = accept(
            listener,
            Arc::new(interceptor),
            Arc::new(Emulator::new(emulator)),
        );
        let accepting = tokio::spawn(accepting).abort_handle();
        Ok(Self { accepting })
    }
}

/// Serves connections until it is aborted. The connections end with it.
async fn accept<I: Interceptor>(
    listener: TcpListener,
    interceptor: Arc<I>,
    emulator: Arc<Emulator>,
) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(serve(stream, Arc::clone(&interceptor), Arc::clone(&emulator)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve<I: Interceptor>(stream: TcpStream, interceptor: Arc<I>, emulator: Arc<Emulator>) {
    let service = service_fn(|request| {
        let (interceptor, emulator) = (Arc::clone(&interceptor), Arc::clone(&emulator));
        async move { answer(&*interceptor, request, &emulator).await }
    });
    // A client that goes away ends its connection: nothing is left to do.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer<I: Interceptor>(
    interceptor: &I,
    request: Request<Incoming>,
    emulator: &Emulator,
) -> Result<Response<Full<Bytes>>, Unanswered> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| Unanswered(error.into()))?;
    let call = Request::from_parts(parts, body.to_bytes());
    let answer = interceptor
        .answer(call, emulator)
        .await
        .map_err(Unanswered)?;
    Ok(answer.map(Full::new))
}
