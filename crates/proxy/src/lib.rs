//! Stands between the functions of a local stack and its emulator.
//!
//! The functions take the [`Proxy`] for AWS, and what a [`Between`] makes of a call is their
//! answer: it may forward it to the [`Emulator`], look at what went through, or break it.
//!
//! It sees the functions' own calls only. What the emulator does by itself (the rule, the
//! workflow, the queue's poller) never passes it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod call;
mod emulator;

pub use call::{id, operation};
pub use emulator::Emulator;

use std::{convert::Infallible, future::Future, net::Ipv4Addr, sync::Arc};

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

/// What went wrong with one call, whoever found it.
pub type CallError = Box<dyn std::error::Error + Send + Sync>;

/// The proxy cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("listening on port {port} for the functions")]
pub struct ListenError {
    port: u16,
    source: std::io::Error,
}

/// A call gets no answer: its connection ends.
#[derive(Debug, thiserror::Error)]
#[error("the call is not answered")]
struct Unanswered(#[source] CallError);

/// Who stands between the functions and the emulator.
pub trait Between: Send + Sync + 'static {
    /// Answers one call. An error closes the connection in place of an answer. When the
    /// client hangs up, the future is dropped.
    fn answer(
        &self,
        call: Request<Bytes>,
        emulator: &Emulator,
    ) -> impl Future<Output = Result<Response<Bytes>, CallError>> + Send;
}

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
    pub async fn start<B: Between>(
        port: u16,
        emulator: &Url,
        between: Arc<B>,
    ) -> Result<Self, ListenError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|source| ListenError { port, source })?;
        let emulator = Arc::new(Emulator::new(emulator));
        let accepting = tokio::spawn(accept(listener, between, emulator)).abort_handle();
        Ok(Self { accepting })
    }
}

/// Serves connections until it is aborted. The connections end with it.
async fn accept<B: Between>(
    listener: TcpListener,
    between: Arc<B>,
    emulator: Arc<Emulator>,
) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(serve(stream, Arc::clone(&between), Arc::clone(&emulator)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve<B: Between>(stream: TcpStream, between: Arc<B>, emulator: Arc<Emulator>) {
    let service = service_fn(|request| {
        let (between, emulator) = (Arc::clone(&between), Arc::clone(&emulator));
        async move { answer(&*between, request, &emulator).await }
    });
    // A function that goes away ends its connection: nothing is left to do.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer<B: Between>(
    between: &B,
    request: Request<Incoming>,
    emulator: &Emulator,
) -> Result<Response<Full<Bytes>>, Unanswered> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| Unanswered(error.into()))?;
    let call = Request::from_parts(parts, body.to_bytes());
    let answer = between.answer(call, emulator).await.map_err(Unanswered)?;
    Ok(answer.map(Full::new))
}
