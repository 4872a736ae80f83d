//! The settings of an endpoint.

use maud::{Markup, html};
use webhooks_api_types::{
    Authentication, AuthenticationType, PayloadFormat, RetryPolicy, Subscription,
};
use webhooks_domain::timestamp::Timestamp;

use super::certificate;
use crate::delivery::text;
use crate::endpoints::event_types;
use crate::frame::Frame;
use crate::parts::Facts;
use crate::text::code;
use crate::time::{span, time_and_age};

pub(super) fn section(frame: &Frame, subscription: &Subscription) -> Markup {
    let mut facts = Facts::default();
    facts.add("Event types", event_types(subscription));
    let filter = subscription.filter.as_ref();
    facts.maybe("Filter", filter.map(|filter| text(filter.as_json())));
    facts.add(
        "Body",
        html! { (format_words(subscription.payload_format)) },
    );
    facts.maybe("Request", request_words(subscription).map(|it| text(&it)));
    let headers = !(subscription.headers.is_empty() && subscription.secret_headers.is_empty());
    facts.maybe("Headers", headers.then(|| header_list(subscription)));
    let authentication = subscription.authentication.as_ref();
    facts.maybe(
        "Authentication",
        authentication.map(|it| authentication_fact(it, frame.now)),
    );
    let timeout = subscription.timeout_seconds;
    facts.maybe(
        "Time limit of a request",
        timeout.map(|it| html! { (it) " s" }),
    );
    let rate = subscription.rate_limit_per_second;
    facts.maybe(
        "Webhooks a second",
        rate.map(|it| html! { "at most " (it) }),
    );
    let in_flight = subscription.max_in_flight;
    facts.maybe(
        "Requests at once",
        in_flight.map(|it| html! { "at most " (it) }),
    );
    let policy = subscription.retry_policy.as_ref();
    facts.maybe("Retries", policy.map(retry_words));
    facts.add("Created", time_and_age(&subscription.created_at, frame.now));
    facts.add("Changed", time_and_age(&subscription.updated_at, frame.now));
    facts.add("Id", code(&subscription.id));
    html! {
        section aria-labelledby="settings" {
            h2 #settings { "Settings" }
            (facts.markup())
        }
    }
}

/// The method, the content type and the query parameters, if they are not the default.
fn request_words(subscription: &Subscription) -> Option<String> {
    let method = Some(subscription.method.to_string()).filter(|_| !subscription.method.is_post());
    let query = subscription.query_parameters.iter();
    let query = query.map(|(name, value)| format!("?{name}={value}"));
    let words: Vec<_> = method
        .into_iter()
        .chain(subscription.content_type.clone())
        .chain(query)
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn header_list(subscription: &Subscription) -> Markup {
    html! {
        ul {
            @for (name, value) in &subscription.headers {
                li { (code(&format!("{name}: {value}"))) }
            }
            @for name in &subscription.secret_headers {
                li { (code(name)) " (secret)" }
            }
        }
    }
}

fn authentication_fact(authentication: &Authentication, now: Timestamp) -> Markup {
    let name = match authentication {
        Authentication::Basic { username: name } | Authentication::ApiKey { header: name } => name,
        Authentication::Bearer {} => "",
        Authentication::OAuth2 { client_id, .. } => client_id,
        Authentication::Mtls {
            subject,
            issuer,
            sha256_fingerprint,
            not_after,
            ..
        } => {
            return html! {
                (authentication_words(authentication.kind())) ": " (code(subject))
                ", issued by " (code(issuer)) ", " (certificate::end(not_after, now)) br;
                "SHA-256 " (code(sha256_fingerprint))
            };
        }
    };
    html! {
        (authentication_words(authentication.kind()))
        @if !name.is_empty() { ": " (code(name)) }
        @if let Authentication::OAuth2 { token_url, scope, .. } = authentication {
            ", from " (code(token_url))
            @if let Some(scope) = scope { ", for " (code(scope)) }
        }
    }
}

/// The type of an authentication.
pub(super) fn authentication_words(kind: AuthenticationType) -> &'static str {
    match kind {
        AuthenticationType::Basic => "A user name and a password",
        AuthenticationType::Bearer => "A bearer token",
        AuthenticationType::ApiKey => "A key in a header",
        AuthenticationType::OAuth2 => "An access token (OAuth 2.0, client credentials)",
        AuthenticationType::Mtls => "A client certificate",
    }
}

/// The content of a body.
pub(super) fn format_words(format: PayloadFormat) -> &'static str {
    match format {
        PayloadFormat::Standard => "Type, time and data",
        PayloadFormat::Detail => "The data only",
        PayloadFormat::Event => "The whole EventBridge event",
        PayloadFormat::Thin => "Type, time, ids and a link",
        PayloadFormat::CloudEvents => "CloudEvents 1.0",
        PayloadFormat::Fields => "Type, time and chosen fields of the data",
        PayloadFormat::Transform => "A template of your own",
    }
}

fn retry_words(policy: &RetryPolicy) -> Markup {
    let seconds = |seconds: u32| span(std::time::Duration::from_secs(seconds.into()));
    match policy {
        RetryPolicy::Schedule(policy) => {
            let waits: Vec<_> = policy
                .schedule
                .iter()
                .skip(1)
                .copied()
                .map(seconds)
                .collect();
            html! {
                "At once"
                @if !waits.is_empty() { ", then after " (waits.join(", ")) }
            }
        }
        RetryPolicy::Backoff(policy) => html! {
            (policy.max_attempts) " attempts. The first wait is "
            (seconds(policy.interval_seconds)) ", each further one is "
            (policy.backoff_rate) " times as long, up to " (seconds(policy.max_delay_seconds)) "."
        },
    }
}
