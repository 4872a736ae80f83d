//! The endpoint of `listen`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::forward::Target;
use super::{Heard, arrived};
use crate::signature::{Key, Signed};

/// The largest body that is read.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// The time for the last answer to be sent.
pub(super) const LAST_ANSWER: Duration = Duration::from_millis(50);

/// The answers of the endpoint.
pub(super) struct Behaviour {
    /// The number of requests that fail first.
    pub(super) fail_first: u64,
    /// The status of these failures.
    pub(super) failing: StatusCode,
    /// The status of the other answers, unless requests are forwarded.
    pub(super) then: StatusCode,
    /// The delay of each answer.
    pub(super) delay: Duration,
    /// The destination of forwarded requests.
    pub(super) forward: Option<Target>,
}

/// The state that all requests share.
pub(super) struct Endpoint {
    behaviour: Behaviour,
    keys: Vec<Key>,
    count: AtomicU64,
    heard: mpsc::Sender<Heard>,
}

impl Endpoint {
    pub(super) fn new(behaviour: Behaviour, keys: Vec<Key>, heard: mpsc::Sender<Heard>) -> Self {
        Self {
            behaviour,
            keys,
            count: AtomicU64::new(0),
            heard,
        }
    }

    async fn handle(
        &self,
        request: http::Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
        let at = arrived();
        let (parts, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
            return Ok(empty(StatusCode::PAYLOAD_TOO_LARGE));
        };
        let body = body.to_bytes();
        let text = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let signed = Signed {
            id: text(standardwebhooks::HEADER_WEBHOOK_ID),
            timestamp: text(standardwebhooks::HEADER_WEBHOOK_TIMESTAMP),
            signatures: text(standardwebhooks::HEADER_WEBHOOK_SIGNATURE),
            body: &body,
        };
        let verdict = (!self.keys.is_empty()).then(|| signed.check(&self.keys, at));
        let (response, forward_error) = self.answer(&parts, &body).await;
        let headers = parts.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.to_string(), value.into_owned())
        });
        let heard = Heard {
            at: at.to_string(),
            method: parts.method.to_string(),
            path: parts.uri.to_string(),
            headers: headers.collect(),
            body: String::from_utf8_lossy(&body).into_owned(),
            verdict,
            answered: response.status().as_u16(),
            forward_error,
        };
        // The receiving side is gone when the command is about to end.
        let _ = self.heard.send(heard).await;
        sleep(self.behaviour.delay).await;
        Ok(response)
    }

    /// Returns the answer, and the reason if the request could not be forwarded.
    async fn answer(&self, parts: &Parts, body: &Bytes) -> (Response<Full<Bytes>>, Option<String>) {
        let Behaviour {
            fail_first,
            failing,
            then,
            forward,
            ..
        } = &self.behaviour;
        if self.count.fetch_add(1, Ordering::Relaxed) < *fail_first {
            return (empty(*failing), None);
        }
        match forward {
            None => (empty(*then), None),
            Some(target) => match target.send(parts, body.clone()).await {
                Ok(response) => (response, None),
                Err(error) => (empty(StatusCode::BAD_GATEWAY), Some(format!("{error:#}"))),
            },
        }
    }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// Serves connections until it is aborted. The connections end with it.
pub(super) async fn serve(listener: TcpListener, endpoint: Endpoint) {
    let endpoint = Arc::new(endpoint);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(serve_one(stream, Arc::clone(&endpoint)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_one(stream: TcpStream, endpoint: Arc<Endpoint>) {
    let service = service_fn(|request| {
        let endpoint = Arc::clone(&endpoint);
        async move { endpoint.handle(request).await }
    });
    // A sender that goes away ends its connection, so nothing is left to do.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
