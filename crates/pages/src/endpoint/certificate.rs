//! The end of a client certificate.

use maud::{Markup, html};
use webhooks_domain::outbound::authentication::CertificateEnd;
use webhooks_domain::timestamp::Timestamp;

use crate::frame::Tone;
use crate::parts::badge;
use crate::time::time_and_age;

/// The end, with a warning while it is near or after it has passed.
pub(super) fn end(not_after: &str, now: Timestamp) -> Markup {
    let end = Timestamp::parse_rfc3339(not_after).map(|end| CertificateEnd::of(end, now));
    let warning = match end {
        Some(CertificateEnd::Within30Days) => Some((Tone::Waiting, "Replace it soon")),
        Some(CertificateEnd::Within7Days | CertificateEnd::Within1Day) => {
            Some((Tone::Bad, "Replace it now"))
        }
        Some(CertificateEnd::Passed) => Some((Tone::Bad, "It has ended: replace it")),
        Some(CertificateEnd::Far) | None => None,
    };
    html! {
        "valid until " (time_and_age(not_after, now))
        @if let Some((tone, words)) = warning { " " (badge(tone, words)) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    #[test]
    fn an_end_is_warned_of_from_30_days_before() {
        let in_hours = |hours| NOW + Duration::from_hours(hours);
        for (not_after, words) in [
            (in_hours(24 * 30 + 1), None),
            (in_hours(24 * 30), Some("Replace it soon")),
            (in_hours(24 * 7), Some("Replace it now")),
            (in_hours(1), Some("Replace it now")),
            (NOW, Some("It has ended: replace it")),
        ] {
            let shown = end(&not_after.to_string(), NOW).into_string();
            assert_eq!(shown.contains("eplace it"), words.is_some(), "{shown}");
            assert!(words.is_none_or(|words| shown.contains(words)), "{shown}");
        }
        let foreign = end("<soon>", NOW).into_string();
        assert!(!foreign.contains("<soon>"), "{foreign}");
    }
}
