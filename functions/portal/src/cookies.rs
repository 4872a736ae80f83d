//! The cookies of the portal. All have the prefix `__Host-`, so that no other host can set them.
//!
//! | cookie | content |
//! |---|---|
//! | `__Host-webhooks` | the token of the session |
//! | `__Host-webhooks-return` | the URL to return to, which outlives the session |
//! | `__Host-webhooks-done` | the change that was made, which the next page says |
//! | `__Host-webhooks-probe` | shows that the browser keeps cookies in a frame |
//!
//! If the portal may be embedded, their names end in `-framed`: then they have other attributes,
//! and a browser keeps both apart.

use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use lambda_http::http::HeaderMap;
use lambda_http::http::header::COOKIE;
use webhooks_domain::portal_session::{FrameAncestors, PortalToken, ReturnUrl};

const SESSION: &str = "__Host-webhooks";
const RETURN: &str = "__Host-webhooks-return";
const DONE: &str = "__Host-webhooks-done";
const PROBE: &str = "__Host-webhooks-probe";

/// The time for which the URL to return to is kept after a session.
const RETURN_KEPT: Duration = Duration::from_hours(24);
/// The time until which the next page must say what was done.
const DONE_KEPT: Duration = Duration::from_mins(1);
/// The time for which a probe is kept.
const PROBE_KEPT: Duration = Duration::from_mins(10);

/// Decides the attributes of cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The portal is a site of its own.
    Own,
    /// Other sites may embed the portal.
    Framed,
}

impl Kind {
    pub(crate) fn of(ancestors: &FrameAncestors) -> Self {
        if ancestors.is_none() {
            Self::Own
        } else {
            Self::Framed
        }
    }

    fn name(self, name: &str) -> String {
        match self {
            Self::Own => name.to_owned(),
            Self::Framed => format!("{name}-framed"),
        }
    }

    /// The header that sets a cookie.
    fn set(self, name: &str, value: &str, kept: Duration) -> String {
        let same_site = match self {
            Self::Own => "SameSite=Lax",
            Self::Framed => "SameSite=None; Partitioned",
        };
        let (name, seconds) = (self.name(name), kept.as_secs());
        format!("{name}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; {same_site}")
    }

    /// Sets the token of a session.
    pub(crate) fn set_session(self, token: &PortalToken, kept: Duration) -> String {
        self.set(SESSION, &token.expose(), kept)
    }

    /// Removes the token.
    pub(crate) fn remove_session(self) -> String {
        self.set(SESSION, "", Duration::ZERO)
    }

    /// Sets the URL to return to, or removes that of an earlier session.
    pub(crate) fn set_return(self, url: Option<&ReturnUrl>, kept: Duration) -> String {
        match url {
            Some(url) => {
                let value = BASE64_URL_SAFE_NO_PAD.encode(url.as_str());
                self.set(RETURN, &value, kept + RETURN_KEPT)
            }
            None => self.set(RETURN, "", Duration::ZERO),
        }
    }

    /// Sets the change that the next page says.
    pub(crate) fn set_done(self, name: &str) -> String {
        self.set(DONE, name, DONE_KEPT)
    }

    /// Removes it.
    pub(crate) fn remove_done(self) -> String {
        self.set(DONE, "", Duration::ZERO)
    }

    /// The change that this page has to say.
    pub(crate) fn done(self, headers: &HeaderMap) -> Option<&str> {
        self.only(headers, DONE)
    }

    /// Sets a probe.
    pub(crate) fn set_probe(self) -> String {
        self.set(PROBE, "1", PROBE_KEPT)
    }

    /// The token of a request. `None` if it has none, or one in another form.
    pub(crate) fn token(self, headers: &HeaderMap) -> Option<PortalToken> {
        self.only(headers, SESSION)?.parse().ok()
    }

    /// The URL to return to, which still has to be checked.
    pub(crate) fn return_url(self, headers: &HeaderMap) -> Option<String> {
        let value = self.only(headers, RETURN)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(value).ok()?;
        String::from_utf8(bytes).ok()
    }

    /// Returns true if the browser has kept the probe.
    pub(crate) fn has_probe(self, headers: &HeaderMap) -> bool {
        self.only(headers, PROBE).is_some()
    }

    /// The value of a cookie that is there once.
    fn only<'a>(self, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        let name = self.name(name);
        let headers = headers.get_all(COOKIE).iter();
        let headers = headers.filter_map(|value| value.to_str().ok());
        let pairs = headers.flat_map(|value| value.split(';'));
        let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(found, _)| *found == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}
