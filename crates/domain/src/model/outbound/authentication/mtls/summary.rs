//! The facts of an X.509 certificate (RFC 5280).

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};
use x509_parser::certificate::{X509Certificate, X509CertificateParser};
use x509_parser::nom::Parser as _;
use x509_parser::time::ASN1Time;

use super::super::super::legible;
use super::{ClientCertificateError, Mtls};
use crate::timestamp::Timestamp;

/// Parses one certificate, without its extensions: nothing here needs them. Bytes after it are
/// refused.
fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
    match parser.parse(der) {
        Ok(([], certificate)) => Some(certificate),
        _ => None,
    }
}

/// The public key of a certificate.
pub(super) fn public_key(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = parse(der)?;
    let key = &certificate.public_key().subject_public_key;
    Some(key.data.to_vec())
}

/// The summary of a certificate that [`public_key`] could read.
pub(super) fn summary(der: &[u8]) -> Result<Mtls, ClientCertificateError> {
    let certificate = parse(der).ok_or(ClientCertificateError::NotX509 { number: 1 })?;
    let validity = certificate.validity();
    let (not_before, not_after) = (time(validity.not_before), time(validity.not_after));
    if not_before >= not_after {
        return Err(ClientCertificateError::Validity);
    }
    let name = |name: String| legible(name.as_bytes(), Mtls::MAX_NAME_BYTES);
    Ok(Mtls {
        subject: name(certificate.subject().to_string()),
        issuer: name(certificate.issuer().to_string()),
        sha256_fingerprint: fingerprint(der),
        not_before,
        not_after,
    })
}

fn time(time: ASN1Time) -> Timestamp {
    Timestamp::from_millis(time.timestamp().saturating_mul(1_000))
}

fn fingerprint(der: &[u8]) -> String {
    let hash = digest(&SHA256, der);
    let mut digits = String::with_capacity(Mtls::FINGERPRINT_BYTES);
    for byte in hash.as_ref() {
        write!(digits, "{byte:02x}").expect("a string takes every text");
    }
    digits
}
