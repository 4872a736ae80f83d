//! The host names that a URL may have.

use super::EndpointUrlError;

/// Checks a name without the final dot of an absolute name.
pub(super) fn check(name: &str) -> Result<(), EndpointUrlError> {
    if !is_host_name(name) {
        return Err(EndpointUrlError::Name {
            name: name.to_owned(),
        });
    }
    if let Some(domain) = internal_domain(name) {
        return Err(EndpointUrlError::InternalName {
            name: name.to_owned(),
            domain,
        });
    }
    if !name.contains('.') {
        return Err(EndpointUrlError::SingleLabel {
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// Returns true for labels that names may have, in lower case and punycode.
///
/// The rules are those of RFC 1123, 2.1, plus the underscore, which resolvers, certificates and
/// rustls accept too. rustls accepts no hyphen at either end of a label.
pub(crate) fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn internal_domain(name: &str) -> Option<&'static str> {
    INTERNAL_DOMAINS.iter().copied().find(|domain| {
        name.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// Top-level domains that never lead to a public endpoint.
///
/// IANA's special-use names (<https://www.iana.org/assignments/special-use-domain-names>) except
/// the harmless `example`; `internal` (ICANN 2024); the private names of RFC 6762 appendix G;
/// `mail`, `corp` and `home`, which ICANN never delegates (2018); and `localdomain` from common
/// `hosts` files. `home.arpa` is under `arpa`, which is used for infrastructure only.
pub(super) const INTERNAL_DOMAINS: &[&str] = &[
    "alt",
    "arpa",
    "corp",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "mail",
    "onion",
    "private",
    "test",
];
