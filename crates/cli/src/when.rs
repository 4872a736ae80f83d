//! Times in forms for people.

use std::time::Duration;

use webhooks_domain::timestamp::Timestamp;

use crate::clock::now;

/// Reads `2h`, `2026-11-24` or an RFC 3339 time. An age is relative to now.
pub(crate) fn moment(text: &str) -> Result<String, String> {
    moment_at(text, now())
}

fn moment_at(text: &str, now: Timestamp) -> Result<String, String> {
    if Timestamp::parse_rfc3339(text).is_some() {
        return Ok(text.to_owned());
    }
    let midnight = format!("{text}T00:00:00Z");
    if Timestamp::parse_rfc3339(&midnight).is_some() {
        return Ok(midnight);
    }
    let age = humantime::parse_duration(text).map_err(
        |_| "must be an age such as `2h` or `3days`, or a time such as `2026-11-24T09:00:00Z`",
    )?;
    Ok((now - age).to_string())
}

/// Returns a time of the API without milliseconds, for lists.
pub(crate) fn short(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

/// Formats a duration: `5m 3s`.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = Duration::from_secs(duration.as_secs());
    let text = humantime::format_duration(seconds).to_string();
    // Two units are precise enough.
    let units: Vec<_> = text.split(' ').take(2).collect();
    units.join(" ")
}

/// Formats the time until a moment: `in 5m`, `now`.
pub(crate) fn until(time: &str, now: Timestamp) -> String {
    match Timestamp::parse_rfc3339(time).map(|time| time.since(now)) {
        Some(left) if left >= Duration::from_secs(1) => format!("in {}", span(left)),
        Some(_) => "now".to_owned(),
        None => format!("at {time}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    #[test]
    fn a_moment_is_an_age_a_day_or_a_time() {
        let age = moment_at("2h", NOW).unwrap();
        assert_eq!(
            Timestamp::parse_rfc3339(&age),
            Some(NOW - Duration::from_hours(2))
        );
        assert_eq!(
            moment_at("2026-11-24", NOW).unwrap(),
            "2026-11-24T00:00:00Z"
        );
        let precise = "2026-11-24T09:00:00.123456+01:00";
        assert_eq!(moment_at(precise, NOW).unwrap(), precise);
        for bad in ["", "soon", "2", "2026-13-01", "-2h"] {
            assert!(
                moment_at(bad, NOW).unwrap_err().contains("such as"),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_span_has_at_most_two_units() {
        assert_eq!(span(Duration::from_millis(93_784_500)), "1day 2h");
        assert_eq!(span(Duration::from_millis(5_900)), "5s");
    }

    #[test]
    fn an_overdue_time_is_now() {
        let later = (NOW + Duration::from_mins(5)).to_string();
        assert_eq!(until(&later, NOW), "in 5m");
        assert_eq!(
            until(&NOW.to_string(), NOW + Duration::from_hours(1)),
            "now"
        );
        assert_eq!(until("someday", NOW), "at someday");
    }

    #[test]
    fn lists_show_no_milliseconds() {
        assert_eq!(short("2026-11-24T09:00:00.123Z"), "2026-11-24T09:00:00Z");
        assert_eq!(short("2026-11-24T09:00:00Z"), "2026-11-24T09:00:00Z");
    }
}
