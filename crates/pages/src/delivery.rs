//! One delivery with its attempts.

use std::collections::BTreeMap;

use maud::{Markup, html};
use webhooks_api_types::{Attempt, DeliveryStatus, DeliveryWithBody, words};

use crate::frame::{Capability, Frame};
use crate::href::Href;
use crate::layout::{self, Place};
use crate::parts::{Facts, grouped, post};
use crate::paths::Route;
use crate::state;
use crate::text::{code, foreign, visible_lines};
use crate::time::{millis, time, time_and_age};

/// The longest part of a body on the page, in bytes.
pub const SHOWN_BODY_BYTES: usize = 16_384;

/// The data of the page.
#[derive(Debug, Clone)]
pub struct DeliveryView {
    /// The delivery, with the body of its requests.
    pub delivery: DeliveryWithBody,
    /// The URL of the endpoint, if its subscription still exists.
    pub url: Option<String>,
    /// The exchange of each attempt, in the same order. May be shorter.
    pub exchanges: Vec<Exchange>,
}

/// The request and the response of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    /// The request, with its signatures and secret headers masked.
    pub request: Option<Request>,
    /// The response.
    pub response: Option<Response>,
    /// The phases of the attempt with their durations in milliseconds, such as `DNS`.
    pub timings: Vec<(&'static str, u64)>,
}

/// The head of a request. Its body is that of the delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Such as `POST`.
    pub method: String,
    /// The URL of the endpoint at that time.
    pub url: String,
    /// The headers.
    pub headers: BTreeMap<String, String>,
}

/// An answer of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The body, as far as it is kept.
    pub body: String,
    /// True if the body goes on.
    pub is_truncated: bool,
}

/// Renders the page.
pub fn page(frame: &Frame, view: &DeliveryView) -> String {
    let delivery = &view.delivery.delivery;
    let content = html! {
        (crumb(view))
        div .title {
            h1 { "Delivery of " (code(&delivery.event_type)) }
            (state::delivery(delivery.status))
        }
        p { (foreign(&sentence(&state::delivery_words(delivery, frame.now)))) }
        (resend(frame, view))
        (facts(frame, view))
        section aria-labelledby="attempts" {
            h2 #attempts { "Attempts" }
            @if delivery.attempts.is_empty() { p .empty { "No attempt yet." } }
            ol .cards {
                @for (index, attempt) in delivery.attempts.iter().enumerate().rev() {
                    li { (attempt_card(frame, attempt, view.exchanges.get(index))) }
                }
            }
        }
        (body(frame, view))
    };
    layout::page(frame, Place::Endpoints, "Delivery", &content)
}

fn crumb(view: &DeliveryView) -> Markup {
    let delivery = &view.delivery.delivery;
    let (customer, subscription) = (&delivery.customer_id, &delivery.subscription_id);
    let deliveries = Route::Deliveries {
        customer: customer.clone(),
        subscription: subscription.clone(),
    };
    let endpoint = Route::Endpoint {
        customer: customer.clone(),
        subscription: subscription.clone(),
    };
    html! {
        p .crumb {
            @if let Some(url) = &view.url {
                a href=(Href::from(endpoint)) { (foreign(url)) }
                span aria-hidden="true" { " › " }
                a href=(Href::from(deliveries)) { "Deliveries" }
            } @else {
                "The endpoint was deleted."
            }
        }
    }
}

fn resend(frame: &Frame, view: &DeliveryView) -> Markup {
    let delivery = &view.delivery.delivery;
    let is_possible = match delivery.status {
        DeliveryStatus::Failed | DeliveryStatus::Held | DeliveryStatus::Succeeded => true,
        DeliveryStatus::Pending | DeliveryStatus::Cancelled => false,
    };
    let route = Route::ResendDelivery {
        customer: delivery.customer_id.clone(),
        delivery: delivery.id.clone(),
    };
    html! {
        @if is_possible && view.url.is_some() && frame.may(Capability::Resend) {
            (post(frame, route, html! { button .primary type="submit" { "Resend" } }))
        }
    }
}

fn facts(frame: &Frame, view: &DeliveryView) -> Markup {
    let delivery = &view.delivery.delivery;
    let mut facts = Facts::default();
    facts.add("Created", time_and_age(&delivery.created_at, frame.now));
    let next = delivery.next_attempt_at.as_deref();
    facts.maybe("Next attempt", next.map(|at| time_and_age(at, frame.now)));
    let trigger = state::trigger(delivery.trigger);
    facts.maybe("Reason", trigger.map(|trigger| html! { (trigger) }));
    facts.add("Delivery", code(&delivery.id));
    if frame.is_support() {
        let message = Route::Message {
            customer: delivery.customer_id.clone(),
            message: delivery.message_id.clone(),
        };
        let link = html! { a href=(Href::from(message)) { (code(&delivery.message_id)) } };
        facts.add("Message", link);
    } else {
        facts.add("webhook-id", code(&delivery.message_id));
    }
    let earlier = u64::from(delivery.earlier_attempts);
    let earlier = (earlier > 0).then(|| html! { (grouped(earlier)) });
    facts.maybe("Attempts before the last resend", earlier);
    facts.markup()
}

fn attempt_card(frame: &Frame, attempt: &Attempt, exchange: Option<&Exchange>) -> Markup {
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
                (response_details(attempt, exchange.and_then(|exchange| exchange.response.as_ref())))
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
fn response_details(attempt: &Attempt, response: Option<&Response>) -> Markup {
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
                (text(body))
            }
            @if is_truncated { p .muted { "The rest was not kept." } }
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

fn body(frame: &Frame, view: &DeliveryView) -> Markup {
    let view = &view.delivery;
    html! {
        section aria-labelledby="body" {
            h2 #body { "Signed body" }
            @if !frame.may(Capability::Payloads) {
                p .muted { "This session does not show bodies and answers." }
            } @else if let Some(body) = &view.body {
                @let (shown, is_whole) = beginning(body);
                p .muted {
                    (grouped(u64::try_from(body.len()).unwrap_or_default()))
                    " bytes, the same on every attempt."
                    @if !is_whole { " This is the beginning." }
                }
                (text(shown))
            } @else if let Some(problem) = &view.body_problem {
                p { (foreign(&sentence(problem))) }
            } @else {
                p .muted { "The body is no longer stored." }
            }
        }
    }
}

/// A text of several lines, in a region that scrolls.
pub(crate) fn text(text: &str) -> Markup {
    html! { pre tabindex="0" { (visible_lines(text)) } }
}

/// The part of a body that the page shows, and whether that is all.
fn beginning(body: &str) -> (&str, bool) {
    if body.len() <= SHOWN_BODY_BYTES {
        return (body, true);
    }
    (&body[..body.floor_char_boundary(SHOWN_BODY_BYTES)], false)
}

/// A text of the API as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase());
    let end = if text.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    first.map_or_else(String::new, |first| {
        format!("{first}{}{end}", letters.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let body = format!("{}é", "x".repeat(SHOWN_BODY_BYTES - 1));
        let (shown, is_whole) = beginning(&body);
        assert_eq!((shown.len(), is_whole), (SHOWN_BODY_BYTES - 1, false));
        assert_eq!(beginning("{}"), ("{}", true));
    }

    #[test]
    fn a_text_becomes_a_sentence() {
        assert_eq!(sentence("answered 500: bad"), "Answered 500: bad.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence(""), "");
    }
}
