//! Pages without data: entering, the end of a session, and what went wrong.

use maud::{Markup, html};
use webhooks_api_types::Problem;

use crate::frame::{Frame, Viewer};
use crate::href::Href;
use crate::layout::{self, Place};
use crate::parts::post;
use crate::paths::Route;
use crate::text::{editable, foreign};

/// The field `open` of a form: somebody expects the link of a session of this kind. They differ, so that
/// only the page that asks about the console can open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// A link of a customer's portal.
    Portal,
    /// A link of the console.
    Console,
}

impl Confirmation {
    /// The value of the field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Portal => "yes",
            Self::Console => "console",
        }
    }
}

/// Renders the page to which the link of a session leads. Its script takes the code from the
/// fragment of the URL and sends it, with the field `open` if the link is expected. The console asks
/// in any case.
pub fn enter(frame: &Frame, is_expected: bool) -> String {
    let content = html! {
        h1 { "One moment" }
        form #enter method="post" action=(Href::from(Route::Session)) {
            input type="hidden" name="code" value="";
            (confirmation(is_expected.then_some(Confirmation::Portal)))
            p { "The link is checked." }
        }
        noscript { p { "This page needs JavaScript to check the link. The other pages do not." } }
        div #no-code .notice.bad role="alert" hidden {
            p {
                "This address has no code. Open the portal again from where you came from: \
                 a link works once, and only for a few minutes."
            }
        }
    };
    layout::page(frame, Place::Elsewhere, "One moment", &content)
}

/// Renders the page that asks before a link opens the portal of a customer, or the console if there
/// is none. It replaces the session of the frame if there is one. The form sends the code again, with
/// the field `open`.
pub fn open_session(frame: &Frame, customer: Option<&str>, code: &str) -> String {
    let stay = match (&frame.viewer, &frame.customer) {
        (Viewer::Support { .. }, _) => Some(Route::Search),
        (Viewer::Customer, Some(own)) => Some(Route::Endpoints {
            customer: own.id.clone(),
        }),
        (Viewer::Customer, None) | (Viewer::Nobody, _) => None,
    };
    let confirmed = match customer {
        Some(_) => Confirmation::Portal,
        None => Confirmation::Console,
    };
    let content = html! {
        @match customer {
            Some(customer) => { h1 { "Open the portal of " (foreign(customer)) "?" } }
            None => { h1 { "Open the console?" } }
        }
        @if stay.is_some() {
            p { "This browser has another session. It ends if you continue." }
        }
        p {
            "Continue only if you have just opened a link of your own. "
            @match customer {
                Some(_) => {
                    "Somebody else's link would show you another customer's endpoints, and what you \
                     enter would be theirs."
                }
                None => { "With somebody else's link, your changes would be logged under their name." }
            }
        }
        (post(frame, Route::Session, html! {
            input type="hidden" name="code" value=(editable(code));
            (confirmation(Some(confirmed)))
            div .actions {
                button .primary type="submit" { "Continue" }
                @if let Some(stay) = stay { a .button href=(Href::from(stay)) { "Stay" } }
            }
        }))
    };
    layout::page(frame, Place::Elsewhere, "Open the link?", &content)
}

fn confirmation(given: Option<Confirmation>) -> Markup {
    html! {
        @if let Some(given) = given { input type="hidden" name="open" value=(given.as_str()); }
    }
}

/// Renders the page for a browser that refuses cookies in a frame. The code was not used: the form
/// sends it from a new tab, with the field `tab`.
pub fn open_in_new_tab(frame: &Frame, code: &str, confirmed: Option<Confirmation>) -> String {
    let content = html! {
        h1 { "Open the portal in a new tab" }
        p { "Your browser keeps no session inside another site." }
        form method="post" action=(Href::from(Route::Session)) target="_blank" {
            input type="hidden" name="code" value=(code);
            input type="hidden" name="tab" value="yes";
            (confirmation(confirmed))
            div .actions { button .primary type="submit" { "Open the portal" } }
        }
    };
    layout::page(
        frame,
        Place::Elsewhere,
        "Open the portal in a new tab",
        &content,
    )
}

/// Renders the page that says that there is no session. If the browser refuses cookies in a frame,
/// `new_tab` is the link that opens the portal outside of it.
pub fn ended(frame: &Frame, new_tab: Option<&Href>) -> String {
    let content = html! {
        h1 { "Your session has ended" }
        p { "Open the portal again from where you came from." }
        div .actions {
            @if let Some(link) = &frame.return_to { a .button.primary href=(link) { "Go back" } }
            @if let Some(link) = new_tab {
                a .button href=(link) target="_blank" rel="noopener" { "Open in a new tab" }
            }
        }
    };
    layout::page(
        &nobody(frame),
        Place::Elsewhere,
        "Your session has ended",
        &content,
    )
}

/// Renders the page of a path that does not exist, or that the session may not see.
pub fn not_found(frame: &Frame) -> String {
    let content = html! {
        h1 { "Not found" }
        p { "There is nothing here. It may have been deleted." }
        @if let Some(customer) = &frame.customer {
            p {
                a href=(Href::from(Route::Endpoints { customer: customer.id.clone() })) {
                    "To the endpoints"
                }
            }
        }
    };
    layout::page(frame, Place::Elsewhere, "Not found", &content)
}

/// Renders the page of a problem of the API, in its own words.
pub fn problem(frame: &Frame, problem: &Problem) -> String {
    let content = html! {
        h1 { (foreign(&problem.title)) }
        @if !problem.detail.is_empty() { p { (foreign(&problem.detail)) } }
        p .muted { "Status " (problem.status) }
        @if let Some(customer) = &frame.customer {
            p {
                a href=(Href::from(Route::Endpoints { customer: customer.id.clone() })) {
                    "To the endpoints"
                }
            }
        }
    };
    layout::page(frame, Place::Elsewhere, &problem.title, &content)
}

fn nobody(frame: &Frame) -> Frame {
    Frame {
        viewer: Viewer::Nobody,
        customer: None,
        ..frame.clone()
    }
}
