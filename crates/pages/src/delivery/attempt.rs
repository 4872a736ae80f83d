//! One attempt of a delivery: its outcome, its request and its answer.

use std::collections::BTreeMap;

use maud::{Markup, html};
use webhooks_api_types::{Attempt, AttemptRequest, AttemptTimings, words};

use super::{sentence, text};
use crate::frame::{Capability, Frame};
use crate::parts::Facts;
use crate::state;
use crate::text::{beginning, code, foreign};
use crate::time::{millis, time};

/// An attempt with its request and its answer. The answer to the last attempt is shown at greater length.
pub(super) fn card(frame: &Frame, attempt: &Attempt, answer_bytes: usize) -> Markup {
    let mut facts = Facts::default();
    facts.add("Began", time(&attempt.at));
    facts.add("Took", html! { (millis(attempt.duration_ms)) });
    facts.maybe("Phases", attempt.timings.as_ref().map(phases));
    let addresses = attempt.addresses.join(", ");
    facts.maybe("Address", (!addresses.is_empty()).then(|| code(&addresses)));
    html! {
        article .card {
            div .cardhead {
                h3 { "Attempt " (attempt.number) }
                (state::attempt(attempt))
            }
            p { (foreign(&sentence(&words::outcome(attempt)))) }
            (facts.markup())
            @if frame.may(Capability::Payloads) {
                @if let Some(request) = &attempt.request {
                    (request_details(attempt, request))
                }
                (response_details(attempt, answer_bytes))
            }
        }
    }
}

/// The parts of an attempt with their durations.
fn phases(timings: &AttemptTimings) -> Markup {
    let parts = [
        ("DNS", timings.dns_ms),
        ("connect", timings.connect_ms),
        ("TLS", timings.tls_ms),
        ("first byte", timings.first_byte_ms),
    ];
    let known = parts
        .into_iter()
        .filter_map(|(name, time)| Some((name, time?)));
    html! {
        @for (index, (name, time)) in known.enumerate() {
            @if index > 0 { ", " }
            (name) " " (millis(time))
        }
    }
}

fn request_details(attempt: &Attempt, request: &AttemptRequest) -> Markup {
    html! {
        details {
            summary { "Request " span .sr { "of attempt " (attempt.number) } }
            (text(&format!("{} {}", request.method, request.url)))
            (headers(&request.headers))
        }
    }
}

/// The whole response, or the part that the attempt itself has.
fn response_details(attempt: &Attempt, bytes: usize) -> Markup {
    let (headers_shown, body, is_truncated) = match &attempt.response {
        Some(response) => (
            &response.headers,
            response.body.as_str(),
            response.body_truncated,
        ),
        None => (
            &attempt.response_headers,
            attempt.response_excerpt.as_deref().unwrap_or_default(),
            false,
        ),
    };
    if headers_shown.is_empty() && body.is_empty() {
        return html! {};
    }
    html! {
        details {
            summary { "Answer " span .sr { "to attempt " (attempt.number) } }
            (headers(headers_shown))
            @if body.is_empty() {
                p .muted { "The body is empty." }
            } @else {
                @let (shown, is_whole) = beginning(body, bytes);
                (text(shown))
                @if !is_whole {
                    p .muted { "This is the beginning." }
                } @else if is_truncated {
                    p .muted { "The rest was not kept." }
                }
            }
        }
    }
}

fn headers(headers: &BTreeMap<String, String>) -> Markup {
    html! {
        @if !headers.is_empty() {
            dl .headers {
                @for (name, value) in headers {
                    div { dt { (code(name)) } dd { (code(value)) } }
                }
            }
        }
    }
}
