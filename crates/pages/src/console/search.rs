//! One box for an id of any kind.

use maud::html;

use crate::fields::{self, Field};
use crate::frame::{CustomerName, Frame};
use crate::href::Href;
use crate::layout::{self, Place};
use crate::paths::Route;
use crate::problem::FormProblem;
use crate::text::{code, foreign};

/// The data of the page. An id that is found leads to its own page.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// The text that was entered.
    pub query: String,
    /// Why nothing was found, if a text was entered.
    pub problem: Option<FormProblem>,
    /// The customers, a page of them.
    pub customers: Vec<CustomerName>,
    /// The cursor of the next page of customers.
    pub next_cursor: Option<String>,
}

/// Renders the page. Its form sends the field `q`.
pub fn search_page(frame: &Frame, search: &Search) -> String {
    let here = Href::from(Route::Search);
    let next = search.next_cursor.as_deref();
    let next = next.map(|cursor| here.clone().with([("cursor", Some(cursor))]));
    let help = html! {
        "Of a customer, a message (" code { "msg_…" } "), a delivery (" code { "dlv_…" }
        ") or a subscription (" code { "sub_…" } ")."
    };
    let content = html! {
        h1 { "Search" }
        (fields::summary(search.problem.as_ref()))
        form method="get" action=(here) role="search" {
            (Field::new("q", "Id").required().help(help).problem(search.problem.as_ref())
                .text(&search.query))
            button .primary type="submit" { "Search" }
        }
        @if !search.customers.is_empty() {
            section aria-labelledby="customers" {
                h2 #customers { "Customers" }
                ul {
                    @for customer in &search.customers {
                        li {
                            a href=(Href::from(Route::Endpoints { customer: customer.id.clone() })) {
                                (code(&customer.id))
                            }
                            @if let Some(name) = &customer.name { " " (foreign(name)) }
                        }
                    }
                }
            }
        }
        (crate::parts::next_page(next))
    };
    layout::page(frame, Place::Search, "Search", &content)
}
