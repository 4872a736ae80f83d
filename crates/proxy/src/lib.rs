//! Runs between the clients of a local stack and its emulator.
//!
//! The clients use the [`Proxy`] as AWS. An [`Interceptor`] decides each answer: it may forward
//! the call, inspect it, or make it fail. A pair of interceptors is a chain.
//!
//! - [`Gate`] refuses calls that AWS would refuse.
//! - [`Planted`] answers with failures that a test has requested.
//!
//! The proxy sees only the calls that are sent to it. The emulator's own actions (its rule, its
//! workflow, its queue poller) do not pass through it.

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

/// The proxy could not listen.
#[derive(Debug, thiserror::Error)]
#[error("listening on port {port} for the clients")]
pub struct ListenError {
    port: u16,
    source: std::io::Error,
}

/// The call gets no answer, and its connection ends.
#[derive(Debug, thiserror::Error)]
#[error("the call is not answered")]
struct Unanswered(#[source] CallError);

/// A proxy before the emulator. It ends when the value is dropped.
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
    /// Starts listening on a loopback port for an emulator.
    ///
    /// # Errors
    /// If the port is in use.
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

/// Serves connections until it is aborted, which also ends the connections.
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
    // A client that goes away ends its connection, so nothing is left to do.
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
