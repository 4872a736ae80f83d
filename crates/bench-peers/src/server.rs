//! A server, with its open connections.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{Request, Uri, header::CONNECTION};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::Result;

type Connection = SendRequest<Full<Bytes>>;

/// An HTTPS server. A connection is kept after an exchange, and used for a later one.
pub struct Server {
    name: ServerName<'static>,
    address: SocketAddr,
    tls: TlsConnector,
    idle: Mutex<Vec<Connection>>,
}

impl Server {
    /// The server of a URL, at this address, with a certificate of an authority in a PEM file.
    ///
    /// # Errors
    /// If the URL has no host, or the file no certificate.
    pub fn new(url: &Uri, address: SocketAddr, authority: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let host = url.host().ok_or("a url without a host")?.to_owned();
        Ok(Self {
            name: ServerName::try_from(host)?,
            address,
            tls: TlsConnector::from(Arc::new(config)),
            idle: Mutex::default(),
        })
    }

    /// Sends a request and reads the answer. If this is dropped, the connection is too.
    ///
    /// # Errors
    /// If there is no answer, or its status is not 2xx.
    pub async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<()> {
        let kept = self.idle().pop().filter(|sender| !sender.is_closed());
        let mut sender = match kept {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        if !response.status().is_success() {
            return Err(response.status().to_string().into());
        }
        let closes = response.headers().get(CONNECTION).is_some();
        response.into_body().collect().await?;
        if !closes {
            self.idle().push(sender);
        }
        Ok(())
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(self.name.clone(), stream).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}
