//! One attempt of a delivery: its outcome, its request and its answer.

use std::collections::BTreeMap;

use maud::{Markup, html};
use webhooks_api_types::{Attempt, words};

use super::{Exchange, Request, Response, sentence, text};
use crate::frame::{Capability, Frame};
use crate::parts::Facts;
use crate::state;
use crate::text::{beginning, code, foreign};
use crate::time::{millis, time};

/// An attempt with its exchange. The answer to the last attempt is shown at greater length.
pub(super) fn card(
    frame: &Frame,
    attempt: &Attempt,
    exchange: Option<&Exchange>,
    answer_bytes: usize,
) -> Markup {
    let mut facts = Facts::default();
    facts.add("Began", time(&attempt.at));
    facts.add("Took", html! { (millis(attempt.duration_ms)) });
    if let Some(exchange) = exchange.filter(|exchange| !exchange.timings.is_empty()) {
        facts.add(
            "Phases",
            html! {
                @for (index, (name, duration)) in exchange.timings.iter().enumerate() {
                    @if index > 0 { ", " }
                    (name) " " (millis(*duration))
                }
            },
        );
    }
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
                @if let Some(request) = exchange.and_then(|exchange| exchange.request.as_ref()) {
                    (request_details(attempt, request))
                }
                @let response = exchange.and_then(|exchange| exchange.response.as_ref());
                (response_details(attempt, response, answer_bytes))
            }
        }
    }
}

fn request_details(attempt: &Attempt, request: &Request) -> Markup {
    html! {
        details {
            summary { "Request " span .sr { "of attempt " (attempt.number) } }
            (text(&format!("{} {}", request.method, request.url)))
            (headers(&request.headers))
        }
    }
}

/// The whole response, or the part that the attempt itself has.
fn response_details(attempt: &Attempt, response: Option<&Response>, bytes: usize) -> Markup {
    let (headers_shown, body, is_truncated) = match response {
        Some(response) => (
            &response.headers,
            response.body.as_str(),
            response.is_truncated,
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
