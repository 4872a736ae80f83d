//! The errors of authentication.

use super::super::{CustomHeadersError, EndpointUrlError};
use super::ClientCertificateError;

/// The reason why an authentication is refused. No message shows a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// A text that is empty or too long.
    #[error("{member}: must have 1 to {max} bytes, has {size_bytes}")]
    Length {
        /// Its name in the API.
        member: &'static str,
        /// Its length.
        size_bytes: usize,
        /// The largest length.
        max: usize,
    },
    /// A text with other characters than it may have.
    #[error("{member}: must have only {allowed}")]
    Characters {
        /// Its name in the API.
        member: &'static str,
        /// The characters that it may have.
        allowed: &'static str,
    },
    /// A secret that consists of asterisks.
    #[error("{member}: must be the secret itself, is a mask of asterisks")]
    Mask {
        /// Its name in the API.
        member: &'static str,
    },
    /// The URL of a token endpoint that breaks a rule for URLs of endpoints.
    #[error("tokenUrl: {0}")]
    TokenUrl(EndpointUrlError),
    /// A header that a customer must not set, or whose value it must not have.
    #[error(transparent)]
    Header(CustomHeadersError),
    /// A client certificate that cannot be used.
    #[error(transparent)]
    ClientCertificate(#[from] ClientCertificateError),
    /// A header that is set twice.
    #[error(
        "header `{name}`: must not be in `headers` or `secretHeaders`, because `authentication` \
         sets it"
    )]
    HeaderInUse {
        /// The name in lower case.
        name: String,
    },
}
