//! The end of a client certificate, with a warning while it is near.

use webhooks_client::Authentication;
use webhooks_domain::outbound::authentication::CertificateEnd;
use webhooks_domain::timestamp::Timestamp;

use crate::terminal::{Cell, Tone};
use crate::when;

/// The end of the client certificate, if the authentication is one.
pub(super) fn end(authentication: &Authentication, now: Timestamp) -> Option<Cell> {
    let Authentication::Mtls { not_after, .. } = authentication else {
        return None;
    };
    let text = when::short(not_after);
    let warned = warning(authentication, now);
    Some(match warned {
        Some((warning, tone)) => Cell::new(format!("until {text}: {warning}"), tone),
        None => format!("until {text}").into(),
    })
}

/// The warning while the end of the client certificate is near, or has passed.
pub(super) fn warning(authentication: &Authentication, now: Timestamp) -> Option<(String, Tone)> {
    let Authentication::Mtls { not_after, .. } = authentication else {
        return None;
    };
    let end = CertificateEnd::of(Timestamp::parse_rfc3339(not_after)?, now);
    let left = || format!("ends {}, replace it", when::until(not_after, now));
    match end {
        CertificateEnd::Far => None,
        CertificateEnd::Within30Days => Some((left(), Tone::Waiting)),
        CertificateEnd::Within7Days | CertificateEnd::Within1Day => Some((left(), Tone::Bad)),
        CertificateEnd::Passed => Some(("has ended, replace it".to_owned(), Tone::Bad)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::terminal::Style;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn mtls(not_after: Timestamp) -> Authentication {
        Authentication::Mtls {
            subject: "CN=webhooks".to_owned(),
            issuer: "CN=Example CA".to_owned(),
            sha256_fingerprint: "00".to_owned(),
            not_before: NOW.to_string(),
            not_after: not_after.to_string(),
        }
    }

    #[test]
    fn an_end_is_warned_of_from_30_days_before() {
        let days = |days: u64| NOW + Duration::from_hours(24 * days);
        for (not_after, expected) in [
            (days(31), None),
            (
                days(30),
                Some(("ends in 30days, replace it", Tone::Waiting)),
            ),
            (days(7), Some(("ends in 7days, replace it", Tone::Bad))),
            (NOW, Some(("has ended, replace it", Tone::Bad))),
        ] {
            let warned = warning(&mtls(not_after), NOW);
            let warned = warned.as_ref().map(|(text, tone)| (text.as_str(), *tone));
            assert_eq!(warned, expected);
        }
        assert_eq!(warning(&Authentication::Bearer {}, NOW), None);
    }

    #[test]
    fn the_end_is_shown_in_any_case() {
        let far = NOW + Duration::from_hours(24 * 300);
        let shown = end(&mtls(far), NOW).unwrap();
        let mut table = crate::terminal::Table::untitled();
        table.push(["certificate".into(), shown]);
        let text = table.text(Style::Plain);
        assert!(text.contains("until 2027-"), "{text}");
        assert!(!text.contains("replace"), "{text}");
    }
}
