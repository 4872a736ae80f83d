//! The subscriptions with problems, of all customers.

use maud::{Markup, html};
use webhooks_api_types::{ProblemKind, UnhealthySubscription, UnhealthySubscriptionPage};

use crate::fields::Field;
use crate::frame::Frame;
use crate::href::Href;
use crate::layout::{self, Place};
use crate::parts::{broken, next_page, table};
use crate::paths::Route;
use crate::text::{code, foreign};
use crate::time::time_and_age;
use crate::{endpoint::Ids, state};

/// The data of the page.
#[derive(Debug, Clone)]
pub struct Unhealthy {
    /// The kind of problem that was selected.
    pub kind: Option<ProblemKind>,
    /// A page of subscriptions.
    pub page: UnhealthySubscriptionPage,
}

/// The kinds of problems, with the values of the field `kind`, as the API has them.
const KINDS: [(ProblemKind, &str, &str); 5] = [
    (ProblemKind::Disabled, "disabled", "Disabled"),
    (ProblemKind::CircuitOpen, "circuitOpen", "Unavailable"),
    (ProblemKind::Failing, "failing", "Failing"),
    (ProblemKind::Slow, "slow", "Slow"),
    (ProblemKind::Holding, "holding", "Catching up"),
];

/// Renders the page.
pub fn unhealthy_page(frame: &Frame, unhealthy: &Unhealthy) -> String {
    let here = Href::from(Route::Unhealthy);
    let kind = unhealthy.kind.map_or("", name);
    let next = unhealthy.page.next_cursor.as_deref();
    let next = next.map(|cursor| {
        let kind = (!kind.is_empty()).then_some(kind);
        here.clone()
            .with([("kind", kind), ("cursor", Some(cursor))])
    });
    let kinds = KINDS.map(|(_, name, words)| (name.to_owned(), words));
    let content = html! {
        h1 { "Unhealthy endpoints" }
        form .filters method="get" action=(here) {
            (Field::new("kind", "Problem").select(
                std::iter::once((String::new(), "All")).chain(kinds),
                kind,
            ))
            div .actions { button type="submit" { "Show" } }
        }
        @if unhealthy.page.data.is_empty() && unhealthy.page.next_cursor.is_none() {
            p .empty { "No endpoint has this problem." }
        } @else {
            (rows(frame, &unhealthy.page.data))
        }
        (broken(&unhealthy.page.broken))
        (next_page(next))
    };
    layout::page(frame, Place::Unhealthy, "Unhealthy endpoints", &content)
}

fn name(kind: ProblemKind) -> &'static str {
    let mut kinds = KINDS.iter();
    let found = kinds.find(|(other, _, _)| *other == kind);
    found.map_or("", |(_, name, _)| name)
}

fn rows(frame: &Frame, subscriptions: &[UnhealthySubscription]) -> Markup {
    let rows = html! {
        table {
            caption { "Endpoints with problems" }
            thead {
                tr {
                    th scope="col" { "Customer" }
                    th scope="col" { "Endpoint" }
                    th scope="col" { "Problems" }
                    th scope="col" { "Since" }
                    th scope="col" .number { "Owed" }
                }
            }
            tbody { @for subscription in subscriptions { (row(frame, subscription)) } }
        }
    };
    table("Endpoints with problems", &rows)
}

fn row(frame: &Frame, subscription: &UnhealthySubscription) -> Markup {
    let ids = Ids::new(&subscription.customer_id, &subscription.id);
    let owed = subscription.owed;
    html! {
        tr {
            td { a href=(Href::from(ids.list())) { (code(&subscription.customer_id)) } }
            td { a href=(Href::from(ids.page())) { (foreign(&subscription.url)) } }
            td { @for problem in &subscription.problems { (state::problem(problem.kind)) " " } }
            td { (time_and_age(&subscription.since, frame.now)) }
            td .number { (owed.count) @if !owed.complete { "+" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_names_of_the_api() {
        for (kind, name, _) in KINDS {
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
    }
}
