//! The endpoints of a customer.

use maud::{Markup, html};
use webhooks_api_types::{Statistics, Subscription, SubscriptionPage};

use crate::frame::{Capability, Frame};
use crate::href::Href;
use crate::layout::{self, Place};
use crate::parts::{broken, next_page};
use crate::paths::Route;
use crate::state;
use crate::statistics;
use crate::text::{code, foreign};

/// The number of endpoints on a page, so that it stays small.
pub const PAGE_SIZE: u32 = 20;

/// The data of the page.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// The customer whose endpoints these are.
    pub customer: String,
    /// A page of them.
    pub page: SubscriptionPage,
    /// The statistics of each, in the same order. May be shorter.
    pub statistics: Vec<Option<Statistics>>,
    /// The e-mail addresses that are told when an endpoint fails.
    pub contacts: Vec<String>,
}

/// Renders the page.
pub fn page(frame: &Frame, endpoints: &Endpoints) -> String {
    let customer = &endpoints.customer;
    let next = endpoints.page.next_cursor.as_deref().map(|cursor| {
        let customer = customer.clone();
        Href::from(Route::Endpoints { customer }).with([("cursor", Some(cursor))])
    });
    let statistics = endpoints.statistics.iter().map(Option::as_ref);
    let statistics = statistics.chain(std::iter::repeat(None));
    let content = html! {
        div .title {
            h1 { "Endpoints" }
            @if frame.may(Capability::Manage) {
                a .button.primary href=(Href::from(Route::NewEndpoint { customer: customer.clone() })) {
                    "Add an endpoint"
                }
            }
        }
        @if endpoints.page.data.is_empty() && endpoints.page.next_cursor.is_none() {
            p .empty { "There is no endpoint yet. An endpoint is a URL that receives your events." }
        }
        ul .cards {
            @for (subscription, statistics) in endpoints.page.data.iter().zip(statistics) {
                li { (card(frame, subscription, statistics)) }
            }
        }
        (broken(&endpoints.page.broken))
        (contacts(&endpoints.contacts))
        (next_page(next))
    };
    layout::page(frame, Place::Endpoints, "Endpoints", &content)
}

fn contacts(addresses: &[String]) -> Markup {
    html! {
        @if !addresses.is_empty() {
            p .muted {
                "Contacts for warnings about these endpoints: "
                @for (index, address) in addresses.iter().enumerate() {
                    @if index > 0 { ", " }
                    (foreign(address))
                }
            }
        }
    }
}

fn card(frame: &Frame, subscription: &Subscription, numbers: Option<&Statistics>) -> Markup {
    let route = Route::Endpoint {
        customer: subscription.customer_id.clone(),
        subscription: subscription.id.clone(),
    };
    let state = state::endpoint(subscription, frame.now);
    html! {
        article .card {
            div .cardhead {
                h2 .url { a href=(Href::from(route)) { (foreign(&subscription.url)) } }
                (state.badge)
            }
            @if let Some(description) = &subscription.description {
                p .muted { (foreign(description)) }
            }
            @if let Some(reason) = state.reasons.first() { p { (reason) } }
            p .types {
                span .label { "Events " }
                (event_types(subscription))
            }
            @if let Some(numbers) = numbers { (statistics::brief(numbers)) }
        }
    }
}

/// The event types of an endpoint, and whether a filter selects some of these events.
pub(crate) fn event_types(subscription: &Subscription) -> Markup {
    html! {
        @for (index, pattern) in subscription.event_types.iter().enumerate() {
            @if index > 0 { ", " }
            (code(pattern))
        }
        @if subscription.filter.is_some() { ", with a filter" }
    }
}
