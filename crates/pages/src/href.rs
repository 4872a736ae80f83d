//! Links.

use std::fmt::{self, Write};

use maud::Render;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::paths::Route;

/// The characters of a query that stay as they are.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b':')
    .remove(b'*');

/// The target of a link: a path of the portal, or an `https:` or `mailto:` URL. No text can become
/// another scheme, such as `javascript:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Href(String);

/// The text is not the URL of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HrefError;

impl fmt::Display for HrefError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be an absolute URL that begins with https: or mailto:")
    }
}

impl std::error::Error for HrefError {}

impl Href {
    /// A link to another site.
    ///
    /// # Errors
    /// If the text is not an absolute URL of the scheme `https` or `mailto`.
    pub fn external(text: &str) -> Result<Self, HrefError> {
        let url = Url::parse(text).map_err(|_| HrefError)?;
        match url.scheme() {
            // The canonical form, which has no character that a browser would read otherwise.
            "https" | "mailto" => Ok(Self(url.into())),
            _ => Err(HrefError),
        }
    }

    /// A link to a file of this crate.
    pub(crate) fn asset(path: &'static str) -> Self {
        Self(path.to_owned())
    }

    /// Adds parameters. Those without a value are left out.
    #[must_use]
    pub fn with<'a>(
        mut self,
        parameters: impl IntoIterator<Item = (&'static str, Option<&'a str>)>,
    ) -> Self {
        for (name, value) in parameters {
            let Some(value) = value else { continue };
            let separator = if self.0.contains('?') { '&' } else { '?' };
            let value = utf8_percent_encode(value, QUERY);
            write!(self.0, "{separator}{name}={value}").expect("a string takes every text");
        }
        self
    }

    /// The text of the link.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme, host and port of an `https:` link; `None` for other links.
    pub fn origin(&self) -> Option<String> {
        let url = Url::parse(&self.0).ok()?;
        (url.scheme() == "https").then(|| url.origin().ascii_serialization())
    }
}

impl From<Route> for Href {
    fn from(route: Route) -> Self {
        Self(route.path())
    }
}

impl Render for Href {
    fn render_to(&self, buffer: &mut String) {
        self.0.as_str().render_to(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_mailto_become_links() {
        for text in [
            "javascript:alert(1)",
            " javascript:alert(1)",
            "java\nscript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "http://example.com/",
            "//example.com/",
            "/path",
            "",
            "vbscript:x",
            "blob:https://example.com/x",
        ] {
            assert_eq!(Href::external(text), Err(HrefError), "{text}");
        }
        let link = Href::external("https://example.com/a b\"'<>").unwrap();
        assert_eq!(link.as_str(), "https://example.com/a%20b%22'%3C%3E");
        assert_eq!(link.origin().unwrap(), "https://example.com");
        let link = Href::external("mailto:support@example.com").unwrap();
        assert_eq!(link.origin(), None);
    }

    #[test]
    fn parameters_are_encoded() {
        let link = Href::from(Route::Search).with([("q", Some("a&b=\"c\" ü")), ("no", None)]);
        let link = link.with([("cursor", Some("x"))]);
        assert_eq!(
            link.as_str(),
            "/console?q=a%26b%3D%22c%22%20%C3%BC&cursor=x"
        );
    }
}
