//! The measured pages.

use webhooks_pages::{href::Href, paths::Route};

use super::{data::Shown, visitor};

/// A page, with its path and query, and the session of its visitor.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(super) path: String,
    pub(super) cookie: String,
}

impl Page {
    /// Returns true if the part `counts` counts it: the pages that take most.
    pub(crate) fn is_counted(&self) -> bool {
        let counted = [
            "endpoints",
            "deliveries with ten attempts",
            "delivery with ten attempts",
        ];
        counted.contains(&self.name)
    }

    /// Returns the event of a request for it.
    pub(crate) fn event(&self) -> String {
        visitor::event(&self.path, &self.cookie)
    }

    /// Returns every page, the first page of a customer's visit first.
    pub(crate) fn all(of: &Shown) -> Vec<Self> {
        let mut pages = Self::of_customer(of);
        let of_console = [
            ("console, customers", Route::Search),
            ("console, unhealthy", Route::Unhealthy),
            ("console, queues", Route::Queues),
            (
                "console, runbook",
                Route::Runbook {
                    alarm: "DeliveryQueueAgeAlarm".to_owned(),
                },
            ),
            (
                "console, message",
                Route::Message {
                    message: of.delivery.message.to_string(),
                },
            ),
        ];
        pages.extend(of_console.map(|(name, route)| Self {
            name,
            path: Href::from(route).as_str().to_owned(),
            cookie: of.console_cookie.clone(),
        }));
        pages
    }

    /// Returns the pages of a customer's session.
    fn of_customer(of: &Shown) -> Vec<Self> {
        let customer = || of.customer.to_string();
        let [failing, working] = [&of.failing, &of.working].map(ToString::to_string);
        let deliveries = |subscription: &String| Route::Deliveries {
            customer: customer(),
            subscription: subscription.clone(),
        };
        let subscription = || failing.clone();
        let page = |name, route: Route, query: &[(&'static str, &'static str)]| {
            let query = query.iter().map(|(name, value)| (*name, Some(*value)));
            Self {
                name,
                path: Href::from(route).with(query).as_str().to_owned(),
                cookie: of.cookie.clone(),
            }
        };
        let endpoint = Route::Endpoint {
            customer: customer(),
            subscription: subscription(),
        };
        let edit = Route::EditEndpoint {
            customer: customer(),
            subscription: subscription(),
        };
        let delete = Route::DeleteEndpoint {
            customer: customer(),
            subscription: subscription(),
        };
        let new = Route::NewEndpoint {
            customer: customer(),
        };
        let delivery = Route::Delivery {
            customer: customer(),
            delivery: of.delivery.to_string(),
        };
        let recoveries = Route::Recoveries {
            customer: customer(),
            subscription: subscription(),
        };
        let recovery = Route::Recovery {
            customer: customer(),
            subscription: subscription(),
            recovery: of.recovery.to_string(),
        };
        let endpoints = Route::Endpoints {
            customer: customer(),
        };
        // Not one delivery of the failing endpoint has this status, so as many as possible are read.
        let none = [("status", "succeeded")];
        vec![
            page("endpoints", endpoints, &[]),
            page("endpoint", endpoint, &[]),
            page("new endpoint", new, &[]),
            page("edit endpoint", edit, &[]),
            page("delete endpoint", delete, &[]),
            page("deliveries that succeeded", deliveries(&working), &[]),
            page("deliveries with ten attempts", deliveries(&failing), &[]),
            page(
                "deliveries, none by the filter",
                deliveries(&failing),
                &none,
            ),
            page("delivery with ten attempts", delivery, &[]),
            page("recoveries", recoveries, &[]),
            page("recovery", recovery, &[]),
            page("link", Route::Enter, &[]),
            page("ended", Route::Ended, &[]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use webhooks_testkit::samples;

    use super::*;

    /// The paths without a page: files and changes.
    const OTHERS: [&str; 12] = [
        "/session",
        "/session/end",
        "/brand.css",
        "/customers/{customer}/endpoints/{subscription}/pause",
        "/customers/{customer}/endpoints/{subscription}/enable",
        "/customers/{customer}/endpoints/{subscription}/secrets",
        "/customers/{customer}/endpoints/{subscription}/secrets/rotate",
        "/customers/{customer}/endpoints/{subscription}/test",
        "/customers/{customer}/endpoints/{subscription}/recoveries/count",
        "/customers/{customer}/endpoints/{subscription}/recoveries/{recovery}/stop",
        "/customers/{customer}/deliveries/{delivery}/resend",
        "/customers/{customer}/deliveries/{delivery}/cancel",
    ];

    /// The pages of the catalogue of event types, which the measured table does not have.
    const NOT_MEASURED: [&str; 2] = [
        "/customers/{customer}/event-types",
        "/customers/{customer}/event-types/{event_type}",
    ];

    #[test]
    fn every_other_page_is_measured() {
        let message = samples::message("acme", "1");
        let shown = Shown {
            customer: samples::customer("acme"),
            cookie: String::new(),
            console_cookie: String::new(),
            failing: samples::subscription_id(1),
            working: samples::subscription_id(2),
            delivery: samples::delivery(&message, samples::subscription_id(1)).id,
            recovery: samples::recoveries("acme")[0].id,
        };
        let pages = Page::all(&shown);
        assert_eq!(pages.iter().filter(|page| page.is_counted()).count(), 3);
        let measured = pages.iter().map(|page| {
            let path = page.path.split('?').next().unwrap_or_default();
            Route::parse(path).unwrap().pattern()
        });
        let measured: Vec<_> = measured.collect();
        for pattern in Route::PATTERNS {
            let is_other = OTHERS.contains(pattern) || NOT_MEASURED.contains(pattern);
            assert_ne!(measured.contains(pattern), is_other, "{pattern}");
        }
    }
}
