//! Test, pause, enable and delete.

use maud::{Markup, html};
use webhooks_api_types::{HeldFate, Subscription, SubscriptionStatus};

use super::Ids;
use crate::fields::Field;
use crate::frame::{Capability, Frame};
use crate::href::Href;
use crate::layout::{self, Place};
use crate::parts::post;
use crate::problem::FormProblem;
use crate::text::foreign;

pub(super) fn test_section(frame: &Frame, ids: &Ids, problem: Option<&FormProblem>) -> Markup {
    html! {
        @if frame.may(Capability::Manage) {
            section aria-labelledby="test" {
                h2 #test { "Send a test" }
                p { "One example event is sent now. The next page shows the answer." }
                (post(frame, ids.test(), html! {
                    div .stack {
                        (Field::new("eventType", "Type of the event").problem(problem)
                            .text("webhook.test"))
                        button type="submit" { "Send a test" }
                    }
                }))
            }
        }
    }
}

pub(super) fn status_section(frame: &Frame, subscription: &Subscription) -> Markup {
    let ids = Ids::of(subscription);
    html! {
        @if frame.may(Capability::Manage) {
            section aria-labelledby="status" {
                @if subscription.status == SubscriptionStatus::Active {
                    h2 #status { "Pause or delete" }
                    p { "While an endpoint is paused, new deliveries are held." }
                    (post(frame, ids.pause(), html! { button type="submit" { "Pause" } }))
                } @else {
                    h2 #status { "Enable or delete" }
                    (enable(frame, &ids))
                }
                a .button.danger href=(Href::from(ids.delete())) { "Delete this endpoint" }
            }
        }
    }
}

fn enable(frame: &Frame, ids: &Ids) -> Markup {
    let fates = [
        (HeldFate::Send, "Send the held deliveries, the oldest first"),
        (HeldFate::Keep, "Keep them held"),
        (HeldFate::Discard, "Discard them"),
    ];
    let content = html! {
        div .stack {
            (Field::new("held", "Deliveries that were held").select(
                fates.map(|(fate, words)| (fate.to_string(), words)),
                &HeldFate::default().to_string(),
            ))
            button .primary type="submit" { "Enable" }
        }
    };
    post(frame, ids.enable(), content)
}

/// Renders the page that asks before an endpoint is deleted.
pub fn deletion_page(frame: &Frame, subscription: &Subscription) -> String {
    let ids = Ids::of(subscription);
    let content = html! {
        p .crumb { a href=(Href::from(ids.page())) { (foreign(&subscription.url)) } }
        h1 { "Delete this endpoint?" }
        p {
            "Nothing more is sent to " (foreign(&subscription.url))
            ". Deliveries that are still pending or held are cancelled. \
             This cannot be undone, and the secret is lost."
        }
        div .actions {
            @if frame.may(Capability::Manage) {
                (post(frame, ids.delete(), html! {
                    button .danger type="submit" { "Delete" }
                }))
            }
            a .button href=(Href::from(ids.page())) { "Keep it" }
        }
    };
    layout::page(frame, Place::Endpoints, "Delete this endpoint?", &content)
}
