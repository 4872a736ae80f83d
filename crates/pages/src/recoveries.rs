//! Recoveries and replays: count first, then start, watch and stop.

use maud::{Markup, html};
use webhooks_api_types::{Recovery, RecoveryCount, RecoveryPage, RecoveryStatus};

use crate::endpoint::Ids;
use crate::fields::{self, Field};
use crate::frame::{Capability, Frame};
use crate::href::Href;
use crate::layout::{self, Place};
use crate::parts::{Facts, broken, count, grouped, next_page, post, table};
use crate::paths::Route;
use crate::problem::FormProblem;
use crate::recovery_form::{RecoveryForm, Work};
use crate::state;
use crate::text::{editable, foreign};
use crate::time::{time, time_and_age};

/// The seconds between two looks at a recovery that runs.
const LIVE_SECONDS: &str = "3";

/// The endpoint to which a recovery belongs.
#[derive(Debug, Clone)]
pub struct OfEndpoint {
    /// The customer.
    pub customer: String,
    /// The endpoint's subscription.
    pub subscription: String,
    /// The URL of the endpoint.
    pub url: String,
}

/// The data of the page.
#[derive(Debug, Clone)]
pub struct Recoveries {
    /// The endpoint.
    pub endpoint: OfEndpoint,
    /// The fields of the form, as they were entered.
    pub form: RecoveryForm,
    /// The problem of the fields.
    pub problem: Option<FormProblem>,
    /// The number of deliveries that the form would send. If there is one, the page asks for a
    /// confirmation.
    pub counted: Option<RecoveryCount>,
    /// A page of earlier recoveries.
    pub page: RecoveryPage,
}

/// Renders the list of recoveries, with the form for a new one.
pub fn page(frame: &Frame, recoveries: &Recoveries) -> String {
    let ids = ids(&recoveries.endpoint);
    let next = recoveries.page.next_cursor.as_deref();
    let next = next.map(|cursor| Href::from(ids.recoveries()).with([("cursor", Some(cursor))]));
    let content = html! {
        (crumb(&recoveries.endpoint, false))
        h1 { "Recover and replay" }
        @if frame.may(Capability::Resend) {
            (fields::summary(recoveries.problem.as_ref()))
            @match recoveries.counted {
                Some(counted) => (confirmation(frame, recoveries, counted)),
                None => (form(frame, recoveries)),
            }
        }
        section aria-labelledby="earlier" {
            h2 #earlier { "Earlier recoveries" }
            @if recoveries.page.data.is_empty() {
                p .empty { "None." }
            } @else {
                (rows(recoveries))
            }
        }
        (broken(&recoveries.page.broken))
        (next_page(next))
    };
    layout::page(frame, Place::Endpoints, "Recover and replay", &content)
}

fn ids(endpoint: &OfEndpoint) -> Ids {
    Ids::new(&endpoint.customer, &endpoint.subscription)
}

fn crumb(endpoint: &OfEndpoint, with_list: bool) -> Markup {
    let ids = ids(endpoint);
    html! {
        p .crumb {
            a href=(Href::from(ids.page())) { (foreign(&endpoint.url)) }
            @if with_list {
                span aria-hidden="true" { " › " }
                a href=(Href::from(ids.recoveries())) { "Recover and replay" }
            }
        }
    }
}

fn form(frame: &Frame, recoveries: &Recoveries) -> Markup {
    let (form, problem) = (&recoveries.form, recoveries.problem.as_ref());
    let choices = Work::ALL.map(|work| (work.name().to_owned(), words(work)));
    let content = html! {
        div .stack {
            (Field::new("what", "Send").select(choices, form.what.name()))
            (Field::new("since", "Created from (UTC)").required().problem(problem)
                .time(Some(&form.since)))
            (Field::new("until", "Created before (UTC)").problem(problem)
                .help(html! { "Empty: until now." }).time(Some(&form.until)))
            (Field::new("perSecond", "Attempts a second").problem(problem)
                .help(html! { "Empty: 10." }).number(&form.per_second))
            button .primary type="submit" { "Count first" }
        }
    };
    html! {
        section aria-labelledby="new" {
            h2 #new { "Send again" }
            p {
                "After your endpoint works again, this sends what it has missed, the oldest first. \
                 The first step only counts."
            }
            (post(frame, ids(&recoveries.endpoint).count_recovery(), content))
        }
    }
}

fn words(work: Work) -> &'static str {
    match work {
        Work::Undelivered => "Failed and held deliveries",
        Work::Failed => "Failed deliveries",
        Work::Held => "Held deliveries",
        Work::Messages => "Messages that this endpoint never got",
    }
}

