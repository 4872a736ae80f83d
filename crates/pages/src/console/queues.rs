//! The queues, and what waits in each.

use maud::{Markup, html};

use super::runbook::Runbook;
use crate::frame::{Frame, Tone};
use crate::href::Href;
use crate::layout::{self, Place};
use crate::parts::{badge, grouped, table};
use crate::text::code;

/// The data of the page.
#[derive(Debug, Clone, Default)]
pub struct Queues {
    /// The queues, in the order of the flow.
    pub queues: Vec<Queue>,
}

/// A queue.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Its name in the template.
    pub name: &'static str,
    /// True if it keeps what failed, so that somebody should look at it.
    pub is_dead_letter: bool,
    /// The messages that wait. `None` if the number cannot be read.
    pub waiting: Option<u64>,
    /// The messages that are processed now.
    pub in_flight: Option<u64>,
    /// The messages that wait for their time.
    pub delayed: Option<u64>,
    /// The runbook of its alarm.
    pub runbook: Runbook,
}

/// Renders the page.
pub fn queues_page(frame: &Frame, queues: &Queues) -> String {
    let rows = html! {
        table {
            caption { "Queues. The numbers are approximate." }
            thead {
                tr {
                    th scope="col" { "Queue" }
                    th scope="col" { "State" }
                    th scope="col" .number { "Waiting" }
                    th scope="col" .number { "In flight" }
                    th scope="col" .number { "Delayed" }
                    th scope="col" { "Runbook" }
                }
            }
            tbody { @for queue in &queues.queues { (row(queue)) } }
        }
    };
    let content = html! {
        h1 { "Queues" }
        (table("Queues", &rows))
    };
    layout::page(frame, Place::Queues, "Queues", &content)
}

fn row(queue: &Queue) -> Markup {
    let state = match (queue.is_dead_letter, queue.waiting) {
        (_, None) => badge(Tone::Waiting, "Unknown"),
        (true, Some(1..)) => badge(Tone::Bad, "Look at it"),
        (true, Some(0)) => badge(Tone::Good, "Empty"),
        (false, Some(_)) => badge(Tone::Neutral, "Working"),
    };
    let number = |number: Option<u64>| number.map_or_else(|| "–".to_owned(), grouped);
    html! {
        tr {
            th scope="row" { (code(queue.name)) }
            td { (state) }
            td .number { (number(queue.waiting)) }
            td .number { (number(queue.in_flight)) }
            td .number { (number(queue.delayed)) }
            td {
                a href=(Href::from(queue.runbook.route())) {
                    "Runbook" span .sr { " of " (code(queue.name)) }
                }
            }
        }
    }
}
