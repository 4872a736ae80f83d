//! Origins, and URLs that are allowed by their origins.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// A web origin: scheme, host, and the port if it is not the scheme's own. The scheme is https, or
/// http for a host on this machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(String);

/// The text is not an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an origin such as `https://portal.example.com`")]
pub struct OriginError;

impl Origin {
    /// The origin of a URL. `None` if it is not a URL that could be a page of an origin.
    pub fn of_url(text: &str) -> Option<Self> {
        parse(text)?.origin().ascii_serialization().parse().ok()
    }

    /// The form that browsers send in the header `Origin`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads an origin, with or without a `/` at its end.
impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let url = parse(text).ok_or(OriginError)?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_local(&url));
        if is_bare && is_safe {
            Ok(Self(url.origin().ascii_serialization()))
        } else {
            Err(OriginError)
        }
    }
}

/// Returns true if the host is this machine.
fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A URL of printable ASCII without user and backslash, which every parser reads in the same way.
fn parse(text: &str) -> Option<Url> {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let url = Url::parse(text).ok().filter(|_| is_plain)?;
    let names_user = !url.username().is_empty() || url.password().is_some();
    // A user may be empty, as in `https://@example.com`.
    let after_scheme = text.split_once("://")?.1;
    let authority = after_scheme.split(['/', '?', '#']).next()?;
    (!names_user && !authority.contains('@') && url.has_host()).then_some(url)
}

/// A list of origins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(BTreeSet<Origin>);

impl Origins {
    /// Returns true if this is one of them.
    pub fn contains(&self, origin: &Origin) -> bool {
        self.0.contains(origin)
    }

    /// Returns true if a URL has one of these origins.
    pub fn allow(&self, url: &ReturnUrl) -> bool {
        self.0.contains(&url.origin())
    }
}

/// Reads origins with commas between them.
impl FromStr for Origins {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let origins = text.split(',').filter(|text| !text.is_empty());
        origins.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// The sites that may embed the portal: `'none'`, or https origins with spaces between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrameAncestors(BTreeSet<Origin>);

impl FrameAncestors {
    /// Returns true if the site of this origin may.
    pub fn contains(&self, origin: &Origin) -> bool {
        self.0.contains(origin)
    }

    /// Returns true if no site may.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

/// The value of `frame-ancestors` in a content security policy.
impl fmt::Display for FrameAncestors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("'none'");
        }
        let origins: Vec<_> = self.0.iter().map(Origin::as_str).collect();
        f.write_str(&origins.join(" "))
    }
}

impl FromStr for FrameAncestors {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text == "'none'" {
            return Ok(Self::default());
        }
        let origins = text.split(' ').map(str::parse);
        origins.collect::<Result<_, _>>().map(Self)
    }
}

/// A page of the operator's own application, to which the portal leads after a session. It is https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnUrl(Url);

/// The text is not a URL to return to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReturnUrlError {
    /// It has another form.
    #[error(
        "must be an https URL of printable ASCII, without user and backslash, of at most {max} bytes",
        max = ReturnUrl::MAX_BYTES
    )]
    Form,
    /// Its origin is not one of the operator's.
    #[error("must have one of the origins of the stack's parameter `PortalReturnUrls`")]
    Origin,
}

impl ReturnUrl {
    /// The largest length.
    pub const MAX_BYTES: usize = 1_024;

    /// Reads a URL of a request, which must have one of these origins.
    ///
    /// # Errors
    /// If it has another form or origin.
    pub fn allowed(text: &str, origins: &Origins) -> Result<Self, ReturnUrlError> {
        let url: Self = text.parse()?;
        if origins.allow(&url) {
            Ok(url)
        } else {
            Err(ReturnUrlError::Origin)
        }
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    fn origin(&self) -> Origin {
        Origin(self.0.origin().ascii_serialization())
    }
}

impl FromStr for ReturnUrl {
    type Err = ReturnUrlError;

    fn from_str(text: &str) -> Result<Self, ReturnUrlError> {
        let url = parse(text).filter(|url| url.scheme() == "https");
        let url = url.filter(|url| url.as_str().len() <= Self::MAX_BYTES);
        url.map(Self).ok_or(ReturnUrlError::Form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_in_the_form_of_browsers() {
        for (text, origin) in [
            ("https://a.example", Some("https://a.example")),
            ("https://A.example:443/", Some("https://a.example")),
            ("https://a.example:8443", Some("https://a.example:8443")),
            ("http://localhost:4566/", Some("http://localhost:4566")),
            ("http://x.localhost", Some("http://x.localhost")),
            ("http://127.0.0.1:1", Some("http://127.0.0.1:1")),
            ("http://a.example", None),
            ("http://localhost.example", None),
            ("https://a.example/path", None),
            ("https://a.example?q", None),
            ("https://u@a.example", None),
            ("https:a.example", None),
            ("javascript:alert(1)", None),
            ("null", None),
            ("", None),
        ] {
            let read = text.parse::<Origin>().ok();
            assert_eq!(read.as_ref().map(Origin::as_str), origin, "{text}");
        }
    }

    #[test]
    fn only_urls_of_the_operators_own_origins_are_returned_to() {
        let origins: Origins = "https://app.example,https://b.example:8443"
            .parse()
            .unwrap();
        for good in [
            "https://app.example",
            "https://app.example/a?b=https://evil.example#c",
            "https://app.example:443/a",
            "https://b.example:8443/",
        ] {
            assert!(ReturnUrl::allowed(good, &origins).is_ok(), "{good}");
        }
        for (bad, error) in [
            ("http://app.example/", ReturnUrlError::Form),
            ("https://app.example.evil.example/", ReturnUrlError::Origin),
            (
                "https://evil.example/https://app.example",
                ReturnUrlError::Origin,
            ),
            ("https://app.example@evil.example/", ReturnUrlError::Form),
            ("https://@app.example/", ReturnUrlError::Form),
            ("https://app.example:8443/", ReturnUrlError::Origin),
            ("https://evil.example\\.app.example/", ReturnUrlError::Form),
            ("https:\\\\app.example/", ReturnUrlError::Form),
            ("//app.example/", ReturnUrlError::Form),
            ("https:/app.example/", ReturnUrlError::Form),
            (" https://app.example/", ReturnUrlError::Form),
            (
                "https://app.example/\r\nset-cookie: a",
                ReturnUrlError::Form,
            ),
            ("https://app.exämple/", ReturnUrlError::Form),
            ("javascript://app.example/%0aalert(1)", ReturnUrlError::Form),
            ("data:text/html,x", ReturnUrlError::Form),
            (
                &format!("https://app.example/{}", "x".repeat(1_024)),
                ReturnUrlError::Form,
            ),
        ] {
            assert_eq!(ReturnUrl::allowed(bad, &origins), Err(error), "{bad}");
        }
        let none = Origins::default();
        let refused = ReturnUrl::allowed("https://app.example", &none);
        assert_eq!(refused, Err(ReturnUrlError::Origin));
    }

    #[test]
    fn the_sites_that_may_embed_the_portal_are_origins() {
        for text in [
            "'none'",
            "https://a.example",
            "https://a.example https://b.example:8443",
        ] {
            let ancestors: FrameAncestors = text.parse().unwrap();
            assert_eq!(ancestors.to_string(), text);
            assert_eq!(ancestors.is_none(), text == "'none'");
        }
        for bad in [
            "",
            "*",
            "'self'",
            "https:",
            "https://a.example; script-src *",
            "http://a.example",
        ] {
            assert!(bad.parse::<FrameAncestors>().is_err(), "{bad}");
        }
    }
}
