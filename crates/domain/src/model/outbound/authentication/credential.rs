//! An authentication with its secret: plain, and encrypted.

use std::fmt;

use super::{AuthenticationError, EndpointAuthentication};

/// An authentication with its secret. `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    authentication: EndpointAuthentication,
    secret: String,
}

impl Credential {
    /// Checks an authentication and its secret.
    ///
    /// # Errors
    /// If a part is empty or too long, has characters that it must not have, or is a mask of
    /// asterisks. No error shows the secret.
    pub fn new(
        authentication: EndpointAuthentication,
        secret: String,
    ) -> Result<Self, AuthenticationError> {
        let scheme = authentication.scheme();
        scheme.check()?;
        scheme.check_secret(&secret)?;
        if secret.bytes().all(|byte| byte == b'*') {
            let member = scheme.secret_name();
            return Err(AuthenticationError::Mask { member });
        }
        Ok(Self {
            authentication,
            secret,
        })
    }

    /// A stored credential, which was checked when it was stored.
    pub fn from_stored(authentication: EndpointAuthentication, secret: String) -> Self {
        Self {
            authentication,
            secret,
        }
    }

    /// The authentication.
    pub fn authentication(&self) -> &EndpointAuthentication {
        &self.authentication
    }

    /// The secret.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The header that authenticates a request: its name in lower case, and its value.
    pub fn header(&self) -> (String, String) {
        let scheme = self.authentication.scheme();
        let name = scheme.header_name().to_owned();
        (name, scheme.header_value(&self.secret))
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
