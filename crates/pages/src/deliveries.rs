//! The deliveries of an endpoint, the newest first.

use maud::{Markup, html};
use webhooks_api_types::{DeliveriesQuery, Delivery, DeliveryPage, DeliveryStatus};

use crate::fields::{self, Field};
use crate::frame::Frame;
use crate::href::Href;
use crate::layout::{self, Place};
use crate::parts::{broken, next_page, table};
use crate::paths::Route;
use crate::problem::FormProblem;
use crate::state;
use crate::text::{code, foreign};
use crate::time::time;

/// The data of the page.
#[derive(Debug, Clone)]
pub struct Deliveries {
    /// The customer.
    pub customer: String,
    /// The endpoint's subscription.
    pub subscription: String,
    /// The URL of the endpoint.
    pub url: String,
    /// The filters, as they were requested.
    pub query: DeliveriesQuery,
    /// The problem of the filters. Then the page is empty.
    pub problem: Option<FormProblem>,
    /// A page of deliveries.
    pub page: DeliveryPage,
}

/// The statuses that a viewer can select.
const STATUSES: [DeliveryStatus; 5] = [
    DeliveryStatus::Pending,
    DeliveryStatus::Held,
    DeliveryStatus::Succeeded,
    DeliveryStatus::Failed,
    DeliveryStatus::Cancelled,
];

/// Renders the page.
pub fn page(frame: &Frame, deliveries: &Deliveries) -> String {
    let here = || Href::from(here(deliveries));
    let query = &deliveries.query;
    let status = query.status.map(|status| status.to_string());
    let with_filters = |cursor| {
        here().with([
            ("status", status.as_deref()),
            ("eventType", query.event_type.as_deref()),
            ("since", query.since.as_deref()),
            ("until", query.until.as_deref()),
            ("cursor", Some(cursor)),
        ])
    };
    let next = deliveries.page.next_cursor.as_deref().map(with_filters);
    let endpoint = Route::Endpoint {
        customer: deliveries.customer.clone(),
        subscription: deliveries.subscription.clone(),
    };
    let content = html! {
        p .crumb { a href=(Href::from(endpoint)) { (foreign(&deliveries.url)) } }
        h1 { "Deliveries" }
        (filters(&here(), deliveries))
        @if deliveries.page.data.is_empty() {
            p .empty {
                @if deliveries.page.next_cursor.is_some() {
                    "None on this page. The next page may have some."
                } @else {
                    "No delivery matches."
                }
            }
        } @else {
            (rows(frame, "Deliveries, the newest first", &deliveries.page.data))
        }
        (broken(&deliveries.page.broken))
        (next_page(next))
    };
    layout::page(frame, Place::Endpoints, "Deliveries", &content)
}

fn here(deliveries: &Deliveries) -> Route {
    Route::Deliveries {
        customer: deliveries.customer.clone(),
        subscription: deliveries.subscription.clone(),
    }
}

fn filters(here: &Href, deliveries: &Deliveries) -> Markup {
    let query = &deliveries.query;
    let problem = deliveries.problem.as_ref();
    let statuses = STATUSES.map(|status| (status.to_string(), state::status_word(status)));
    html! {
        (fields::summary(problem))
        form .filters method="get" action=(here) {
            (Field::new("status", "Status").problem(problem).select(
                std::iter::once((String::new(), "All")).chain(statuses),
                &query.status.map(|status| status.to_string()).unwrap_or_default(),
            ))
            (Field::new("eventType", "Event type").problem(problem).text(
                query.event_type.as_deref().unwrap_or_default(),
            ))
            (Field::new("since", "From (UTC)").problem(problem).time(query.since.as_deref()))
            (Field::new("until", "Until (UTC)").problem(problem).time(query.until.as_deref()))
            div .actions {
                button type="submit" { "Show" }
                a .button.quiet href=(here) { "Show all" }
            }
        }
    }
}

/// A table of deliveries.
pub(crate) fn rows(frame: &Frame, caption: &str, deliveries: &[Delivery]) -> Markup {
    table(
        caption,
        &html! {
            table {
                caption { (caption) }
                thead {
                    tr {
                        th scope="col" { "Status" }
                        th scope="col" { "Event type" }
                        th scope="col" { "Created" }
                        th scope="col" .number { "Attempts" }
                        th scope="col" { "Last result" }
                    }
                }
                tbody { @for delivery in deliveries { (row(frame, delivery)) } }
            }
        },
    )
}

fn row(frame: &Frame, delivery: &Delivery) -> Markup {
    let route = Route::Delivery {
        customer: delivery.customer_id.clone(),
        delivery: delivery.id.clone(),
    };
    html! {
        tr {
            td { (state::delivery(delivery.status)) }
            td {
                a href=(Href::from(route)) { (code(&delivery.event_type)) }
                @if let Some(trigger) = state::trigger(delivery.trigger) {
                    " " span .tag { (trigger) }
                }
            }
            td { (time(&delivery.created_at)) }
            td .number { (delivery.attempts.len()) }
            td { (foreign(&state::delivery_brief(delivery, frame.now))) }
        }
    }
}
