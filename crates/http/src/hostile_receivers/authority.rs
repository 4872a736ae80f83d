//! Certificates, and receivers that show them.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
};

use super::receiver::{OK, Receiver, read_request};

/// A certificate authority of a test.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What is particular about a receiver's certificate and its TLS.
pub(super) struct Leaf {
    pub(super) name: &'static str,
    pub(super) from_year: i32,
    pub(super) to_year: i32,
    pub(super) versions: Vec<&'static SupportedProtocolVersion>,
    /// How long its receiver thinks about a request.
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
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// A receiver with a certificate of this authority.
    pub(super) fn receiver(&self, leaf: &Leaf) -> Receiver {
        let (params, key) = leaf.params();
        let certificate = params.signed_by(&key, &self.0).unwrap().der().clone();
        tls_receiver(certificate, &key, leaf)
    }
}

impl Leaf {
    pub(super) fn params(&self) -> (CertificateParams, KeyPair) {
        let mut params = CertificateParams::new([self.name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(self.from_year, 1, 1);
        params.not_after = date_time_ymd(self.to_year, 1, 1);
        (params, KeyPair::generate().unwrap())
    }
}

/// A receiver that answers one request for each TLS connection and closes it.
pub(super) fn tls_receiver(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    leaf: &Leaf,
) -> Receiver {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&leaf.versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let delay = leaf.delay;
    Receiver::start(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        read_request(&mut stream)?;
        thread::sleep(delay);
        stream.write_all(OK)?;
        stream.conn.send_close_notify();
        stream.flush()
    })
}
