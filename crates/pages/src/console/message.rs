//! A message with its deliveries.

use maud::html;
use webhooks_api_types::Message;

use crate::deliveries::rows;
use crate::frame::Frame;
use crate::href::Href;
use crate::layout::{self, Place};
use crate::parts::{Facts, broken, next_page};
use crate::paths::Route;
use crate::text::{code, foreign};
use crate::time::time_and_age;

/// Renders the page.
pub fn message_page(frame: &Frame, message: &Message) -> String {
    let customer = message.customer_id.clone();
    let here = Href::from(Route::Message {
        message: message.id.clone(),
    });
    let next = message.next_cursor.as_deref();
    let next = next.map(|cursor| here.with([("cursor", Some(cursor))]));
    let mut facts = Facts::default();
    let link = html! { a href=(Href::from(Route::Endpoints { customer })) { (code(&message.customer_id)) } };
    facts.add("Customer", link);
    facts.add("Time of the event", foreign(&message.time));
    facts.add("Received", time_and_age(&message.received_at, frame.now));
    facts.add("Id", code(&message.id));
    let content = html! {
        h1 { "Message " (code(&message.event_type)) }
        (facts.markup())
        section aria-labelledby="deliveries" {
            h2 #deliveries { "Deliveries" }
            @if message.deliveries.is_empty() && message.next_cursor.is_none() {
                p .empty { "No endpoint gets this message." }
            } @else {
                (rows(frame, "Deliveries of this message", &message.deliveries))
            }
        }
        (broken(&message.broken))
        (next_page(next))
    };
    layout::page(frame, Place::Search, "Message", &content)
}
