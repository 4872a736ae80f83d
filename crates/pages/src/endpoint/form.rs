//! The form that creates or changes an endpoint.

use maud::{Markup, html};
use webhooks_api_types::{
    AuthenticationType, ClientAuthentication, Subscription, TransformTestResult,
};

use super::settings::authentication_words;
use super::{Ids, TriedFilter, body};
use crate::endpoint_form::{EndpointForm, RetryForm, RetryKind};
use crate::fields::{self, Field};
use crate::frame::Frame;
use crate::href::Href;
use crate::layout::{self, Place};
use crate::parts::post;
use crate::paths::Route;
use crate::problem::FormProblem;
use crate::text::{code, editable, foreign};

/// The data of the page.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The customer.
    pub customer: String,
    /// The endpoint to change. `None` for a new one.
    pub subscription: Option<Subscription>,
    /// The fields, as they were stored or entered.
    pub form: EndpointForm,
    /// The problem of the fields that were entered.
    pub problem: Option<FormProblem>,
    /// The result of trying the filter.
    pub tried: Option<TriedFilter>,
    /// The result of trying the transform.
    pub made: Option<TransformTestResult>,
}

/// Renders the page.
pub fn form_page(frame: &Frame, draft: &Draft) -> String {
    let customer = draft.customer.clone();
    let (title, save, back, route) = match &draft.subscription {
        None => (
            "Add an endpoint",
            "Add the endpoint",
            Route::Endpoints {
                customer: customer.clone(),
            },
            Route::NewEndpoint { customer },
        ),
        Some(subscription) => {
            let ids = Ids::of(subscription);
            ("Edit the endpoint", "Save", ids.page(), ids.edit())
        }
    };
    let back = Href::from(back);
    let content = html! {
        p .crumb {
            a href=(back) {
                @match &draft.subscription {
                    Some(subscription) => (foreign(&subscription.url)),
                    None => "Endpoints",
                }
            }
        }
        h1 { (title) }
        (fields::summary(draft.problem.as_ref()))
        (post(frame, route, html! {
            // The key Enter presses the first button of a form.
            button .sr type="submit" name="button" value="save" tabindex="-1" aria-hidden="true" {
                (save)
            }
            div .stack {
                (basics(draft))
                (filter(draft))
                (body::fields(draft))
                (headers(draft))
                (authentication(draft))
                (limits(draft))
                (retry(draft))
                div .actions {
                    button .primary type="submit" name="button" value="save" { (save) }
                    a .button.quiet href=(back) { "Cancel" }
                }
            }
        }))
    };
    layout::page(frame, Place::Endpoints, title, &content)
}

fn basics(draft: &Draft) -> Markup {
    let (form, problem) = (&draft.form, draft.problem.as_ref());
    let known = Href::from(Route::EventTypes {
        customer: draft.customer.clone(),
    });
    let types = html! {
        "One a line: a type such as " code { "order.created" } ", all below a prefix such as "
        code { "order.*" } ", or " code { "*" } " for all. " a href=(known) { "All event types" }
    };
    html! {
        @if draft.subscription.is_some() {
            input type="hidden" name="version" value=(editable(&form.version));
        } @else {
            input type="hidden" name="once" value=(editable(&form.once));
        }
        (Field::new("url", "URL").required().problem(problem)
            .help(html! { "Begins with " code { "https://" } "." }).url(&form.url))
        (Field::new("eventTypes", "Event types").required().problem(problem).help(types)
            .area(3, &form.event_types))
        (Field::new("description", "Description").problem(problem).text(&form.description))
    }
}

