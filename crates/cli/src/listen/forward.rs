//! Forwards a request to another local endpoint.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The time limit of the other endpoint: longer than any stack waits.
const TIME_LIMIT: Duration = Duration::from_secs(35);

/// The largest answer that is read.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// An http URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// `host:port`
    authority: String,
    path: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text
            .parse()
            .map_err(|_| "must be a URL such as http://localhost:3000/".to_owned())?;
        if uri.scheme_str() != Some("http") {
            return Err(
                "must begin with http://, since the endpoint is on this machine".to_owned(),
            );
        }
        let host = uri.host().unwrap_or_default();
        Ok(Self {
            authority: format!("{host}:{}", uri.port_u16().unwrap_or(80)),
            path: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        })
    }
}

impl Target {
    /// Sends a request with the same method, headers and body, and returns the answer.
    pub(super) async fn send(&self, parts: &Parts, body: Bytes) -> Result<Response<Full<Bytes>>> {
        let exchange = timeout(TIME_LIMIT, self.exchange(parts, body)).await;
        exchange.with_context(|| format!("{} took more than {TIME_LIMIT:?}", self.authority))?
    }

    async fn exchange(&self, parts: &Parts, body: Bytes) -> Result<Response<Full<Bytes>>> {
        let stream = TcpStream::connect(&self.authority).await;
        let stream = stream.with_context(|| format!("cannot connect to {}", self.authority))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let driving = tokio::spawn(connection).abort_handle();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = self.path.parse()?;
        let headers = request.headers_mut();
        *headers = parts.headers.clone();
        // These headers belong to one connection only.
        for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            headers.remove(name);
        }
        headers.insert(HOST, HeaderValue::from_str(&self.authority)?);
        let (mut parts, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
        let body = body
            .map_err(|error| anyhow::anyhow!("{}: error in its answer: {error}", self.authority))?;
        driving.abort();
        for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            parts.headers.remove(name);
        }
        Ok(Response::from_parts(parts, Full::new(body.to_bytes())))
    }
}
