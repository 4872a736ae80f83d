//! The page around the content.

use maud::{DOCTYPE, Markup, html};

use crate::assets;
use crate::frame::{Frame, Tone, Viewer};
use crate::href::Href;
use crate::parts;
use crate::paths::Route;
use crate::text::{code, foreign, visible};

/// The place of a page in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The endpoints of a customer, and everything below them.
    Endpoints,
    /// The event catalogue.
    EventTypes,
    /// The search of the console.
    Search,
    /// The unhealthy subscriptions.
    Unhealthy,
    /// The queues.
    Queues,
    /// No entry of the navigation.
    Elsewhere,
}

/// Renders a page.
///
/// `title` is the page's heading, and stands in the title of the window too.
pub(crate) fn page(frame: &Frame, place: Place, title: &str, content: &Markup) -> String {
    document(
        frame,
        title,
        &html! {
            a .skip href="#main" { "Skip to the content" }
            (header(frame, place))
            main #main tabindex="-1" {
                @if let Some(flash) = &frame.flash {
                    p .flash.(parts::class(flash.tone)) role=(role(flash.tone)) {
                        (foreign(&flash.text))
                    }
                }
                (content)
            }
            (footer(frame))
        },
    )
}

fn role(tone: Tone) -> &'static str {
    match tone {
        Tone::Bad => "alert",
        _ => "status",
    }
}

fn document(frame: &Frame, title: &str, body: &Markup) -> String {
    let brand_style = Href::from(Route::BrandStyle);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (visible(title)) " · " (visible(&frame.brand.name)) }
                link rel="stylesheet" href=(Href::asset(assets::STYLE.path));
                link rel="stylesheet" href=(brand_style);
                link rel="icon" type="image/svg+xml" href=(Href::asset(assets::ICON.path));
                script src=(Href::asset(assets::SCRIPT.path)) defer {}
            }
            body { (body) }
        }
    }
    .into_string()
}

fn header(frame: &Frame, place: Place) -> Markup {
    html! {
        header .top {
            div .bar {
                p .brand {
                    @if let Some(logo) = &frame.brand.logo {
                        img src=(logo) alt="" height="28";
                    }
                    (foreign(&frame.brand.name))
                    @if frame.is_support() { span .tag { "Console" } }
                }
                @if frame.viewer != Viewer::Nobody {
                    (navigation(frame, place))
                    (session(frame))
                }
            }
        }
    }
}

fn navigation(frame: &Frame, place: Place) -> Markup {
    let mut entries = Vec::new();
    if frame.is_support() {
        entries.push((Place::Search, "Search", Route::Search));
        entries.push((Place::Unhealthy, "Unhealthy", Route::Unhealthy));
        entries.push((Place::Queues, "Queues", Route::Queues));
    }
    if let Some(customer) = &frame.customer {
        let customer = customer.id.clone();
        let types = Route::EventTypes {
            customer: customer.clone(),
        };
        entries.push((Place::Endpoints, "Endpoints", Route::Endpoints { customer }));
        entries.push((Place::EventTypes, "Event types", types));
    }
    html! {
        nav aria-label="Main" {
            ul {
                @for (entry, name, route) in entries {
                    li {
                        a href=(Href::from(route)) aria-current=[(entry == place).then_some("page")] {
                            (name)
                        }
                    }
                }
            }
        }
    }
}

fn session(frame: &Frame) -> Markup {
    html! {
        div .session {
            @if let Some(customer) = &frame.customer {
                p {
                    span .label { "Customer " }
                    @match &customer.name {
                        Some(name) => (foreign(name)),
                        None => (code(&customer.id)),
                    }
                }
            }
            @if let Viewer::Support { actor } = &frame.viewer {
                p { span .label { "Signed in as " } (foreign(actor)) }
            }
            @if let Some(link) = &frame.return_to {
                a href=(link) { "Leave" }
            }
            (parts::post(frame, Route::EndSession, html! {
                button .quiet type="submit" { "End session" }
            }))
        }
    }
}

fn footer(frame: &Frame) -> Markup {
    html! {
        footer {
            p { "Times are in your time zone, or in UTC if they say so." }
            @if let Some(support) = &frame.brand.support {
                p { a href=(support) { "Get help" } }
            }
        }
    }
}
