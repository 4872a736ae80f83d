//! The contacts of a customer, and the public page that confirms one.

use maud::{Markup, html};
use webhooks_api_types::{Contact, ContactState};
use webhooks_domain::timestamp::Timestamp;

use crate::fields::Field;
use crate::frame::{Capability, Frame, Tone};
use crate::href::Href;
use crate::layout::{self, Place};
use crate::parts::{badge, post};
use crate::paths::Route;
use crate::problem::FormProblem;
use crate::text::{editable, foreign};

/// The data of the page.
#[derive(Debug, Clone)]
pub struct Contacts {
    /// The customer whose contacts these are.
    pub customer: String,
    /// All of them.
    pub contacts: Vec<Contact>,
    /// The address that was entered.
    pub entered: String,
    /// The problem of the form.
    pub problem: Option<FormProblem>,
}

/// Renders the page. A contact can be added and removed with the capability to manage.
pub fn page(frame: &Frame, view: &Contacts) -> String {
    let may_manage = frame.may(Capability::Manage);
    let content = html! {
        h1 { "Contacts" }
        p { "These people get an e-mail when an endpoint fails, is disabled or works again." }
        @if view.contacts.is_empty() { p .empty { "There is no contact yet." } }
        ul .cards {
            @for contact in &view.contacts {
                li { (card(frame, view, contact)) }
            }
        }
        @if may_manage {
            section aria-labelledby="add" {
                h2 #add { "Add a contact" }
                @if let Some(problem) = view.problem.as_ref().filter(|it| !it.is_of("address")) {
                    p .notice.bad role="alert" { (foreign(&problem.text)) }
                }
                (post(frame, Route::Contacts { customer: view.customer.clone() }, html! {
                    (Field::new("address", "E-mail address")
                        .required()
                        .help(html! {
                            "The address gets one message with a link. It gets nothing else until \
                             somebody confirms it with this link, within a day."
                        })
                        .problem(view.problem.as_ref())
                        .text(&view.entered))
                    div .actions { button .primary type="submit" { "Add" } }
                }))
            }
        }
    };
    layout::page(frame, Place::Contacts, "Contacts", &content)
}

fn card(frame: &Frame, view: &Contacts, contact: &Contact) -> Markup {
    let ends = contact.confirm_until.as_deref();
    let is_over = ends
        .and_then(Timestamp::parse_rfc3339)
        .is_some_and(|end| end <= frame.now);
    let state = match contact.state {
        ContactState::Confirmed => badge(Tone::Good, "confirmed"),
        ContactState::Pending if is_over => badge(Tone::Bad, "not confirmed in time"),
        ContactState::Pending => badge(Tone::Waiting, "waits for its confirmation"),
    };
    let is_removable = contact.state == ContactState::Confirmed || is_over;
    html! {
        article .card {
            div .cardhead { h2 { (foreign(&contact.address)) } (state) }
            @if is_removable && frame.may(Capability::Manage) {
                (post(frame, Route::RemoveContact { customer: view.customer.clone() }, html! {
                    input type="hidden" name="address" value=(editable(&contact.address));
                    div .actions { button type="submit" { "Remove" } }
                }))
            }
        }
    }
}

/// Renders the page to which the link in a message leads. Its script takes the code from the fragment
/// of the URL into the form. Only the button confirms: programs that check mail open links.
pub fn confirm_page(frame: &Frame) -> String {
    let content = html! {
        h1 { "Confirm your e-mail address" }
        p {
            "Somebody has entered your address as a contact for webhooks. If you confirm it, you get \
             a message when an endpoint fails. If you do not know about this, close this page."
        }
        form #contact method="post" action=(Href::from(Route::ConfirmContact)) {
            input type="hidden" name="code" value="";
            div .actions { button .primary type="submit" { "Confirm" } }
        }
        noscript { p { "This page needs JavaScript to read the link." } }
        div #no-code .notice.bad role="alert" hidden {
            p { "This address has no code. Open the link of the message again." }
        }
    };
    layout::page(
        frame,
        Place::Elsewhere,
        "Confirm your e-mail address",
        &content,
    )
}

/// Renders the page after a confirmation, or after a code that is not valid any more.
pub fn confirmed_page(frame: &Frame, is_confirmed: Confirmed) -> String {
    let (title, text) = match is_confirmed {
        Confirmed::Now => (
            "Your address is confirmed",
            "You get a message when an endpoint fails.",
        ),
        Confirmed::TooLate => (
            "This link does not work any more",
            "It works once, and for a day. If your address is not confirmed, let it be added again.",
        ),
    };
    let content = html! { h1 { (title) } p { (text) } };
    layout::page(frame, Place::Elsewhere, title, &content)
}

/// The result of a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// The address is confirmed.
    Now,
    /// The code was used, or is too old.
    TooLate,
}