/// Asks whether to start what was counted. The form sends the same fields again.
fn confirmation(frame: &Frame, recoveries: &Recoveries, counted: RecoveryCount) -> Markup {
    let RecoveryForm {
        what,
        since,
        until,
        per_second,
    } = &recoveries.form;
    let ids = ids(&recoveries.endpoint);
    let noun = match what {
        Work::Messages => "message",
        Work::Undelivered | Work::Failed | Work::Held => "delivery",
    };
    let of = counted.count.to_string();
    let hidden = [
        ("what", what.name()),
        ("since", since),
        ("until", until),
        ("perSecond", per_second),
        ("of", if counted.complete { &of } else { "" }),
    ];
    let content = html! {
        @for (name, value) in hidden {
            input type="hidden" name=(name) value=(editable(value));
        }
        div .actions {
            @if counted.count > 0 { button .primary type="submit" { "Start" } }
            a .button href=(Href::from(ids.recoveries())) { "Back" }
        }
    };
    html! {
        section .notice aria-labelledby="counted" {
            h2 #counted {
                @if !counted.complete { "At least " }
                (plural(counted.count, noun))
            }
            p {
                (words(*what)) ", created from " (foreign(since)) " UTC"
                @if until.is_empty() { " until now." } @else { " until " (foreign(until)) " UTC." }
                @if !counted.complete { " Counting stopped early; there are more." }
                @if counted.count == 0 { " There is nothing to send." }
            }
            (post(frame, ids.recoveries(), content))
        }
    }
}

fn plural(number: u64, noun: &str) -> String {
    match noun {
        "delivery" if number != 1 => format!("{} deliveries", grouped(number)),
        noun => count(number, noun),
    }
}

fn rows(recoveries: &Recoveries) -> Markup {
    let rows = html! {
        table {
            caption { "Recoveries, the newest first" }
            thead {
                tr {
                    th scope="col" { "Started" }
                    th scope="col" { "Kind" }
                    th scope="col" { "Status" }
                    th scope="col" .number { "Sent" }
                    th scope="col" .number { "Left out" }
                }
            }
            tbody {
                @for recovery in &recoveries.page.data {
                    tr {
                        td {
                            a href=(Href::from(route(&recoveries.endpoint, recovery))) {
                                (time(&recovery.started_at))
                            }
                        }
                        td { (state::recovery_kind(recovery.kind)) }
                        td { (state::recovery(recovery.status)) }
                        td .number { (grouped(recovery.queued)) }
                        td .number { (grouped(recovery.skipped)) }
                    }
                }
            }
        }
    };
    table("Recoveries, the newest first", &rows)
}

fn route(endpoint: &OfEndpoint, recovery: &Recovery) -> Route {
    Route::Recovery {
        customer: endpoint.customer.clone(),
        subscription: endpoint.subscription.clone(),
        recovery: recovery.id.clone(),
    }
}

/// The data of the page of one recovery.
#[derive(Debug, Clone)]
pub struct RecoveryView {
    /// The endpoint.
    pub endpoint: OfEndpoint,
    /// The recovery.
    pub recovery: Recovery,
    /// The number that was counted before it started, from the parameter `of`.
    pub of: Option<u64>,
}

/// Renders the page of one recovery. While it runs, the page updates itself.
pub fn recovery_page(frame: &Frame, view: &RecoveryView) -> String {
    let recovery = &view.recovery;
    let is_running = !recovery.status.is_terminal();
    let content = html! {
        (crumb(&view.endpoint, true))
        div #recovery .stack aria-live="polite" data-live=[is_running.then_some(LIVE_SECONDS)] {
            div .title {
                h1 { (state::recovery_kind(recovery.kind)) }
                (state::recovery(recovery.status))
            }
            (progress(view))
            (facts(frame, recovery))
            (stop(frame, view))
        }
    };
    let title = state::recovery_kind(recovery.kind);
    layout::page(frame, Place::Endpoints, title, &content)
}

fn progress(view: &RecoveryView) -> Markup {
    let Recovery { examined, .. } = view.recovery;
    html! {
        @if let Some(of) = view.of.filter(|of| *of > 0) {
            @let done = examined.min(of);
            label for="progress" {
                "Looked at " (grouped(examined)) " of " (grouped(of))
            }
            progress #progress max=(of) value=(done) { (done * 100 / of) " %" }
        }
    }
}

fn facts(frame: &Frame, recovery: &Recovery) -> Markup {
    let mut facts = Facts::default();
    facts.add("Looked at", html! { (grouped(recovery.examined)) });
    facts.add("Sent", html! { (grouped(recovery.queued)) });
    facts.add("Left out", html! { (grouped(recovery.skipped)) });
    facts.add(
        "Speed",
        html! { "up to " (recovery.per_second) " a second" },
    );
    facts.add(
        "Range",
        html! { (time(&recovery.since)) " to " (time(&recovery.until)) },
    );
    facts.add("Started", time_and_age(&recovery.started_at, frame.now));
    facts.add("Last report", time_and_age(&recovery.updated_at, frame.now));
    facts.markup()
}

fn stop(frame: &Frame, view: &RecoveryView) -> Markup {
    let is_running = view.recovery.status == RecoveryStatus::Running;
    let route = Route::StopRecovery {
        customer: view.endpoint.customer.clone(),
        subscription: view.endpoint.subscription.clone(),
        recovery: view.recovery.id.clone(),
    };
    html! {
        @if is_running && frame.may(Capability::Resend) {
            (post(frame, route, html! { button .danger type="submit" { "Stop" } }))
        }
    }
}
