//! The reasons for which a client certificate is refused.

use crate::timestamp::Timestamp;

/// The reason why a client certificate or its private key is refused. No message shows a part of
/// the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientCertificateError {
    /// A text that is too long.
    #[error("{member}: must have at most {max} bytes, has {size_bytes}")]
    TooLong {
        /// Its name in the API.
        member: &'static str,
        /// Its length.
        size_bytes: usize,
        /// The largest length.
        max: usize,
    },
    /// A text that is not PEM.
    #[error("{member}: must be PEM (RFC 7468), has a section that cannot be read")]
    NotPem {
        /// Its name in the API.
        member: &'static str,
    },
    /// There is no certificate.
    #[error("certificate: must have a section `BEGIN CERTIFICATE`, has none")]
    NoCertificate,
    /// There are too many certificates.
    #[error("certificate: must have at most {max} certificates, has more")]
    TooMany {
        /// The largest number.
        max: usize,
    },
    /// The certificates are followed or preceded by a key.
    #[error("certificate: must not have a private key, which belongs into `privateKey`")]
    KeyAmongCertificates,
    /// A section is not a certificate.
    #[error("certificate: must consist of X.509 certificates, number {number} is none")]
    NotX509 {
        /// Its number, from 1.
        number: usize,
    },
    /// The certificate's times cannot be read.
    #[error("certificate: must have a beginning and a later end")]
    Validity,
    /// Its end has passed.
    #[error("certificate: must be valid now, expired at {not_after}")]
    Expired {
        /// The end.
        not_after: Timestamp,
    },
    /// Its beginning is to come.
    #[error("certificate: must be valid now, begins at {not_before}")]
    NotYetValid {
        /// The beginning.
        not_before: Timestamp,
    },
    /// There is not exactly one key.
    #[error(
        "privateKey: must have one section `BEGIN PRIVATE KEY`, `BEGIN RSA PRIVATE KEY` or \
         `BEGIN EC PRIVATE KEY`, has {count}"
    )]
    KeyCount {
        /// The number of keys.
        count: usize,
    },
    /// The key is encrypted with a passphrase.
    #[error(
        "privateKey: must not be encrypted with a passphrase; `openssl pkey -in encrypted.pem \
         -out key.pem` decrypts it"
    )]
    EncryptedKey,
    /// The key is of another type, or broken.
    #[error(
        "privateKey: must be RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384 with its public \
         key, or Ed25519"
    )]
    KeyType,
    /// The key does not belong to a certificate.
    #[error("privateKey: must belong to the first certificate, belongs to none")]
    OtherKey,
    /// The key belongs to another certificate.
    #[error("privateKey: must belong to the first certificate, belongs to number {number}")]
    KeyOfAnother {
        /// The number of that certificate, from 1.
        number: usize,
    },
    /// The certificate would be sent over plain HTTP.
    #[error("`mtls` requires a `url` with the scheme https, because plain http has no certificate")]
    NoTls,
}
