//! The event catalogue: the types of events that an endpoint can receive.

use maud::{Markup, html};
use webhooks_api_types::EventType;

use crate::fields::Field;
use crate::frame::{Frame, Tone};
use crate::href::Href;
use crate::json;
use crate::layout::{self, Place};
use crate::parts::{Facts, badge, next_page};
use crate::paths::Route;
use crate::text::{beginning, code, foreign, visible_lines};

/// The number of types on a page of the list.
pub const PAGE_SIZE: usize = 40;
/// The longest part of a schema on the page, in bytes of HTML.
const SCHEMA_BYTES: usize = 24 * 1_024;
/// The longest part of an example on the page, in bytes of HTML.
const EXAMPLE_BYTES: usize = 4 * 1_024;

/// The data of the list.
#[derive(Debug, Clone, Default)]
pub struct EventTypes {
    /// The customer who looks at it.
    pub customer: String,
    /// The text that was searched for.
    pub query: String,
    /// The types of this page. Those of a group follow each other.
    pub types: Vec<ListedType>,
    /// The number of the next page.
    pub next_page: Option<usize>,
}

/// A type in the list.
#[derive(Debug, Clone)]
pub struct ListedType {
    /// Its name.
    pub name: String,
    /// The group to which it belongs.
    pub group: Option<String>,
    /// Its state, if it should not be used any more.
    pub deprecated: Option<Deprecated>,
}

/// The mark of a type that should not be used any more.
#[derive(Debug, Clone, Copy)]
pub struct Deprecated;

/// Renders the list.
pub fn page(frame: &Frame, list: &EventTypes) -> String {
    let here = Href::from(Route::EventTypes {
        customer: list.customer.clone(),
    });
    let next = list.next_page.map(|number| {
        let number = number.to_string();
        let query = Some(list.query.as_str()).filter(|query| !query.is_empty());
        here.clone()
            .with([("q", query), ("page", Some(number.as_str()))])
    });
    let groups = list.types.chunk_by(|one, other| one.group == other.group);
    let content = html! {
        h1 { "Event types" }
        form method="get" action=(here) role="search" {
            (Field::new("q", "Part of a name or of a group").text(&list.query))
            button type="submit" { "Search" }
        }
        @if list.types.is_empty() {
            p .empty {
                @if list.query.is_empty() { "No event type is described." }
                @else { "No event type has this text." }
            }
        }
        @for (index, group) in groups.enumerate() {
            @let id = format!("group-{index}");
            section aria-labelledby=(id) {
                h2 id=(id) {
                    @match &group[0].group {
                        Some(name) => (foreign(name)),
                        None => "Other types",
                    }
                }
                ul {
                    @for listed in group { li { (listed_type(&list.customer, listed)) } }
                }
            }
        }
        (next_page(next))
    };
    layout::page(frame, Place::EventTypes, "Event types", &content)
}

fn listed_type(customer: &str, listed: &ListedType) -> Markup {
    html! {
        (link(customer, &listed.name))
        @if listed.deprecated.is_some() { " " (badge(Tone::Waiting, "deprecated")) }
    }
}

fn link(customer: &str, name: &str) -> Markup {
    let route = Route::EventType {
        customer: customer.to_owned(),
        event_type: name.to_owned(),
    };
    html! { a href=(Href::from(route)) { (code(name)) } }
}

/// The data of the page of a type.
#[derive(Debug, Clone)]
pub struct EventTypeView {
    /// The customer who looks at it.
    pub customer: String,
    /// The type.
    pub event_type: EventType,
}

/// Renders the page of a type.
pub fn type_page(frame: &Frame, view: &EventTypeView) -> String {
    let EventTypeView {
        customer,
        event_type,
    } = view;
    let list = Href::from(Route::EventTypes {
        customer: customer.clone(),
    });
    let mut facts = Facts::default();
    facts.maybe("Group", event_type.group.as_deref().map(foreign));
    let successor = event_type.deprecated.as_ref().map(|deprecated| {
        html! {
            (badge(Tone::Waiting, "deprecated"))
            @if let Some(name) = &deprecated.replaced_by {
                " Use " (link(customer, name)) " instead."
            }
        }
    });
    facts.maybe("State", successor);
    let content = html! {
        p .crumb { a href=(list) { "Event types" } }
        h1 .url { (code(&event_type.name)) }
        @if let Some(description) = &event_type.description { p { (foreign(description)) } }
        (facts.markup())
        @for (number, example) in event_type.examples.iter().enumerate() {
            @let id = format!("example-{number}");
            section aria-labelledby=(id) {
                h2 id=(id) {
                    "Example"
                    @if event_type.examples.len() > 1 { " " (number + 1) }
                }
                (document(example.get(), EXAMPLE_BYTES))
            }
        }
        @if let Some(schema) = &event_type.schema {
            section aria-labelledby="schema" {
                h2 #schema { "JSON Schema" }
                p .muted { "Of the event's data." }
                (document(schema.get(), SCHEMA_BYTES))
            }
        }
    };
    layout::page(frame, Place::EventTypes, &event_type.name, &content)
}

/// A JSON document in lines.
fn document(json: &str, bytes: usize) -> Markup {
    let lines = json::lines(json);
    let (shown, is_whole) = beginning(&lines, bytes);
    html! {
        pre tabindex="0" { bdi { (visible_lines(shown)) } }
        @if !is_whole { p .muted { "Only the beginning is shown." } }
    }
}
