//! Every page with sample data, for the tests and for the gallery that a browser visits.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "samples for tests, of which each program uses a part"
)]

mod data;

use webhooks_api_types::{
    FilterTestResult, Page, Problem, ProblemKind, RecoveryCount, TransformTestResult,
};
use webhooks_domain::timestamp::Timestamp;
use webhooks_pages::brand::Brand;
use webhooks_pages::console::{
    Queue, Queues, Runbook, Search, Unhealthy, message_page, queues_page, runbook_page,
    search_page, unhealthy_page,
};
use webhooks_pages::deliveries::{self, Deliveries};
use webhooks_pages::delivery;
use webhooks_pages::endpoint::{self, Draft, SecretsView};
use webhooks_pages::endpoint_form::{EndpointForm, RetryKind};
use webhooks_pages::endpoints::{self, Endpoints};
use webhooks_pages::event_types::{self, Deprecated, EventTypeView, EventTypes, ListedType};
use webhooks_pages::frame::{Capability, CustomerName, Flash, Frame, Tone, Viewer};
use webhooks_pages::href::Href;
use webhooks_pages::notices;
use webhooks_pages::problem::FormProblem;
use webhooks_pages::recoveries::{self, OfEndpoint, Recoveries, RecoveryView};
use webhooks_pages::recovery_form::RecoveryForm;

use data::Data;

/// The present time of the samples.
pub(crate) const NOW: &str = "2026-11-29T15:30:00.000Z";

/// Makes each text that others wrote, from the text of the sample.
pub(crate) type Foreign<'a> = &'a dyn Fn(&str) -> String;

/// Every page, by name.
pub(crate) fn pages(
    foreign: Foreign<'_>,
    capabilities: &[Capability],
) -> Vec<(&'static str, String)> {
    let samples = Samples {
        data: Data { foreign },
        customer: frame(foreign, capabilities),
        support: frame_of(
            foreign,
            capabilities,
            Viewer::Support {
                actor: foreign("kim@example.com"),
            },
        ),
    };
    let mut pages = samples.endpoint_pages();
    pages.extend(samples.delivery_pages());
    pages.extend(samples.recovery_pages());
    pages.extend(samples.catalogue_pages());
    pages.extend(samples.console_pages());
    pages.extend(samples.notices());
    pages
}

/// Every capability.
pub(crate) const ALL: [Capability; 5] = [
    Capability::View,
    Capability::Payloads,
    Capability::Manage,
    Capability::Secrets,
    Capability::Resend,
];

/// The data of the samples.
pub(crate) fn data(foreign: Foreign<'_>) -> Data<'_> {
    Data { foreign }
}

/// The frame of a customer's session.
pub(crate) fn frame(foreign: Foreign<'_>, capabilities: &[Capability]) -> Frame {
    frame_of(foreign, capabilities, Viewer::Customer)
}

fn frame_of(foreign: Foreign<'_>, capabilities: &[Capability], viewer: Viewer) -> Frame {
    Frame {
        brand: Brand {
            name: foreign("Example Webhooks"),
            support: Some(Href::external("mailto:support@example.com").unwrap()),
            ..Brand::default()
        },
        viewer,
        customer: Some(CustomerName {
            id: foreign("cust_1001"),
            name: Some(foreign("Acme Ltd")),
        }),
        capabilities: capabilities.iter().copied().collect(),
        csrf: foreign("csrf-token"),
        now: Timestamp::parse_rfc3339(NOW).unwrap(),
        flash: None,
        return_to: Some(Href::external("https://app.example.com/settings").unwrap()),
    }
}

struct Samples<'a> {
    data: Data<'a>,
    customer: Frame,
    support: Frame,
}

