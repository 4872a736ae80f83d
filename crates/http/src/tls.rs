//! TLS 1.2 and 1.3 against Mozilla's roots, with or without a client certificate, and the reasons
//! for refusing the endpoint's certificate.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, OtherError,
    RootCertStore, SignatureScheme,
};
use tokio_rustls::TlsConnector;
use webhooks_domain::outbound::authentication::{ClientCertificate, ClientIdentity, KeyForm};
use webpki::EndEntityCert;

use crate::certified::CertifiedConnectors;

/// Starts TLS connections: HTTP/1.1 only, with ring's cipher suites.
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    verifier: Arc<ExplainingVerifier>,
    anonymous: TlsConnector,
    certified: CertifiedConnectors,
}

impl Tls {
    /// Trusts these roots.
    pub(crate) fn new(roots: RootCertStore) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| Error::General(error.to_string()))?;
        let verifier = Arc::new(ExplainingVerifier(verifier));
        let anonymous = builder(&provider, &verifier)?.with_no_client_auth();
        Ok(Self {
            anonymous: connector(anonymous),
            certified: CertifiedConnectors::default(),
            provider,
            verifier,
        })
    }

    /// Returns the connector of a client certificate, or the one without a certificate, which all
    /// other requests share.
    ///
    /// # Errors
    /// If rustls refuses the key.
    pub(crate) fn connector(
        &self,
        identity: Option<&ClientIdentity>,
    ) -> Result<TlsConnector, Error> {
        let Some(identity) = identity else {
            return Ok(self.anonymous.clone());
        };
        self.certified.get_or_make(identity.id(), || {
            let key = certified_key(identity.certificate(), &self.provider)?;
            let key = Arc::new(SingleCertAndKey::from(key));
            let mut config =
                builder(&self.provider, &self.verifier)?.with_client_cert_resolver(key);
            // An identity is for one origin, and 8 is the least for one.
            config.resumption = Resumption::in_memory_sessions(8);
            Ok(connector(config))
        })
    }
}

fn builder(
    provider: &Arc<CryptoProvider>,
    verifier: &Arc<ExplainingVerifier>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let verifier: Arc<ExplainingVerifier> = Arc::clone(verifier);
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(verifier))
}

fn connector(mut config: ClientConfig) -> TlsConnector {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// The key was found to match when it was given. rustls would check it again, and refuse
/// certificates of X.509 version 1, which endpoints do accept from clients.
fn certified_key(
    certificate: &ClientCertificate,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Error> {
    let key = certificate.key();
    let der = key.der().to_vec();
    let key = match key.form() {
        KeyForm::Pkcs8 => PrivateKeyDer::Pkcs8(der.into()),
        KeyForm::Pkcs1 => PrivateKeyDer::Pkcs1(der.into()),
    };
    let key = provider.key_provider.load_private_key(key)?;
    let chain = certificate.chain().iter().cloned();
    let chain = chain.map(CertificateDer::from).collect();
    Ok(CertifiedKey::new(chain, key))
}

/// The certificate's issuer is unknown, and the peer sent no intermediate certificate.
#[derive(Debug, thiserror::Error)]
#[error("the certificate's issuer is not trusted, and no intermediate certificate was sent")]
pub(crate) struct NoIntermediate;

/// The certificate is its own issuer.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is self-signed")]
pub(crate) struct SelfSigned;

/// Wraps rustls' own verifier. It accepts and refuses the same certificates; only the error for
/// an unknown issuer is more precise.
#[derive(Debug)]
struct ExplainingVerifier(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for ExplainingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| match error {
                Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                    Error::InvalidCertificate(unknown_issuer(end_entity, intermediates))
                }
                error => error,
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn unknown_issuer(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> CertificateError {
    let Ok(certificate) = EndEntityCert::try_from(end_entity) else {
        return CertificateError::UnknownIssuer;
    };
    if certificate.issuer() == certificate.subject() {
        CertificateError::Other(OtherError(Arc::new(SelfSigned)))
    } else if intermediates
        .iter()
        .all(|intermediate| intermediate == end_entity)
    {
        CertificateError::Other(OtherError(Arc::new(NoIntermediate)))
    } else {
        CertificateError::UnknownIssuer
    }
}
