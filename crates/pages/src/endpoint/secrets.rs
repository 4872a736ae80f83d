//! The secrets of an endpoint: which exist, their values on request, and the rotation.

use maud::{Markup, html};
use webhooks_api_types::{ActiveSecret, SecretKind, SecretSummary, Subscription};

use super::{Ids, verify};
use crate::fields::Field;
use crate::frame::{Capability, Frame};
use crate::href::Href;
use crate::layout::{self, Place};
use crate::parts::{Facts, post};
use crate::text::{code, foreign};
use crate::time::time_and_age;

/// The overlaps that a viewer can choose, in seconds.
const OVERLAPS: [(&str, &str); 4] = [
    ("86400", "A day"),
    ("604800", "A week"),
    ("3600", "An hour"),
    ("0", "None: the previous secret ends at once"),
];

pub(super) fn section(frame: &Frame, subscription: &Subscription) -> Markup {
    let ids = Ids::of(subscription);
    html! {
        section aria-labelledby="secrets" {
            h2 #secrets { "Secret" }
            ul { @for secret in &subscription.secrets { li { (summary(frame, secret)) } } }
            @if frame.may(Capability::Secrets) {
                (post(frame, ids.secrets(), html! { button type="submit" { "Show the secret" } }))
                details {
                    summary { "Rotate the secret" }
                    p {
                        "A new secret signs from now on. The previous one signs too, for the \
                         time that you choose, so that no request fails meanwhile."
                    }
                    (post(frame, ids.rotate(), html! {
                        // A form that is sent twice rotates once.
                        input type="hidden" name="version" value=(subscription.version);
                        div .stack {
                            (Field::new("overlapSeconds", "The previous secret still signs for")
                                .select(
                                    OVERLAPS.map(|(value, words)| (value.to_owned(), words)),
                                    "86400",
                                ))
                            button type="submit" { "Rotate" }
                        }
                    }))
                }
            } @else {
                p .muted { "This session does not show secrets." }
            }
        }
    }
}

fn summary(frame: &Frame, secret: &SecretSummary) -> Markup {
    html! {
        "Version " (secret.version) ", " (kind(secret.kind))
        @match &secret.expires_at {
            Some(at) => { ", signs until " (time_and_age(at, frame.now)) }
            None => ", current",
        }
        @if let Some(key) = &secret.public_key { ": " (code(key)) }
    }
}

fn kind(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::V1 => "HMAC-SHA256 (v1)",
        SecretKind::V1a => "ed25519 (v1a)",
    }
}

/// The data of the page with secrets.
#[derive(Debug, Clone)]
pub struct SecretsView {
    /// The endpoint.
    pub subscription: Subscription,
    /// Its secrets that sign, the current one first.
    pub secrets: Vec<ActiveSecret>,
}

/// Renders the page with the values of secrets: on request, after a rotation, and after an
/// endpoint was created.
///
/// Without the capability `secrets` it shows no value.
pub fn secrets_page(frame: &Frame, view: &SecretsView) -> String {
    let ids = Ids::of(&view.subscription);
    let content = html! {
        p .crumb { a href=(Href::from(ids.page())) { (foreign(&view.subscription.url)) } }
        h1 { "Secret" }
        @if frame.may(Capability::Secrets) {
            p {
                "Your server checks the signature of each request with it. \
                 Keep it as you keep a password."
            }
            ul .cards { @for secret in &view.secrets { li { (card(frame, secret)) } } }
        } @else {
            p .muted { "This session does not show secrets." }
        }
        (verify::section(&view.subscription))
        div .actions { a .button.primary href=(Href::from(ids.page())) { "To the endpoint" } }
    };
    layout::page(frame, Place::Endpoints, "Secret", &content)
}

fn card(frame: &Frame, secret: &ActiveSecret) -> Markup {
    let mut facts = Facts::default();
    let value = |text: &str| html! { code .secret { (crate::text::visible(text)) } };
    facts.maybe("Public key", secret.public_key.as_deref().map(value));
    facts.add("Secret", value(&secret.secret));
    facts.add("Kind", html! { (kind(secret.kind)) });
    let end = secret.expires_at.as_deref();
    facts.maybe("Signs until", end.map(|at| time_and_age(at, frame.now)));
    html! {
        article .card {
            h2 {
                @if secret.expires_at.is_some() { "Previous secret" } @else { "Current secret" }
                ", version " (secret.version)
            }
            (facts.markup())
        }
    }
}
