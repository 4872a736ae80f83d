//! The minimum of a delivery: hyper and rustls send the same bytes with the same kind of
//! signature, ten at once, and read, decide and record nothing.
//!
//! `bench-bare-client URL ADDRESS AUTHORITY.pem SECRET HEADERS.json BODY`, where HEADERS is
//! `[["name", "value"], …]`. For each number on a line of standard input, it makes that many
//! requests and prints `done`.

#![expect(
    clippy::disallowed_methods,
    reason = "not a function: it has no clock port"
)]

use std::{
    error::Error,
    fs,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{Request, header::CONNECTION};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use ring::hmac::{HMAC_SHA256, Key, sign};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    task::LocalSet,
    time::timeout,
};
use tokio_rustls::TlsConnector;

type Connection = SendRequest<Full<Bytes>>;
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The number of concurrent requests, as in a batch.
const AT_ONCE: usize = 10;

/// The time limit of a request. After it, the connection is dropped.
const TIMEOUT: Duration = Duration::from_secs(2);

struct Client {
    url: http::Uri,
    address: SocketAddr,
    tls: TlsConnector,
    key: Key,
    headers: Vec<(String, String)>,
    body: Bytes,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let client = std::rc::Rc::new(Client::from_arguments()?);
    let mut connections: Vec<Option<Connection>> =
        std::iter::repeat_with(|| None).take(AT_ONCE).collect();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    LocalSet::new()
        .run_until(async {
            while let Some(line) = lines.next_line().await? {
                let each = line.parse::<usize>()? / AT_ONCE;
                let mut senders = Vec::with_capacity(AT_ONCE);
                for connection in connections.drain(..) {
                    let client = std::rc::Rc::clone(&client);
                    senders.push(tokio::task::spawn_local(async move {
                        let sent = client.send(connection, each).await;
                        sent.map_err(|error| error.to_string())
                    }));
                }
                for sender in senders {
                    connections.push(sender.await??);
                }
                println!("done");
            }
            Ok(())
        })
        .await
}

impl Client {
    fn from_arguments() -> Result<Self> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [url, address, authority, secret, headers, body] = arguments.as_slice() else {
            return Err("six arguments: see the source".into());
        };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let secret = secret.strip_prefix("whsec_").unwrap_or(secret);
        Ok(Self {
            url: url.parse()?,
            address: address.parse()?,
            tls: TlsConnector::from(Arc::new(config)),
            key: Key::new(HMAC_SHA256, &BASE64_STANDARD.decode(secret)?),
            headers: serde_json::from_str(headers)?,
            body: fs::read(body)?.into(),
        })
    }

    /// Sends requests one after the other, over one connection while it stays open.
    async fn send(
        &self,
        mut connection: Option<Connection>,
        times: usize,
    ) -> Result<Option<Connection>> {
        for _ in 0..times {
            connection = match timeout(TIMEOUT, self.exchange(connection)).await {
                Ok(connection) => connection?,
                Err(_) => None,
            };
        }
        Ok(connection)
    }

    /// Sends one request, and returns the connection if it is still open.
    async fn exchange(&self, connection: Option<Connection>) -> Result<Option<Connection>> {
        let mut sender = match connection {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        sender.ready().await?;
        let response = sender.send_request(self.request()?).await?;
        if !response.status().is_success() {
            return Err(response.status().to_string().into());
        }
        let closes = response.headers().get(CONNECTION).is_some();
        response.into_body().collect().await?;
        Ok((!closes).then_some(sender))
    }

    async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = self.url.host().ok_or("a url without a host")?.to_owned();
        let stream = self
            .tls
            .connect(ServerName::try_from(name)?, stream)
            .await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);
        Ok(sender)
    }

    fn request(&self) -> Result<Request<Full<Bytes>>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let mut request = Request::post(self.url.path());
        let mut id = "";
        for (name, value) in &self.headers {
            if name == "webhook-id" {
                id = value;
            }
            request = request.header(name, value);
        }
        let mut signed = format!("{id}.{now}.").into_bytes();
        signed.extend_from_slice(&self.body);
        let signature = BASE64_STANDARD.encode(sign(&self.key, &signed));
        let request = request
            .header("webhook-timestamp", now.to_string())
            .header("webhook-signature", format!("v1,{signature}"));
        Ok(request.body(Full::new(self.body.clone()))?)
    }
}
