//! TLS 1.2 and 1.3 against Mozilla's roots, and the reasons for refusing a certificate.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use webpki::EndEntityCert;

/// Returns the client's configuration: HTTP/1.1 only, with ring's cipher suites.
pub(crate) fn config(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ExplainingVerifier(verifier)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
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
