//! Certificate authorities, and receivers that present their certificates.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
};

use super::receiver::{OK, Receiver, read_request};

/// A certificate authority for a test.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// The variations of a receiver's certificate and its TLS.
pub(super) struct Leaf {
    pub(super) name: &'static str,
    pub(super) from_year: i32,
    pub(super) to_year: i32,
    pub(super) versions: Vec<&'static SupportedProtocolVersion>,
    /// The receiver's delay before it answers a request.
    pub(super) delay: Duration,
}

impl Default for Leaf {
    fn default() -> Self {
        Self {
            name: "example.com",
            from_year: 2020,
            to_year: 2100,
            versions: rustls::ALL_VERSIONS.to_vec(),
            delay: Duration::ZERO,
        }
    }
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let (params, key) = authority(name);
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(super) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// Returns an intermediate authority that this one certifies.
    pub(super) fn intermediate(&self, name: &str) -> Self {
        let (params, key) = authority(name);
        Self(CertifiedIssuer::signed_by(params, key, &self.0).unwrap())
    }

    /// This authority's own certificate.
    pub(super) fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// Starts a receiver that sends only its own certificate.
    pub(super) fn receiver(&self, leaf: &Leaf) -> Receiver {
        self.receiver_with(leaf, &[])
    }

    /// Starts a receiver that sends these certificates after its own.
    pub(super) fn receiver_with(
        &self,
        leaf: &Leaf,
        others: &[CertificateDer<'static>],
    ) -> Receiver {
        let (mut chain, key) = self.certify(leaf);
        chain.extend_from_slice(others);
        tls_receiver(chain, &key, leaf)
    }

    /// Starts a receiver that runs a script on each connection.
    pub(super) fn raw_receiver(
        &self,
        leaf: &Leaf,
        script: impl Fn(ServerConnection, TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Receiver {
        let (chain, key) = self.certify(leaf);
        raw_tls_receiver(chain, &key, leaf, script)
    }

    /// Issues a certificate.
    pub(super) fn sign(
        &self,
        params: &CertificateParams,
        key: &KeyPair,
    ) -> CertificateDer<'static> {
        let certificate = params.signed_by(key, &self.0).unwrap();
        certificate.der().clone()
    }

    pub(super) fn certify(&self, leaf: &Leaf) -> (Vec<CertificateDer<'static>>, KeyPair) {
        let (params, key) = leaf.params();
        let certificate = params.signed_by(&key, &self.0).unwrap().der().clone();
        (vec![certificate], key)
    }
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params, KeyPair::generate().unwrap())
}

impl Leaf {
    pub(super) fn params(&self) -> (CertificateParams, KeyPair) {
        let mut params = CertificateParams::new([self.name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(self.from_year, 1, 1);
        params.not_after = date_time_ymd(self.to_year, 1, 1);
        (params, KeyPair::generate().unwrap())
    }
}

/// Starts a receiver that answers one request on each TLS connection and then closes it.
pub(super) fn tls_receiver(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    leaf: &Leaf,
) -> Receiver {
    let delay = leaf.delay;
    raw_tls_receiver(chain, key, leaf, move |connection, stream| {
        let mut stream = StreamOwned::new(connection, stream);
        read_request(&mut stream)?;
        thread::sleep(delay);
        stream.write_all(OK)?;
        stream.conn.send_close_notify();
        stream.flush()
    })
}

fn raw_tls_receiver(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    leaf: &Leaf,
    script: impl Fn(ServerConnection, TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> Receiver {
    let config = Arc::new(server_config(chain, key, leaf, None));
    Receiver::start(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
        script(connection, stream)
    })
}

/// A configuration that verifies client certificates, or asks for none.
pub(super) fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    leaf: &Leaf,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&leaf.versions)
        .unwrap();
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    builder.with_single_cert(chain, key).unwrap()
}
