//! The URLs that a subscription may have, and their canonical form.
//!
//! The WHATWG URL parser reads the text, and its leniency is dangerous: it strips tabs and new
//! lines, turns `\` into `/`, and reads `0x7f.1`, `2130706433` and full-width digits as
//! `127.0.0.1`. So the raw text is checked for everything that the parser would hide. All other
//! rules are checked on the canonical form, which is the form that is stored and dialled.
//!
//! This policy refuses URLs that are visibly wrong. A name that passes may still resolve to any
//! address: [`AddressPolicy`](super::AddressPolicy) decides after the resolution.

mod error;
mod host_name;

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::{DevelopmentNetworks, QueryParameters};

pub use error::EndpointUrlError;
pub(super) use host_name::is_host_name;

/// A URL that may be dialled, in canonical form.
///
/// There is no `Display`. [`as_str`](Self::as_str) is the whole URL, for storage and for the
/// request. [`origin`](Self::origin) is for logs and messages, because path and query may hold a
/// customer's secrets. `Debug` shows the origin.
///
/// ```
/// # use webhooks_domain::outbound::{DevelopmentNetworks, EndpointUrl};
/// let url = EndpointUrl::parse("https://EXAMPLE.com:443/h?x=1", &DevelopmentNetworks::none())?;
/// assert_eq!(url.as_str(), "https://example.com/h?x=1");
/// assert_eq!(url.origin(), "https://example.com");
/// # Ok::<(), webhooks_domain::outbound::EndpointUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EndpointUrl(Url);

/// The host of an [`EndpointUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointHost<'a> {
    /// A name in ASCII (punycode), lower case, without the dot of an absolute name.
    Name(&'a str),
    /// An address inside a development network.
    Address(IpAddr),
}

impl EndpointUrl {
    /// The longest URL, both as given and in canonical form.
    pub const MAX_BYTES: usize = 2_048;

    /// Parses and checks a URL.
    ///
    /// # Errors
    /// If the text is not an absolute `https` URL with a public-looking name, or breaks one of the
    /// rules that [`EndpointUrlError`] lists. An address, and then also `http`, is accepted only
    /// inside `development`.
    pub fn parse(text: &str, development: &DevelopmentNetworks) -> Result<Self, EndpointUrlError> {
        check_length(text)?;
        check_characters(text)?;
        let (is_https, authority) = split_scheme(text)?;
        if text.contains('#') {
            return Err(EndpointUrlError::Fragment);
        }
        if authority.contains('@') {
            return Err(EndpointUrlError::UserInfo);
        }
        let mut url = Url::parse(text).map_err(EndpointUrlError::Malformed)?;
        check_length(url.as_str())?;
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        let in_development = address.is_some_and(|address| development.contains(address));
        if !is_https && !in_development {
            return Err(EndpointUrlError::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        if let Some(address) = address
            && !in_development
        {
            return Err(EndpointUrlError::Address { address });
        }
        if let Some(Host::Domain(name)) = url.host() {
            let relative = name.strip_suffix('.').unwrap_or(name).to_owned();
            host_name::check(&relative)?;
            url.set_host(Some(&relative))
                .map_err(EndpointUrlError::Malformed)?;
        }
        let port = url.port_or_known_default().unwrap_or(0);
        if BAD_PORTS.contains(&port) {
            return Err(EndpointUrlError::Port { port });
        }
        Ok(Self(url))
    }

    /// A stored URL, from [`as_str`](Self::as_str).
    ///
    /// It was checked by the URL policy when it was stored, and a stricter rule since then does not
    /// apply; the address policy applies to every attempt. `None` if the text is not a URL with a
    /// host.
    pub fn from_stored(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        (matches!(url.scheme(), "https" | "http") && url.has_host()).then_some(Self(url))
    }

    /// The URL with more query parameters. It has at most [`MAX_BYTES`](Self::MAX_BYTES) if they
    /// were [checked](QueryParameters::check_with) with it.
    #[must_use]
    pub fn with_query(&self, parameters: &QueryParameters) -> Self {
        let mut url = self.0.clone();
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters.iter());
        }
        Self(url)
    }

    /// The whole URL in canonical form: at most [`MAX_BYTES`](Self::MAX_BYTES) of ASCII.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parsed URL, for a client that dials it.
    pub const fn as_url(&self) -> &Url {
        &self.0
    }

    /// The URL without its query, for people: a query may contain a secret.
    pub fn without_query(&self) -> String {
        let mut url = self.0.clone();
        url.set_query(None);
        url.into()
    }

    /// Scheme, host and port, which may be logged.
    pub fn origin(&self) -> String {
        shown_origin(&self.0)
    }

    /// The host that is dialled.
    pub fn host(&self) -> EndpointHost<'_> {
        match self.0.host() {
            Some(Host::Domain(name)) => EndpointHost::Name(name),
            Some(Host::Ipv4(address)) => EndpointHost::Address(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => EndpointHost::Address(IpAddr::V6(address)),
            None => unreachable!("http and https URLs have a host"),
        }
    }

    /// Returns true if the connection is encrypted. Outside development networks it always is.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EndpointUrl({}/…)", self.origin())
    }
}

fn check_length(text: &str) -> Result<(), EndpointUrlError> {
    if text.len() > EndpointUrl::MAX_BYTES {
        return Err(EndpointUrlError::TooLong {
            size_bytes: text.len(),
        });
    }
    Ok(())
}

fn check_characters(text: &str) -> Result<(), EndpointUrlError> {
    let refused =
        |character: char| character.is_control() || character.is_whitespace() || character == '\\';
    match text
        .char_indices()
        .find(|&(_, character)| refused(character))
    {
        Some((position, character)) => Err(EndpointUrlError::Character {
            character,
            position,
        }),
        None => Ok(()),
    }
}

/// Returns true for `https` (and false for `http`), and the authority as it was written.
///
/// The parser alone would also accept `https:example.com` and `https:////example.com`.
fn split_scheme(text: &str) -> Result<(bool, &str), EndpointUrlError> {
    let (scheme, rest) = text
        .split_once("://")
        .ok_or(EndpointUrlError::NotAbsolute)?;
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(EndpointUrlError::NotAbsolute);
    }
    let is_https = scheme.eq_ignore_ascii_case("https");
    if !is_https && !scheme.eq_ignore_ascii_case("http") {
        return Err(EndpointUrlError::Scheme {
            scheme: scheme.to_ascii_lowercase(),
        });
    }
    if rest.starts_with('/') {
        return Err(EndpointUrlError::NotAbsolute);
    }
    Ok((is_https, rest.split(['/', '?', '#']).next().unwrap_or(rest)))
}

fn shown_origin(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

/// The bad ports of the Fetch standard. Servers of other protocols on these ports might read a
/// request as their own commands (<https://fetch.spec.whatwg.org/#port-blocking>).
const BAD_PORTS: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

#[cfg(test)]
mod tests;