impl Samples<'_> {
    fn text(&self, text: &str) -> String {
        (self.data.foreign)(text)
    }

    fn flash(&self, tone: Tone) -> Frame {
        Frame {
            flash: Some(Flash {
                tone,
                text: self.text("The endpoint was changed."),
            }),
            ..self.customer.clone()
        }
    }

    fn problem(&self, field: &str) -> FormProblem {
        FormProblem {
            field: Some(field.to_owned()),
            text: self.text("must begin with https:"),
        }
    }

    fn endpoint_pages(&self) -> Vec<(&'static str, String)> {
        let (data, frame) = (&self.data, &self.customer);
        let all = data.subscriptions();
        let list = Endpoints {
            customer: self.text("cust_1001"),
            statistics: vec![Some(data.statistics(false)), Some(data.statistics(true))],
            contacts: vec![self.text("ops@example.com"), self.text("dev@example.com")],
            page: Page {
                data: all.clone(),
                next_cursor: Some(self.text("cursor")),
                broken: vec![data.broken()],
            },
        };
        let none = Endpoints {
            customer: self.text("cust_1001"),
            statistics: Vec::new(),
            contacts: Vec::new(),
            page: Page {
                data: Vec::new(),
                next_cursor: None,
                broken: Vec::new(),
            },
        };
        let draft = |subscription: Option<&webhooks_api_types::Subscription>| Draft {
            customer: self.text("cust_1001"),
            form: subscription.map_or_else(EndpointForm::new, EndpointForm::of),
            subscription: subscription.cloned(),
            problem: None,
            tried: None,
            made: None,
        };
        let mut tried = draft(None);
        tried.form.url = self.text("http://example.com/");
        tried.form.retry.kind = RetryKind::Backoff;
        tried.form.retry.max_attempts = self.text("5");
        tried.problem = Some(self.problem("url"));
        tried.tried = Some(FilterTestResult { matches: true });
        tried.form.shape.template = self.text("<order>");
        tried.made = Some(TransformTestResult {
            body: self.text("{\"text\": 1}"),
            content_type: self.text("application/json"),
        });
        let mut refused = draft(Some(&all[0]));
        refused.problem = Some(self.problem("retryPolicy.schedule"));
        refused.tried = Some(FilterTestResult { matches: false });
        let secrets = SecretsView {
            subscription: all[0].clone(),
            secrets: data.secrets(),
        };
        let numbers = data.statistics(false);
        vec![
            ("endpoints", endpoints::page(frame, &list)),
            ("no-endpoints", endpoints::page(frame, &none)),
            (
                "endpoint",
                endpoint::page(&self.flash(Tone::Good), &all[0], Some(&numbers), None),
            ),
            (
                "disabled-endpoint",
                endpoint::page(&self.flash(Tone::Bad), &all[1], None, None),
            ),
            (
                "endpoint-refused",
                endpoint::page(frame, &all[0], None, Some(&self.problem("eventType"))),
            ),
            ("new-endpoint", endpoint::form_page(frame, &draft(None))),
            ("new-endpoint-refused", endpoint::form_page(frame, &tried)),
            (
                "edit-endpoint",
                endpoint::form_page(frame, &draft(Some(&all[0]))),
            ),
            (
                "edit-endpoint-refused",
                endpoint::form_page(frame, &refused),
            ),
            ("delete-endpoint", endpoint::deletion_page(frame, &all[0])),
            ("secrets", endpoint::secrets_page(frame, &secrets)),
        ]
    }

    fn delivery_pages(&self) -> Vec<(&'static str, String)> {
        let data = &self.data;
        let page = |rows, problem| Deliveries {
            customer: self.text("cust_1001"),
            subscription: self.text("sub_70e79b2df96dcca5a0a362236c8d86f4"),
            url: self.text("https://example.com/webhooks"),
            query: data.deliveries_query(),
            problem,
            page: Page {
                data: rows,
                next_cursor: Some(self.text("cursor")),
                broken: vec![data.broken()],
            },
        };
        let list = page(data.deliveries(), None);
        let none = page(Vec::new(), Some(self.problem("since")));
        let frame = &self.customer;
        vec![
            ("deliveries", deliveries::page(frame, &list)),
            ("no-deliveries", deliveries::page(frame, &none)),
            ("delivery", delivery::page(frame, &data.delivery(true))),
            (
                "delivery-without-exchange",
                delivery::page(&self.support, &data.delivery(false)),
            ),
        ]
    }

    fn recovery_pages(&self) -> Vec<(&'static str, String)> {
        let (data, frame) = (&self.data, &self.customer);
        let of = || OfEndpoint {
            customer: self.text("cust_1001"),
            subscription: self.text("sub_70e79b2df96dcca5a0a362236c8d86f4"),
            url: self.text("https://example.com/webhooks"),
        };
        let page = |counted, problem| Recoveries {
            endpoint: of(),
            form: RecoveryForm {
                since: self.text("2026-11-29T09:00:00"),
                until: self.text("2026-11-29T12:00:00"),
                per_second: self.text("20"),
                ..RecoveryForm::default()
            },
            problem,
            counted,
            page: Page {
                data: vec![data.recovery("running"), data.recovery("stopped")],
                next_cursor: Some(self.text("cursor")),
                broken: vec![data.broken()],
            },
        };
        let counted = Some(RecoveryCount {
            count: 1_234,
            complete: false,
        });
        let view = |status| RecoveryView {
            endpoint: of(),
            recovery: data.recovery(status),
            of: Some(1_234),
        };
        vec![
            (
                "recoveries",
                recoveries::page(frame, &page(None, Some(self.problem("perSecond")))),
            ),
            (
                "recovery-counted",
                recoveries::page(frame, &page(counted, None)),
            ),
            (
                "recovery-running",
                recoveries::recovery_page(frame, &view("running")),
            ),
            (
                "recovery-done",
                recoveries::recovery_page(frame, &view("succeeded")),
            ),
        ]
    }

    fn catalogue_pages(&self) -> Vec<(&'static str, String)> {
        let (data, frame) = (&self.data, &self.customer);
        let listed = |name: &str, group: Option<&str>, deprecated| ListedType {
            name: self.text(name),
            group: group.map(|group| self.text(group)),
            deprecated,
        };
        let list = EventTypes {
            customer: self.text("cust_1001"),
            query: self.text("o"),
            types: vec![
                listed("invoice.paid", Some("Billing"), None),
                listed("order.created", Some("Orders"), None),
                listed("order.placed", Some("Orders"), Some(Deprecated)),
                listed("ping", None, None),
            ],
            next_page: Some(2),
        };
        let none = EventTypes {
            customer: self.text("cust_1001"),
            ..EventTypes::default()
        };
        let view = EventTypeView {
            customer: self.text("cust_1001"),
            event_type: data.event_type(),
        };
        vec![
            ("event-types", event_types::page(frame, &list)),
            ("no-event-types", event_types::page(frame, &none)),
            ("event-type", event_types::type_page(frame, &view)),
        ]
    }

    fn console_pages(&self) -> Vec<(&'static str, String)> {
        let (data, frame) = (&self.data, &self.support);
        let search = Search {
            query: self.text("msg_unknown"),
            problem: Some(self.problem("q")),
            customers: vec![CustomerName {
                id: self.text("cust_1001"),
                name: Some(self.text("Acme Ltd")),
            }],
            next_cursor: Some(self.text("cursor")),
        };
        let unhealthy = Unhealthy {
            kind: Some(ProblemKind::Failing),
            page: Page {
                data: vec![data.unhealthy()],
                next_cursor: Some(self.text("cursor")),
                broken: vec![data.broken()],
            },
        };
        let queue = |name, is_dead_letter, waiting| Queue {
            name,
            is_dead_letter,
            waiting,
            in_flight: waiting,
            delayed: None,
            runbook: Runbook::of("FailedEventsAlarm").unwrap(),
        };
        let queues = Queues {
            queues: vec![
                queue("DeliveryQueue", false, Some(12)),
                queue("DeliveryDeadLetterQueue", true, Some(3)),
                queue("FailedEventsQueue", true, None),
            ],
        };
        vec![
            ("search", search_page(frame, &search)),
            ("unhealthy", unhealthy_page(frame, &unhealthy)),
            ("queues", queues_page(frame, &queues)),
            (
                "runbook",
                runbook_page(frame, Runbook::of("FailedEventsAlarm").unwrap()),
            ),
            ("message", message_page(frame, &data.message())),
        ]
    }

    fn notices(&self) -> Vec<(&'static str, String)> {
        let frame = &self.customer;
        let nobody = Frame {
            viewer: Viewer::Nobody,
            customer: None,
            return_to: None,
            ..frame.clone()
        };
        let problem = Problem {
            kind: "urn:webhooks:problem:conflict".to_owned(),
            title: self.text("Conflict"),
            status: 412,
            detail: self.text("the subscription has version 4"),
            field: None,
        };
        let new_tab = Href::external("https://portal.example.com/").unwrap();
        vec![
            ("enter", notices::enter(&nobody, false)),
            (
                "open-session",
                notices::open_session(frame, Some(&self.text("customer")), &self.text("code")),
            ),
            (
                "open-console",
                notices::open_session(frame, None, &self.text("code")),
            ),
            ("ended", notices::ended(frame, Some(&new_tab))),
            ("not-found", notices::not_found(frame)),
            ("problem", notices::problem(frame, &problem)),
        ]
    }
}
