//! TLS endpoints with a configured behaviour, which count their requests.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header::CONNECTION};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::HandshakeKind;
use tokio::{net::TcpListener, task::AbortHandle, time::sleep};
use tokio_rustls::TlsAcceptor;

use crate::{
    authority::Authority,
    lockstep::{Connection, Lockstep, Wire},
};

/// The name of every receiver. The run's name server resolves it to this machine.
pub(crate) const NAME: &str = "receiver.example.com";

/// A receiver's treatment of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// It answers immediately and keeps the connection.
    Prompt,
    /// It answers immediately and closes the connection. Sessions cannot be resumed.
    NewConnection,
    /// It answers immediately and closes the connection. Sessions may be resumed.
    ResumedConnection,
    /// It answers immediately with a failure and keeps the connection.
    Fails,
    /// It answers after this time.
    Slow(Duration),
    /// It never answers one in `one_in` requests.
    Hangs {
        /// The interval between such requests.
        one_in: u64,
    },
}

/// A received request. The receiver keeps the first one.
#[derive(Clone)]
pub(crate) struct Sample {
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
}

/// The headers that change with each request, or that an HTTP client adds.
const OWN_HEADERS: [&str; 3] = ["webhook-timestamp", "webhook-signature", "content-length"];

impl Sample {
    /// Returns the headers that are the same each time the request is sent.
    pub(crate) fn fixed_headers(&self) -> Result<Vec<(String, String)>> {
        let headers = self.headers.iter();
        let fixed = headers.filter(|(name, _)| !OWN_HEADERS.contains(&name.as_str()));
        let fixed = fixed.map(|(name, value)| {
            let value = value.to_str().context("a header that is not text")?;
            Ok((name.as_str().to_owned(), value.to_owned()))
        });
        fixed.collect()
    }
}

/// An endpoint. It closes when the value is dropped.
pub(crate) struct Receiver {
    port: u16,
    /// The counter of its connections' bytes.
    pub(crate) wire: Arc<Wire>,
    state: Arc<State>,
    accepting: AbortHandle,
}

struct State {
    behaviour: Behaviour,
    requests: AtomicU64,
    full_handshakes: AtomicU64,
    resumed_handshakes: AtomicU64,
    sample: OnceLock<Sample>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Receiver {
    /// Listens on a free port of the loopback address.
    pub(crate) async fn start(
        authority: &Authority,
        behaviour: Behaviour,
        lockstep: &Lockstep,
    ) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("listening for webhooks")?;
        let port = listener.local_addr()?.port();
        let mut config = authority.server(NAME)?;
        if behaviour == Behaviour::NewConnection {
            config.send_tls13_tickets = 0;
            config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        }
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let state = Arc::new(State {
            behaviour,
            requests: AtomicU64::new(0),
            full_handshakes: AtomicU64::new(0),
            resumed_handshakes: AtomicU64::new(0),
            sample: OnceLock::new(),
        });
        let server = lockstep.server();
        let wire = server.wire();
        let serving = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stream = server.connection(stream);
                tokio::spawn(serve(stream, acceptor.clone(), Arc::clone(&serving)));
            }
        });
        Ok(Self {
            port,
            wire,
            state,
            accepting: accepting.abort_handle(),
        })
    }

    /// Returns its URL, with a host name.
    pub(crate) fn url(&self) -> String {
        format!("https://{NAME}:{}/webhooks", self.port)
    }

    /// Returns the address behind the URL.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns the number of requests that it has read.
    pub(crate) fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::Relaxed)
    }

    /// Returns the numbers of connections so far with a full handshake and with a resumed
    /// session.
    pub(crate) fn handshakes(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (
            count(&self.state.full_handshakes),
            count(&self.state.resumed_handshakes),
        )
    }

    /// Returns the first request that it has read.
    pub(crate) fn sample(&self) -> Result<Sample> {
        self.state.sample.get().cloned().context("no request came")
    }
}

async fn serve(stream: Connection, acceptor: TlsAcceptor, state: Arc<State>) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let handshakes = match stream.get_ref().1.handshake_kind() {
        Some(HandshakeKind::Resumed) => &state.resumed_handshakes,
        _ => &state.full_handshakes,
    };
    handshakes.fetch_add(1, Ordering::Relaxed);
    let service = service_fn(|request| {
        let state = Arc::clone(&state);
        async move { state.handle(request).await }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl State {
    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        self.sample.get_or_init(|| Sample {
            headers: parts.headers,
            body,
        });
        let mut response = Response::builder().header("content-type", "text/plain");
        match self.behaviour {
            Behaviour::NewConnection | Behaviour::ResumedConnection => {
                response = response.header(CONNECTION, "close");
            }
            Behaviour::Fails => response = response.status(StatusCode::INTERNAL_SERVER_ERROR),
            Behaviour::Slow(delay) => sleep(delay).await,
            Behaviour::Hangs { one_in } if number.is_multiple_of(one_in) => {
                std::future::pending::<()>().await;
            }
            Behaviour::Prompt | Behaviour::Hangs { .. } => {}
        }
        Ok(response.body(Full::from("ok"))?)
    }
}