fn filter(draft: &Draft) -> Markup {
    let (form, problem) = (&draft.form, draft.problem.as_ref());
    let help = html! {
        "An EventBridge pattern that selects some of these events, for example "
        code { r#"{"order": {"total": [{"numeric": [">", 100]}]}}"# } ". Empty: all of them."
    };
    html! {
        fieldset {
            legend { "Filter" }
            (Field::new("filter", "Pattern").problem(problem).help(help).area(4, &form.filter))
            details open[draft.tried.is_some() || problem.is_some_and(|it| it.is_of("event"))] {
                summary { "Try it on an event" }
                (Field::new("event", "Event").problem(problem).area(6, &form.event))
                button type="submit" name="button" value="try" { "Try the filter" }
            }
            @if let Some(tried) = draft.tried {
                p .flash.(if tried.matches { "good" } else { "waiting" }) role="status" {
                    @if tried.matches { "The filter selects this event." }
                    @else { "The filter does not select this event." }
                }
            }
        }
    }
}

fn headers(draft: &Draft) -> Markup {
    let (form, problem) = (&draft.form, draft.problem.as_ref());
    let stored = draft.subscription.as_ref();
    let stored = stored.map_or(&[][..], |stored| &stored.secret_headers);
    let lines = || html! { "One a line, as " code { "name: value" } "." };
    html! {
        fieldset {
            legend { "Headers" }
            (Field::new("headers", "Headers of each request").problem(problem).help(lines())
                .area(2, &form.headers))
            (Field::new("secretHeaders", "New secret headers").problem(problem).help(html! {
                (lines()) " They are encrypted and never shown again. A change of the scheme, host \
                or port of the URL removes those that are not entered here."
            }).area(2, &form.secret_headers))
            @for (index, name) in stored.iter().enumerate() {
                @let id = format!("remove-{index}");
                div .choice {
                    input type="checkbox" id=(id) name="removeSecretHeader" value=(editable(name))
                        checked[form.removed_secret_headers.contains(name)];
                    label for=(id) { "Remove the secret header " (code(name)) }
                }
            }
        }
    }
}

fn authentication(draft: &Draft) -> Markup {
    let (form, problem) = (&draft.form.authentication, draft.problem.as_ref());
    let kinds = AuthenticationType::ALL.map(|kind| (kind.to_string(), authentication_words(kind)));
    let kinds = [(String::new(), "None")].into_iter().chain(kinds);
    let places = ClientAuthentication::ALL.map(|place| {
        let words = match place {
            ClientAuthentication::Header => "In a header (HTTP Basic)",
            ClientAuthentication::Body => "In the body",
        };
        (place.to_string(), words)
    });
    html! {
        fieldset {
            legend { "Authentication" }
            (Field::new("authentication", "Beside the signature").problem(problem)
                .select(kinds, &form.kind))
            (Field::new("authenticationUsername", "User name").text(&form.username))
            (Field::new("authenticationHeader", "Header of the key").text(&form.header))
            (Field::new("tokenUrl", "Token URL").help(html! {
                "For an access token: where it is requested."
            }).url(&form.token_url))
            (Field::new("clientId", "Client id").text(&form.client_id))
            (Field::new("scope", "Scopes").help(html! { "Separated by spaces." })
                .text(&form.scope))
            (Field::new("audience", "Audience").help(html! {
                "Only if your authorization server requires it."
            }).text(&form.audience))
            (Field::new("clientAuthentication", "Client id and secret are sent")
                .select(places, &form.client_authentication))
            (Field::new("authenticationSecret", "New password, token, key or client secret").help(html! {
                "It is encrypted and never shown again. Empty: the current one stays. A change of \
                the scheme, host or port of the URL removes one that is not entered here."
            }).secret())
            (Field::new("authenticationCertificate", "New client certificate").help(html! {
                "In PEM, with those of its authorities below it. It replaces the current one."
            }).area(2, &form.certificate))
            (Field::new("authenticationPrivateKey", "Private key of the client certificate")
                .help(html! { "In PEM. It is encrypted and never shown again." }).area(2, ""))
        }
    }
}

fn limits(draft: &Draft) -> Markup {
    let (form, problem) = (&draft.form, draft.problem.as_ref());
    html! {
        fieldset {
            legend { "Limits" }
            (Field::new("timeoutSeconds", "Time limit of a request, in seconds").problem(problem)
                .number(&form.timeout_seconds))
            (Field::new("rateLimitPerSecond", "Webhooks a second, at most").problem(problem)
                .help(html! { "Empty: no limit. Further deliveries wait." })
                .number(&form.rate_limit_per_second))
            (Field::new("maxInFlight", "Requests at once, at most").problem(problem)
                .help(html! { "Empty: no limit. Further deliveries wait." })
                .number(&form.max_in_flight))
        }
    }
}

fn retry(draft: &Draft) -> Markup {
    let RetryForm {
        kind,
        schedule,
        max_attempts,
        interval_seconds,
        backoff_rate,
        max_delay_seconds,
        jitter,
    } = &draft.form.retry;
    let problem = draft.problem.as_ref();
    let problem = problem.map(|problem| problem.below("retryPolicy"));
    let field = |name, label| Field::new(name, label).problem(problem.as_ref());
    html! {
        fieldset {
            legend { "Retries" }
            (choice(*kind, RetryKind::Default, "As usual for this service"))
            (choice(*kind, RetryKind::Schedule, "A schedule"))
            (field("schedule", "Seconds before each attempt").help(html! {
                "Separated by commas, such as " code { "0, 60, 3600" } ". The first is 0."
            }).text(schedule))
            (choice(*kind, RetryKind::Backoff, "A growing wait"))
            (field("maxAttempts", "Attempts").number(max_attempts))
            (field("intervalSeconds", "First wait, in seconds").number(interval_seconds))
            (field("backoffRate", "Each further wait grows by the factor").text(backoff_rate))
            (field("maxDelaySeconds", "Longest wait, in seconds").number(max_delay_seconds))
            (field("jitter", "Share of a wait that is added at random, 0 to 1").text(jitter))
        }
    }
}

fn choice(chosen: RetryKind, kind: RetryKind, label: &str) -> Markup {
    let id = format!("retry-{}", kind.name());
    html! {
        div .choice {
            input type="radio" id=(id) name="retry" value=(kind.name()) checked[chosen == kind];
            label for=(id) { (label) }
        }
    }
}
