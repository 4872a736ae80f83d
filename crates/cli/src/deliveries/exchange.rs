//! Shows the exchange of an attempt: its request and the endpoint's answer.

use crate::terminal::{Style, clean};
use webhooks_client::{Attempt, AttemptRequest, AttemptResponse, AttemptTimings};

use crate::pretty;
use crate::print::{Facts, heading, one_line};

/// The margin of a request and of an answer.
const MARGIN: &str = "    ";

/// Returns all that is known of the exchange of an attempt; empty if that is nothing.
pub(super) fn text(attempt: &Attempt, style: Style) -> String {
    let number = attempt.number;
    let mut facts = Facts::default();
    if !attempt.addresses.is_empty() {
        facts.add("address", attempt.addresses.join(", "));
    }
    if let Some(timings) = &attempt.timings {
        facts.add("timings", durations(timings));
    }
    if attempt.response.is_none() {
        for (name, value) in &attempt.response_headers {
            facts.add("header", one_line(&format!("{name}: {value}")));
        }
        let excerpt = attempt.response_excerpt.as_deref();
        facts.maybe("answer", excerpt.filter(|excerpt| !excerpt.is_empty()));
    }
    let facts = facts.text(style);
    let mut text = String::new();
    if !facts.is_empty() {
        text.push_str(&heading(&format!("at attempt {number}"), style));
        text.push_str(&facts);
    }
    if let Some(request) = &attempt.request {
        text.push_str(&heading(&format!("request of attempt {number}"), style));
        text.push_str(&sent(request));
    }
    if let Some(response) = &attempt.response {
        let title = format!("answer to attempt {number}: {}", size(response));
        text.push_str(&heading(&title, style));
        text.push_str(&answered(response));
    }
    text
}

fn sent(request: &AttemptRequest) -> String {
    let mut text = line(&format!("{} {}", request.method, request.url));
    for (name, value) in &request.headers {
        text.push_str(&line(&format!("{name}: {value}")));
    }
    text
}

fn answered(response: &AttemptResponse) -> String {
    let mut text = String::new();
    for (name, value) in &response.headers {
        text.push_str(&line(&format!("{name}: {value}")));
    }
    if !response.headers.is_empty() && !response.body.is_empty() {
        text.push('\n');
    }
    text + &pretty::indented(response.body.as_bytes(), MARGIN)
}

/// Describes the status and the size of an answer.
fn size(response: &AttemptResponse) -> String {
    let AttemptResponse {
        status, size_bytes, ..
    } = response;
    if response.body_truncated {
        let shown = response.body.len();
        format!("status {status}, the first {shown} of at least {size_bytes} bytes")
    } else {
        format!("status {status}, {size_bytes} bytes")
    }
}

fn durations(timings: &AttemptTimings) -> String {
    let parts = [
        ("dns", timings.dns_ms),
        ("connect", timings.connect_ms),
        ("tls", timings.tls_ms),
        ("first byte", timings.first_byte_ms),
    ];
    let parts = parts
        .into_iter()
        .filter_map(|(name, ms)| Some(format!("{name} {} ms", ms?)));
    parts.collect::<Vec<_>>().join(", ")
}

fn line(text: &str) -> String {
    format!("{MARGIN}{}\n", clean(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_exchange_is_shown_whole_and_moves_no_terminal() {
        let attempt: Attempt = serde_json::from_value(json!({
            "number": 2, "at": "2026-01-01T00:00:06.000Z", "durationMs": 120, "outcome": "httpError",
            "status": 500, "addresses": ["203.0.113.10"], "responseHeaders": {"server": "nginx"},
            "responseExcerpt": "no database",
            "timings": {"dnsMs": 3, "connectMs": 12, "tlsMs": 25, "firstByteMs": 80},
            "request": {"method": "POST", "url": "https://example.com/hook?a=\u{9b}2J",
                "headers": {"webhook-signature": "***", "x-note": "a\u{1b}]0;b"}},
            "response": {"status": 500, "headers": {"server": "nginx\u{1b}[2J"},
                "body": "<h1>no\u{1b}[2J\r\n\tdatabase</h1>\u{202e}\n", "bodyTruncated": true,
                "sizeBytes": 70_000},
        }))
        .unwrap();
        let text = text(&attempt, Style::Plain);
        let harmful = |letter| letter != '\n' && crate::terminal::is_harmful(letter);
        assert!(!text.contains(harmful), "{text:?}");
        assert_text!(text);
    }
}
