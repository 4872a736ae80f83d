//! The reasons why a URL is refused.

use std::net::IpAddr;

use super::EndpointUrl;
use crate::outbound::DeniedHost;

/// The reason why a URL is refused. No message shows a path, a query or user info.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointUrlError {
    /// Longer than [`EndpointUrl::MAX_BYTES`], as given or in canonical form.
    #[error(
        "url of {size_bytes} bytes: must be at most {} bytes",
        EndpointUrl::MAX_BYTES
    )]
    TooLong {
        /// The length that was found.
        size_bytes: usize,
    },
    /// White space, a control character or a backslash: parsers strip or reinterpret them.
    #[error(
        "url: character U+{:04X} at byte {position} must be percent-encoded",
        u32::from(*character)
    )]
    Character {
        /// The character.
        character: char,
        /// Its byte position in the text, from 0.
        position: usize,
    },
    /// Not of the form `https://…`.
    #[error("url: must be absolute and begin with `https://`")]
    NotAbsolute,
    /// The URL parser refuses it.
    #[error("url: {0}")]
    Malformed(url::ParseError),
    /// A scheme other than `https`.
    #[error("url `{scheme}://…`: scheme must be https")]
    Scheme {
        /// The scheme, in lower case.
        scheme: String,
    },
    /// A user name or a password, even an empty one.
    #[error("url: user name and password are not allowed before the host")]
    UserInfo,
    /// A fragment, even an empty one. It would never be sent.
    #[error("url: a fragment (`#`) is not allowed")]
    Fragment,
    /// A port that belongs to another protocol.
    #[error("url port {port}: must not be a port of another protocol (the Fetch standard's list)")]
    Port {
        /// The port.
        port: u16,
    },
    /// An address instead of a name.
    #[error("url host `{address}`: must be a name, not an IP address")]
    Address {
        /// The address that the host means.
        address: IpAddr,
    },
    /// Not a host name that resolvers and TLS accept: an empty or overlong label, a label that
    /// begins or ends with a hyphen, or a character that names do not have.
    #[error(
        "url host `{name}`: must be labels of 1 to 63 letters, digits, `-` and `_`, none beginning or ending with `-`, at most 253 bytes"
    )]
    Name {
        /// The host in canonical form.
        name: String,
    },
    /// A name without a dot, which is a host of our own network.
    #[error("url host `{name}`: must have at least two labels")]
    SingleLabel {
        /// The host in canonical form.
        name: String,
    },
    /// A name under a domain that is not part of the public Internet.
    #[error("url host `{name}`: must not be under the internal domain `{domain}`")]
    InternalName {
        /// The host in canonical form.
        name: String,
        /// The internal domain.
        domain: &'static str,
    },
    /// A host that the operator denies.
    #[error(transparent)]
    Denied(#[from] DeniedHost),
}
