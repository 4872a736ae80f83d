//! A client certificate (RFC 8446, 4.4.2): the TLS handshake proves that we have its private key.
//!
//! The certificates and the key are the secret, and are stored together in DER, which is a quarter
//! shorter than PEM. The settings are a summary of the first certificate. It is made when the
//! certificate is given, so that nobody who reads a subscription parses a certificate.

mod certificate;
mod end;
mod error;
mod identity;
mod key;
mod summary;

pub use certificate::ClientCertificate;
pub use end::CertificateEnd;
pub use error::ClientCertificateError;
pub use identity::{ClientIdentity, IdentityId};
pub use key::{ClientKey, KeyForm};

use serde::{Deserialize, Serialize};

use super::{AuthenticationError, Scheme};
use crate::timestamp::Timestamp;

/// The summary of a client certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mtls {
    subject: String,
    issuer: String,
    sha256_fingerprint: String,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Mtls {
    /// The longest kept text of a name. The rest of a longer one is left out.
    pub const MAX_NAME_BYTES: usize = 256;
    /// The length of a SHA-256 in hexadecimal digits.
    const FINGERPRINT_BYTES: usize = 64;

    /// The name of the certificate's owner, such as `CN=webhooks, O=Example`. Empty if it has none.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The name of the authority that issued it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The SHA-256 of the certificate in DER, in hexadecimal digits.
    pub fn sha256_fingerprint(&self) -> &str {
        &self.sha256_fingerprint
    }

    /// The time from which it is valid.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The time until which it is valid.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Checks that the certificate is valid at this time.
    ///
    /// # Errors
    /// If its end has passed, or its beginning is to come.
    pub fn check_at(&self, now: Timestamp) -> Result<(), ClientCertificateError> {
        let (not_before, not_after) = (self.not_before, self.not_after);
        if not_after <= now {
            return Err(ClientCertificateError::Expired { not_after });
        }
        if not_before > now {
            return Err(ClientCertificateError::NotYetValid { not_before });
        }
        Ok(())
    }
}

impl Scheme for Mtls {
    fn size_bytes(&self) -> usize {
        // The names and the two times.
        const FIXED_BYTES: usize = 80;
        FIXED_BYTES + self.subject.len() + self.issuer.len() + self.sha256_fingerprint.len()
    }

    fn check(&self) -> Result<(), AuthenticationError> {
        for (member, text, max) in [
            ("subject", &self.subject, Self::MAX_NAME_BYTES),
            ("issuer", &self.issuer, Self::MAX_NAME_BYTES),
            (
                "sha256Fingerprint",
                &self.sha256_fingerprint,
                Self::FINGERPRINT_BYTES,
            ),
        ] {
            let size_bytes = text.len();
            if size_bytes > max {
                let too_long = ClientCertificateError::TooLong {
                    member,
                    size_bytes,
                    max,
                };
                return Err(too_long.into());
            }
        }
        Ok(())
    }
}
