//! The hosts that no subscription may have, because the operator denies them.

use std::fmt;
use std::str::FromStr;

use url::Host;

use super::EndpointHost;
use super::endpoint_url::is_host_name;

/// Host names that are refused when a subscription gets its URL, and again at each attempt.
///
/// A rule is a name, or `*.` and a name: all subdomains of it, at any depth, but not the name
/// itself. Names are compared in canonical form: lower case, punycode, without a final dot.
///
/// An alias (CNAME) of a denied host under another name is not denied. Its attempt fails in the TLS
/// handshake, unless the denied host has a certificate for that name too.
///
/// ```
/// # use webhooks_domain::outbound::{DeniedHosts, EndpointHost};
/// let denied: DeniedHosts = "example.com,*.example.com".parse().unwrap();
/// assert!(denied.check(EndpointHost::Name("api.example.com")).is_err());
/// assert!(denied.check(EndpointHost::Name("example.org")).is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeniedHosts {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Name(String),
    SubdomainsOf(String),
}

impl DeniedHosts {
    /// Refuses a host that a rule denies.
    ///
    /// # Errors
    /// The host, and the first rule that denies it.
    pub fn check(&self, host: EndpointHost<'_>) -> Result<(), DeniedHost> {
        let EndpointHost::Name(name) = host else {
            return Ok(());
        };
        // A URL from the table may have it.
        let name = name.strip_suffix('.').unwrap_or(name);
        match self.rules.iter().find(|rule| rule.denies(name)) {
            Some(rule) => Err(DeniedHost {
                name: name.to_owned(),
                rule: rule.to_string(),
            }),
            None => Ok(()),
        }
    }
}

impl Rule {
    fn denies(&self, name: &str) -> bool {
        match self {
            Self::Name(denied) => name == denied,
            Self::SubdomainsOf(parent) => name
                .strip_suffix(parent.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        }
    }

    fn parse(item: &str) -> Option<Self> {
        let (rule, text): (fn(String) -> Self, _) = match item.strip_prefix("*.") {
            Some(parent) => (Self::SubdomainsOf, parent),
            None => (Self::Name, item),
        };
        let Ok(Host::Domain(name)) = Host::parse(text) else {
            return None;
        };
        let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
        is_host_name(&name).then_some(name).map(rule)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::SubdomainsOf(parent) => write!(formatter, "*.{parent}"),
        }
    }
}

impl FromStr for DeniedHosts {
    type Err = DeniedHostsError;

    /// Parses a comma-separated list. Blank text is the empty list.
    ///
    /// # Errors
    /// If an item is neither a name nor `*.` and a name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let rules = text.split(',').map(|item| {
            let item = item.trim();
            Rule::parse(item).ok_or_else(|| DeniedHostsError {
                item: item.to_owned(),
            })
        });
        let rules = rules.collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }
}

/// A host that the operator denies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("url host `{name}`: the operator of this service denies `{rule}`")]
pub struct DeniedHost {
    name: String,
    rule: String,
}

impl DeniedHost {
    /// The rule that denies the host.
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

/// An item of the list is not a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("denied host `{item}`: must be a host name such as `example.com`, or `*.example.com`")]
pub struct DeniedHostsError {
    item: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::outbound::{DevelopmentNetworks, EndpointUrl};

    /// The rules, the host as a customer writes it, and the rule that denies it.
    const VECTORS: &[(&str, &str, Option<&str>)] = &[
        ("", "example.com", None),
        ("example.com", "example.com", Some("example.com")),
        ("example.com", "api.example.com", None),
        ("example.com", "notexample.com", None),
        ("example.com", "example.com.evil.net", None),
        ("*.example.com", "api.example.com", Some("*.example.com")),
        ("*.example.com", "a.b.example.com", Some("*.example.com")),
        ("*.example.com", "example.com", None),
        ("*.example.com", "notexample.com", None),
        ("example.com", "EXAMPLE.com", Some("example.com")),
        ("EXAMPLE.COM", "example.com", Some("example.com")),
        ("example.com", "example.com.", Some("example.com")),
        ("example.com.", "example.com", Some("example.com")),
        ("*.Example.Com.", "API.example.com.", Some("*.example.com")),
        ("example.com", "ex%61mple.com", Some("example.com")),
        ("example.com", "example。com", Some("example.com")),
        ("example.com", "ｅｘａｍｐｌｅ.com", Some("example.com")),
        ("example.com", "exam\u{ad}ple.com", Some("example.com")),
        ("bücher.de", "xn--bcher-kva.de", Some("xn--bcher-kva.de")),
        ("xn--bcher-kva.de", "BÜCHER.de", Some("xn--bcher-kva.de")),
        ("*.bücher.de", "a.Bücher.de", Some("*.xn--bcher-kva.de")),
        ("*.com", "example.com", Some("*.com")),
        ("a.net, *.b.net", "x.b.net", Some("*.b.net")),
        ("example.com", "example.com:8443", Some("example.com")),
    ];

    #[test]
    fn a_host_is_denied_in_every_form_in_which_it_can_be_written() {
        for (rules, host, denying) in VECTORS {
            let denied: DeniedHosts = rules.parse().unwrap();
            let url = format!("https://{host}/hook");
            let url = EndpointUrl::parse(&url, &DevelopmentNetworks::none()).unwrap();
            let found = denied.check(url.host()).err();
            let found = found.as_ref().map(DeniedHost::rule);
            assert_eq!(found, *denying, "`{rules}` on {host}");
        }
    }

    #[test]
    fn a_stored_url_is_denied_whatever_its_form() {
        let denied: DeniedHosts = "example.com".parse().unwrap();
        let url = EndpointUrl::from_stored("https://Example.com./").unwrap();
        let error = denied.check(url.host()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "url host `example.com`: the operator of this service denies `example.com`"
        );
    }

    #[test]
    fn an_item_that_is_not_a_rule_is_refused_by_name() {
        for item in [
            ",",
            "example.com,",
            "*",
            "*.",
            "a*.example.com",
            "*.*.example.com",
            "https://example.com",
            "example.com/path",
            "example.com:443",
            ".example.com",
            "a..example.com",
            "-a.example.com",
            "10.0.0.1",
            "2130706433",
            "[::1]",
            "exa mple.com",
        ] {
            assert!(item.parse::<DeniedHosts>().is_err(), "{item}");
        }
        let error = "example.com,http://b".parse::<DeniedHosts>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "denied host `http://b`: must be a host name such as `example.com`, or `*.example.com`"
        );
    }
}
