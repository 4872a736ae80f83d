//! One endpoint: its state, numbers and settings, and what can be done with it.

mod actions;
mod body;
mod certificate;
mod form;
mod secrets;
mod settings;
mod verify;

use maud::html;
use webhooks_api_types::{FilterTestResult, Statistics, Subscription};

pub use actions::deletion_page;
pub use form::{Draft, form_page};
pub use secrets::{SecretsView, secrets_page};

use crate::frame::{Capability, Frame};
use crate::href::Href;
use crate::layout::{self, Place};
use crate::paths::Route;
use crate::problem::FormProblem;
use crate::text::foreign;
use crate::{fields, state, statistics};

/// The result of trying a filter.
pub type TriedFilter = FilterTestResult;

/// Renders the page of an endpoint. `problem` is that of a form of this page, which was refused.
pub fn page(
    frame: &Frame,
    subscription: &Subscription,
    numbers: Option<&Statistics>,
    problem: Option<&FormProblem>,
) -> String {
    let ids = Ids::of(subscription);
    let state = state::endpoint(subscription, frame.now);
    let content = html! {
        p .crumb { a href=(Href::from(ids.list())) { "Endpoints" } }
        div .title {
            h1 { (foreign(&subscription.url)) }
            (state.badge)
        }
        @if let Some(description) = &subscription.description { p { (foreign(description)) } }
        (fields::summary(problem))
        @if !state.reasons.is_empty() {
            ul .reasons { @for reason in &state.reasons { li { (reason) } } }
        }
        div .actions {
            a .button.primary href=(Href::from(ids.deliveries())) { "Deliveries" }
            @if frame.may(Capability::Resend) {
                a .button href=(Href::from(ids.recoveries())) { "Recover and replay" }
            }
            @if frame.may(Capability::Manage) {
                a .button href=(Href::from(ids.edit())) { "Edit" }
            }
        }
        section aria-labelledby="numbers" {
            h2 #numbers { "Attempts" }
            @match numbers {
                Some(numbers) => (statistics::full(numbers)),
                None => { p .muted { "The numbers cannot be shown now." } }
            }
        }
        (settings::section(frame, subscription))
        (actions::test_section(frame, &ids, problem))
        (secrets::section(frame, subscription))
        (verify::section(subscription))
        (actions::status_section(frame, subscription))
    };
    layout::page(frame, Place::Endpoints, &subscription.url, &content)
}

/// The ids of an endpoint, for links.
pub(crate) struct Ids {
    customer: String,
    subscription: String,
}

/// Declares the links of an endpoint.
macro_rules! links {
    ($($name:ident: $route:ident,)+) => {
        impl Ids {
            $(
                pub(crate) fn $name(&self) -> Route {
                    Route::$route {
                        customer: self.customer.clone(),
                        subscription: self.subscription.clone(),
                    }
                }
            )+
        }
    };
}

links! {
    page: Endpoint,
    edit: EditEndpoint,
    pause: PauseEndpoint,
    enable: EnableEndpoint,
    delete: DeleteEndpoint,
    secrets: Secrets,
    rotate: RotateSecret,
    test: TestEndpoint,
    deliveries: Deliveries,
    recoveries: Recoveries,
    count_recovery: CountRecovery,
}

impl Ids {
    pub(crate) fn of(subscription: &Subscription) -> Self {
        Self::new(&subscription.customer_id, &subscription.id)
    }

    pub(crate) fn new(customer: &str, subscription: &str) -> Self {
        Self {
            customer: customer.to_owned(),
            subscription: subscription.to_owned(),
        }
    }

    pub(crate) fn list(&self) -> Route {
        Route::Endpoints {
            customer: self.customer.clone(),
        }
    }
}
