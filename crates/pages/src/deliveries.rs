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
use crate::time::{moment, time};

/// The number of deliveries on a page, so that it stays small.
pub const PAGE_SIZE: u32 = 40;

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

/// Reads the query of the page. Empty fields of the form are left out.
///
/// # Errors
/// If a time cannot be read or the status is unknown.
pub fn query(text: &str) -> Result<DeliveriesQuery, FormProblem> {
    let mut query = DeliveriesQuery::default();
    let pairs = url::form_urlencoded::parse(text.as_bytes());
    for (name, value) in pairs.filter(|(_, value)| !value.is_empty()) {
        let value = value.trim();
        match &*name {
            "status" => {
                let status = STATUSES.iter().find(|status| status.to_string() == value);
                let unknown = || FormProblem::of("status", "must be one of the choices");
                query.status = Some(*status.ok_or_else(unknown)?);
            }
            "eventType" => query.event_type = Some(value.to_owned()),
            "since" => query.since = Some(moment("since", value)?),
            "until" => query.until = Some(moment("until", value)?),
            "cursor" => query.cursor = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(query)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_are_no_filters() {
        let none = query("status=&eventType=&since=&until=").unwrap();
        assert_eq!(none, DeliveriesQuery::default());
    }

    #[test]
    fn the_times_of_the_form_are_in_utc() {
        let read = query("status=held&eventType=order.*&since=2026-01-31T09%3A30&x=y").unwrap();
        assert_eq!(read.status, Some(DeliveryStatus::Held));
        assert_eq!(read.event_type.as_deref(), Some("order.*"));
        assert_eq!(read.since.as_deref(), Some("2026-01-31T09:30:00.000Z"));
        for (text, field) in [
            ("since=x", "since"),
            ("until=1", "until"),
            ("status=x", "status"),
        ] {
            assert_eq!(query(text).unwrap_err().field.as_deref(), Some(field));
        }
    }
}
