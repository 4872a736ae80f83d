//! The settings of the portal, from the configuration of the function.

use std::fmt::Display;

use lambda_http::http::{HeaderMap, header};
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
use webhooks_domain::portal_session::{
    Audience, FrameAncestors, Origin, Origins, PortalToken, ReturnUrl,
};
use webhooks_lambda::PortalConfig;
use webhooks_pages::brand::Brand;
use webhooks_pages::csp::content_security_policy;
use webhooks_pages::href::Href;

use crate::cookies::Kind;

/// The settings.
pub(crate) struct Settings {
    /// The address of a custom domain. Without one the portal has that of its Function URL.
    url: Option<Origin>,
    /// The origins to which the portal may lead after a session.
    return_urls: Origins,
    /// The sites that may embed the portal.
    frame_ancestors: FrameAncestors,
    /// True on a machine of a developer, where a browser reaches the emulator under another name.
    is_development: bool,
    /// Decides how cookies are set.
    pub(crate) kind: Kind,
    /// The operator's brand.
    pub(crate) brand: Brand,
    /// The policy of the answers to customers.
    portal_policy: String,
    /// The policy of the answers to support staff, whom no site may show in a frame.
    pub(crate) console_policy: String,
}

/// A parameter of the brand is not valid.
#[derive(Debug, thiserror::Error)]
#[error("environment variable {name}: {problem}")]
pub(crate) struct SettingsError {
    name: &'static str,
    problem: String,
}

impl Settings {
    /// The settings of a configuration.
    ///
    /// # Errors
    /// If a part of the brand is not valid.
    pub(crate) fn new(config: PortalConfig) -> Result<Self, SettingsError> {
        let plain = Brand::default();
        let brand = Brand {
            name: config.name.unwrap_or(plain.name),
            logo: link("PORTAL_LOGO_URL", config.logo_url)?,
            accent: match config.accent_colour {
                Some(colour) => parsed("PORTAL_ACCENT_COLOUR", colour.parse())?,
                None => plain.accent,
            },
            support: link("PORTAL_SUPPORT_URL", config.support_url)?,
        };
        let ancestors = config.frame_ancestors;
        Ok(Self {
            url: config.portal_url,
            return_urls: config.return_urls,
            is_development: !config.development_networks.is_empty(),
            kind: Kind::of(&ancestors),
            portal_policy: content_security_policy(&brand, &ancestors.to_string()),
            console_policy: content_security_policy(&brand, "'none'"),
            brand,
            frame_ancestors: ancestors,
        })
    }

    /// Returns true if a request comes from a page of the portal itself, by its header `Origin`.
    ///
    /// Lambda writes the name of the Function URL into the event. The header `Host` is not used.
    pub(crate) fn is_own(&self, request: &Request) -> bool {
        let Some(origin) = only(request.headers(), header::ORIGIN.as_str()) else {
            return false;
        };
        if let Some(url) = &self.url {
            return origin == url.as_str();
        }
        let name = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.domain_name.as_deref(),
            _ => None,
        };
        name.is_some_and(|name| {
            let is_of_emulator = self.is_development && is_local(origin, name);
            origin == format!("https://{name}") || is_of_emulator
        })
    }

    /// The content security policy of the answer to a request.
    pub(crate) fn policy(&self, request: &Request) -> &str {
        let token = self.kind.token(request.headers());
        match token.as_ref().map(PortalToken::audience) {
            Some(Audience::Console) => &self.console_policy,
            Some(Audience::Customer(_)) | None => &self.portal_policy,
        }
    }

    /// Returns true if a page of the operator's has led here, by the header `Referer`. Other sites
    /// cannot claim it; they can only leave it out.
    pub(crate) fn is_led_by_operator(&self, request: &Request) -> bool {
        let referer = only(request.headers(), header::REFERER.as_str());
        let origin = referer.and_then(Origin::of_url);
        origin.is_some_and(|origin| {
            self.return_urls.contains(&origin) || self.frame_ancestors.contains(&origin)
        })
    }

    /// A URL to return to, if the operator still allows it.
    pub(crate) fn return_url(&self, text: &str) -> Option<ReturnUrl> {
        ReturnUrl::allowed(text, &self.return_urls).ok()
    }
}

/// Returns true if this is the origin under which a browser reaches the Function URL with this name
/// at the emulator: `http://{id}.lambda-url.us-east-1.localhost:4566`.
fn is_local(origin: &str, name: &str) -> bool {
    let name = name.strip_suffix(".on.aws").unwrap_or(name);
    let port = origin.strip_prefix(&format!("http://{name}.localhost:"));
    port.is_some_and(|port| port.parse::<u16>().is_ok())
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn link(name: &'static str, text: Option<String>) -> Result<Option<Href>, SettingsError> {
    let link = text.map(|text| Href::external(&text)).transpose();
    parsed(name, link)
}

fn parsed<T, E: Display>(name: &'static str, value: Result<T, E>) -> Result<T, SettingsError> {
    value.map_err(|error| SettingsError {
        name,
        problem: error.to_string(),
    })
}
