//! An authentication with its secret: plain, and encrypted.

use std::borrow::Cow;
use std::fmt;

use super::{
    AuthenticationError, ClientCertificate, ClientCertificateError, EndpointAuthentication,
};
use crate::timestamp::Timestamp;

/// An authentication with its secret. `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    authentication: EndpointAuthentication,
    secret: Secret,
}

#[derive(Clone, PartialEq, Eq)]
enum Secret {
    Text(String),
    Certificate(ClientCertificate),
}

impl Credential {
    /// Checks an authentication and its secret.
    ///
    /// # Errors
    /// If a part is empty or too long, has characters that it must not have, or is a mask of
    /// asterisks. No error shows the secret. A client certificate has [its own
    /// function](Self::client_certificate).
    pub fn new(
        authentication: EndpointAuthentication,
        secret: String,
    ) -> Result<Self, AuthenticationError> {
        let scheme = authentication.header_scheme();
        let scheme = scheme.ok_or(ClientCertificateError::NoCertificate)?;
        scheme.check()?;
        scheme.check_secret(&secret)?;
        if secret.bytes().all(|byte| byte == b'*') {
            let member = scheme.secret_name();
            return Err(AuthenticationError::Mask { member });
        }
        Ok(Self {
            authentication,
            secret: Secret::Text(secret),
        })
    }

    /// Reads a client certificate, with those of its authorities, and its private key. Each text is
    /// PEM.
    ///
    /// # Errors
    /// If one of them is not valid, or too large. No error shows a part of the key.
    pub fn client_certificate(
        certificate: &str,
        private_key: &str,
    ) -> Result<Self, AuthenticationError> {
        let (mtls, certificate) = ClientCertificate::from_pem(certificate, private_key)?;
        Ok(Self {
            authentication: EndpointAuthentication::Mtls(mtls),
            secret: Secret::Certificate(certificate),
        })
    }

    /// A stored credential, which was checked when it was stored. `None` if the secret has another
    /// form.
    pub fn from_stored(authentication: EndpointAuthentication, secret: Vec<u8>) -> Option<Self> {
        let secret = match &authentication {
            EndpointAuthentication::Mtls(_) => {
                Secret::Certificate(ClientCertificate::from_stored(&secret)?)
            }
            _ => Secret::Text(String::from_utf8(secret).ok()?),
        };
        Some(Self {
            authentication,
            secret,
        })
    }

    /// The secret in the form in which it is encrypted and stored.
    pub fn to_stored(&self) -> Cow<'_, [u8]> {
        match &self.secret {
            Secret::Text(text) => Cow::Borrowed(text.as_bytes()),
            Secret::Certificate(certificate) => Cow::Owned(certificate.to_stored()),
        }
    }

    /// Checks that it can be used at this time.
    ///
    /// # Errors
    /// If it is a client certificate that is not valid then.
    pub fn check_at(&self, now: Timestamp) -> Result<(), AuthenticationError> {
        match &self.authentication {
            EndpointAuthentication::Mtls(mtls) => Ok(mtls.check_at(now)?),
            _ => Ok(()),
        }
    }

    /// The authentication.
    pub fn authentication(&self) -> &EndpointAuthentication {
        &self.authentication
    }

    /// The secret that a request has. `None` if it has none: the key of a client certificate never
    /// leaves us.
    pub fn secret(&self) -> Option<&str> {
        match &self.secret {
            Secret::Text(text) => Some(text),
            Secret::Certificate(_) => None,
        }
    }

    /// The header that authenticates a request: its name in lower case, and its value. `None` if
    /// the connection authenticates it, or an access token does.
    pub fn header(&self) -> Option<(String, String)> {
        let scheme = self.authentication.header_scheme()?;
        let name = scheme.header_name().to_owned();
        Some((name, scheme.header_value(self.secret()?)?))
    }

    /// The certificate with which a connection authenticates.
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        match &self.secret {
            Secret::Text(_) => None,
            Secret::Certificate(certificate) => Some(certificate),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Credential");
        shown.field("authentication", &self.authentication);
        shown.finish_non_exhaustive()
    }
}

/// An authentication with its encrypted secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedCredential {
    /// The authentication.
    pub authentication: EndpointAuthentication,
    /// The secret: the nonce, then the ciphertext with its tag.
    pub sealed: Vec<u8>,
}

/// The stored size of the names.
const FIXED_BYTES: usize = 48;

impl SealedCredential {
    /// An upper estimate of its stored size, in bytes.
    pub fn size_bytes(&self) -> usize {
        let settings = self.authentication.scheme().size_bytes();
        FIXED_BYTES + settings + self.sealed.len()
    }
}
