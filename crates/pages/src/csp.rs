//! The content security policy of the pages.

use crate::brand::Brand;
use crate::href::Href;

/// The header `content-security-policy` of every page. `frame_ancestors` is the parameter
/// `PortalFrameAncestors`: `'none'`, or the origins that may embed the portal.
///
/// It allows the files of the portal, requests to the portal, and the operator's logo. No script
/// and no style in a page can run.
pub fn content_security_policy(brand: &Brand, frame_ancestors: &str) -> String {
    let logo = brand.logo.as_ref().and_then(Href::origin);
    let logo = logo.map_or_else(String::new, |origin| format!(" {origin}"));
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{logo}; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors {frame_ancestors}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_no_other_host_but_that_of_the_logo() {
        let brand = Brand::default();
        let policy = content_security_policy(&brand, "'none'");
        assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'));
        assert!(policy.ends_with("frame-ancestors 'none'"));
        let brand = Brand {
            logo: Some(Href::external("https://cdn.example.com/logo.svg;x").unwrap()),
            ..brand
        };
        let policy = content_security_policy(&brand, "https://app.example.com");
        assert!(policy.contains("img-src 'self' https://cdn.example.com; connect-src"));
    }
}
