//! One delivery with its attempts.

mod attempt;

use maud::{Markup, html};
use webhooks_api_types::{DeliveryStatus, DeliveryWithBody};

use crate::frame::{Capability, Frame};
use crate::href::Href;
use crate::layout::{self, Place};
use crate::parts::{Facts, grouped, post};
use crate::paths::Route;
use crate::state;
use crate::text::{beginning, code, foreign, visible_lines};
use crate::time::time_and_age;

/// The longest part of the signed body on the page, in bytes of HTML.
const BODY_BYTES: usize = 12_000;
/// The longest part of the answer to the last attempt.
const LAST_ANSWER_BYTES: usize = 6_000;
/// The longest part of an earlier answer.
const EARLIER_ANSWER_BYTES: usize = 800;

/// The data of the page. Each attempt has its request and its answer, as far as they are known.
#[derive(Debug, Clone)]
pub struct DeliveryView {
    /// The delivery, with the body of its requests.
    pub delivery: DeliveryWithBody,
    /// The URL of the endpoint, if its subscription still exists.
    pub url: Option<String>,
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
        (cancel(frame, view))
        (facts(frame, view))
        section aria-labelledby="attempts" {
            h2 #attempts { "Attempts" }
            @if delivery.attempts.is_empty() { p .empty { "No attempt yet." } }
            ol .cards {
                @for (index, attempt) in delivery.attempts.iter().enumerate().rev() {
                    @let is_last = index + 1 == delivery.attempts.len();
                    @let bytes = if is_last { LAST_ANSWER_BYTES } else { EARLIER_ANSWER_BYTES };
                    li { (attempt::card(frame, attempt, bytes)) }
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
        DeliveryStatus::Failed
        | DeliveryStatus::Held
        | DeliveryStatus::Succeeded
        | DeliveryStatus::Cancelled => true,
        DeliveryStatus::Pending => false,
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

/// The button that stops what is still pending of the message.
fn cancel(frame: &Frame, view: &DeliveryView) -> Markup {
    let delivery = &view.delivery.delivery;
    let is_possible = matches!(
        delivery.status,
        DeliveryStatus::Pending | DeliveryStatus::Held
    );
    let route = Route::CancelDelivery {
        customer: delivery.customer_id.clone(),
        delivery: delivery.id.clone(),
    };
    html! {
        @if is_possible && frame.may(Capability::Resend) {
            (post(frame, route, html! { button type="submit" { "Cancel for all endpoints" } }))
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
    facts.maybe("Trigger", trigger.map(|trigger| html! { (trigger) }));
    facts.add("Delivery", code(&delivery.id));
    if frame.is_support() {
        let message = Route::Message {
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

fn body(frame: &Frame, view: &DeliveryView) -> Markup {
    let view = &view.delivery;
    html! {
        section aria-labelledby="body" {
            h2 #body { "Signed body" }
            @if !frame.may(Capability::Payloads) {
                p .muted { "This session does not show bodies and answers." }
            } @else if let Some(body) = &view.body {
                @let (shown, is_whole) = beginning(body, BODY_BYTES);
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

/// A text of the API as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
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
    fn a_text_becomes_a_sentence() {
        assert_eq!(sentence("answered 500: bad"), "Answered 500: bad.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence(""), "");
    }
}
