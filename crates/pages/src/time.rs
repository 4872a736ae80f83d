//! Times and durations.
//!
//! The script replaces the text of each time by the time in the viewer's zone. The title keeps the
//! time in UTC.

use std::time::Duration;

use maud::{Markup, html};
use webhooks_domain::timestamp::Timestamp;

use crate::problem::FormProblem;
use crate::text::{foreign, visible};

/// A time of the API.
pub(crate) fn time(text: &str) -> Markup {
    match Timestamp::parse_rfc3339(text) {
        Some(at) => {
            let utc = utc(at);
            html! { time datetime=(at) title=(utc) { (utc) } }
        }
        None => foreign(text),
    }
}

/// A time of the API, and its distance from now: `… (5 min ago)`.
pub(crate) fn time_and_age(text: &str, now: Timestamp) -> Markup {
    html! {
        (time(text))
        @if let Some(age) = distance(text, now) { " (" (age) ")" }
    }
}

/// Reads a time of a form, in UTC: `2026-01-31T09:30`, with or without seconds, or a time of the
/// API.
pub(crate) fn moment(field: &str, text: &str) -> Result<String, FormProblem> {
    let forms = [text.to_owned(), format!("{text}Z"), format!("{text}:00Z")];
    let time = forms.iter().find_map(|text| Timestamp::parse_rfc3339(text));
    time.map(|time| time.to_string())
        .ok_or_else(|| FormProblem::of(field, "must be a time such as `2026-01-31T09:30:00`"))
}

/// The distance from now: `5 min ago`, `in 5 min`.
pub(crate) fn distance(text: &str, now: Timestamp) -> Option<String> {
    let at = Timestamp::parse_rfc3339(text)?;
    Some(if at > now {
        format!("in {}", span(at.since(now)))
    } else {
        format!("{} ago", span(now.since(at)))
    })
}

/// A duration in one unit: `5 min`.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Milliseconds: `85 ms`, `1.2 s`.
pub(crate) fn millis(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        _ => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
    }
}

/// `2026-01-31 09:30:00 UTC`.
fn utc(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.').map(|(seconds, _)| seconds) {
        Some(seconds) => format!("{} UTC", seconds.replace('T', " ")),
        None => visible(&text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    #[test]
    fn a_time_has_its_moment_for_the_script() {
        assert_eq!(
            time("2026-01-31T09:30:00.123+01:00").into_string(),
            "<time datetime=\"2026-01-31T08:30:00.123Z\" title=\"2026-01-31 08:30:00 UTC\">\
             2026-01-31 08:30:00 UTC</time>"
        );
        assert_eq!(time("<soon>").into_string(), "<bdi>&lt;soon&gt;</bdi>");
    }

    #[test]
    fn a_distance_has_one_unit() {
        let text = |at: Timestamp| distance(&at.to_string(), NOW).unwrap();
        assert_eq!(text(NOW - Duration::from_secs(5)), "5 s ago");
        assert_eq!(text(NOW + Duration::from_secs(3_599)), "in 59 min");
        assert_eq!(text(NOW - Duration::from_hours(47)), "47 h ago");
        assert_eq!(text(NOW - Duration::from_hours(72)), "3 days ago");
        assert_eq!(distance("someday", NOW), None);
    }

    #[test]
    fn milliseconds_become_seconds() {
        assert_eq!(millis(999), "999 ms");
        assert_eq!(millis(1_250), "1.2 s");
    }
}
