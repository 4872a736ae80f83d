//! Authentication to an endpoint: settings, which are shown, and one secret, which is stored
//! encrypted.
//!
//! Another scheme is a file with its own implementation of `Scheme`, and of `HeaderScheme` if it is
//! a header of each request, and a variant of [`EndpointAuthentication`].

mod api_key;
mod basic;
mod bearer;
mod credential;
mod error;
mod mtls;
mod oauth2;

pub use api_key::ApiKey;
pub use basic::Basic;
pub use bearer::Bearer;
pub use credential::{Credential, SealedCredential};
pub use error::AuthenticationError;
pub use mtls::{
    CertificateEnd, ClientCertificate, ClientCertificateError, ClientIdentity, ClientKey,
    IdentityId, KeyForm, Mtls,
};
pub use oauth2::{ClientAuthentication, OAuth2};

use serde::{Deserialize, Serialize};

use super::{CustomHeaders, EndpointUrl, SealedHeaders};
use crate::timestamp::Timestamp;

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
    /// An access token, which a token endpoint grants for the credentials of a client.
    #[serde(rename = "oauth2")]
    OAuth2(OAuth2),
    /// A client certificate in the TLS handshake.
    Mtls(Mtls),
}

/// A way in which a request authenticates.
trait Scheme {
    /// The stored size of the settings, in bytes.
    fn size_bytes(&self) -> usize;

    /// Checks the settings.
    fn check(&self) -> Result<(), AuthenticationError>;
}

/// A way in which a header of a request authenticates it. The secret is a text.
trait HeaderScheme: Scheme {
    /// The name of its secret in the API.
    fn secret_name(&self) -> &'static str;

    /// Checks the secret.
    fn check_secret(&self, secret: &str) -> Result<(), AuthenticationError>;

    /// The name of its header, in lower case.
    fn header_name(&self) -> &str;

    /// The value of its header. `None` if the secret alone does not make one.
    fn header_value(&self, secret: &str) -> Option<String>;
}

/// The header of the schemes of RFC 9110.
const AUTHORIZATION: &str = "authorization";

impl EndpointAuthentication {
    fn scheme(&self) -> &dyn Scheme {
        match self {
            Self::Basic(basic) => basic,
            Self::Bearer(bearer) => bearer,
            Self::ApiKey(api_key) => api_key,
            Self::OAuth2(oauth2) => oauth2,
            Self::Mtls(mtls) => mtls,
        }
    }

    /// The settings for access tokens, if it uses them.
    pub fn oauth2(&self) -> Option<&OAuth2> {
        match self {
            Self::OAuth2(oauth2) => Some(oauth2),
            Self::Basic(_) | Self::Bearer(_) | Self::ApiKey(_) | Self::Mtls(_) => None,
        }
    }

    /// The end of its client certificate, if it has one.
    pub fn certificate_not_after(&self) -> Option<Timestamp> {
        match self {
            Self::Mtls(mtls) => Some(mtls.not_after()),
            Self::Basic(_) | Self::Bearer(_) | Self::ApiKey(_) | Self::OAuth2(_) => None,
        }
    }

    /// The scheme, if it is a header of each request.
    fn header_scheme(&self) -> Option<&dyn HeaderScheme> {
        match self {
            Self::Basic(basic) => Some(basic),
            Self::Bearer(bearer) => Some(bearer),
            Self::ApiKey(api_key) => Some(api_key),
            Self::OAuth2(oauth2) => Some(oauth2),
            Self::Mtls(_) => None,
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
    pub fn header_name(&self) -> Option<&str> {
        self.header_scheme().map(HeaderScheme::header_name)
    }

    /// Checks that requests to this URL can authenticate in this way.
    ///
    /// # Errors
    /// If a client certificate would be needed without TLS.
    pub fn check_url(&self, url: &EndpointUrl) -> Result<(), AuthenticationError> {
        match self {
            Self::Mtls(_) if !url.is_https() => Err(ClientCertificateError::NoTls.into()),
            _ => Ok(()),
        }
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
        let Some(name) = self.header_name() else {
            return Ok(());
        };
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
