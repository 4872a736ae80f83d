//! Authentication to an endpoint: settings, which are shown, and one secret, which is stored
//! encrypted.
//!
//! Another scheme is a file with its own implementation of `Scheme`, and a variant of
//! [`EndpointAuthentication`].

mod api_key;
mod basic;
mod bearer;
mod credential;
mod error;

pub use api_key::ApiKey;
pub use basic::Basic;
pub use bearer::Bearer;
pub use credential::{Credential, SealedCredential};
pub use error::AuthenticationError;

use serde::{Deserialize, Serialize};

use super::{CustomHeaders, SealedHeaders};

/// The authentication to an endpoint, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum EndpointAuthentication {
    /// A user name and a password.
    Basic(Basic),
    /// A token.
    Bearer(Bearer),
    /// A key in a header of the receiver's choice.
    ApiKey(ApiKey),
}

/// A way in which a request authenticates.
trait Scheme {
    /// The name of its secret in the API.
    fn secret_name(&self) -> &'static str;

    /// The stored size of the settings, in bytes.
    fn size_bytes(&self) -> usize;

    /// Checks the settings.
    fn check(&self) -> Result<(), AuthenticationError>;

    /// Checks the secret.
    fn check_secret(&self, secret: &str) -> Result<(), AuthenticationError>;

    /// The name of its header, in lower case.
    fn header_name(&self) -> &str;

    /// The value of its header.
    fn header_value(&self, secret: &str) -> String;
}

/// The header of the schemes of RFC 9110.
const AUTHORIZATION: &str = "authorization";

impl EndpointAuthentication {
    fn scheme(&self) -> &dyn Scheme {
        match self {
            Self::Basic(basic) => basic,
            Self::Bearer(bearer) => bearer,
            Self::ApiKey(api_key) => api_key,
        }
    }

    /// Checks stored settings, because a later rule may forbid them.
    ///
    /// # Errors
    /// If they are not valid.
    pub fn check(&self) -> Result<(), AuthenticationError> {
        self.scheme().check()
    }

    /// The name of the header that a request has because of it, in lower case.
    pub fn header_name(&self) -> &str {
        self.scheme().header_name()
    }

    /// Checks that no other header of the subscription has the same name.
    ///
    /// # Errors
    /// If one has.
    pub fn check_with(
        &self,
        headers: &CustomHeaders,
        secret_headers: &SealedHeaders,
    ) -> Result<(), AuthenticationError> {
        let name = self.header_name();
        let mut plain = headers.iter();
        if plain.any(|(other, _)| other == name) || secret_headers.get(name).is_some() {
            let name = name.to_owned();
            return Err(AuthenticationError::HeaderInUse { name });
        }
        Ok(())
    }
}

/// Checks the length of a text.
fn check_length(member: &'static str, text: &str, max: usize) -> Result<(), AuthenticationError> {
    let size_bytes = text.len();
    if (1..=max).contains(&size_bytes) {
        Ok(())
    } else {
        Err(AuthenticationError::Length {
            member,
            size_bytes,
            max,
        })
    }
}

#[cfg(test)]
mod tests;
