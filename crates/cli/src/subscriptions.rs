//! `webhooks subscriptions`: customers' endpoints.

mod certificate;
mod change;
mod fields;
mod list;
mod secrets;
mod test;

use crate::terminal::{Cell, Style, Tone};
use anyhow::Result;
use clap::{Args, Subcommand};
use webhooks_client::{Api, Authentication, Call, Subscription};

use crate::Outcome;
use crate::clock;
use crate::print::{Facts, Printer};
use crate::words;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Subscribe an endpoint of a customer, and show its secret.
    #[command(after_help = change::CREATE_HELP)]
    Create(change::Create),
    /// List a customer's subscriptions.
    #[command(after_help = "\
Examples:
  webhooks subscriptions list cust_1001
  webhooks --json subscriptions list cust_1001 --all | jq -r '.data[].url'")]
    List(list::List),
    /// Show a subscription.
    #[command(after_help = "\
Example:
  webhooks subscriptions show cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4")]
    Show(Named),
    /// Change the given fields of a subscription.
    #[command(after_help = change::UPDATE_HELP)]
    Update(change::Update),
    /// Delete a subscription permanently. Its pending deliveries are cancelled.
    #[command(after_help = "\
Examples:
  webhooks subscriptions delete cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4
  webhooks subscriptions delete cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4 --yes --if-version 3")]
    Delete(change::Delete),
    /// Make a paused or disabled subscription active again.
    #[command(after_help = "\
Example:
  webhooks subscriptions enable cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4
  webhooks subscriptions enable cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4 --held discard

A recovery sends the deliveries that were held meanwhile. If the command fails, repeat it.")]
    Enable(change::Enable),
    /// Give a subscription a new secret. The old one also signs for a while.
    #[command(after_help = secrets::ROTATE_HELP)]
    Rotate(secrets::Rotate),
    /// Show the secrets that sign now. Each use is logged with the caller.
    #[command(after_help = "\
Examples:
  webhooks subscriptions secret cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4
  export WEBHOOK_SECRET=$(webhooks --json subscriptions secret cust_1001 sub_… | jq -r '.secrets[0].secret')")]
    Secret(Named),
    /// Send one example event now, and show the endpoint's answer.
    #[command(after_help = test::HELP)]
    Test(test::Test),
}

/// One subscription.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The customer.
    #[arg(value_name = "CUSTOMER")]
    pub(crate) customer: String,
    /// The subscription's id, `sub_…`.
    #[arg(value_name = "SUBSCRIPTION")]
    pub(crate) subscription: String,
}

/// An option that prevents overwriting somebody else's change.
#[derive(Args, Debug)]
pub(crate) struct IfVersion {
    /// Only if this is still its version, as `show` prints it.
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
}

impl IfVersion {
    pub(crate) fn guard<'a, T>(&self, call: Call<'a, T>) -> Call<'a, T> {
        match self.if_version {
            Some(version) => call.if_match(version),
            None => call,
        }
    }
}

impl Command {
    /// Runs the command and prints its result.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        match self {
            Self::Create(create) => create.run(api, printer).await,
            Self::List(list) => list.run(api, printer).await,
            Self::Show(named) => list::show(named, api, printer).await,
            Self::Update(update) => update.run(api, printer).await,
            Self::Delete(delete) => delete.run(api, printer).await,
            Self::Enable(enable) => enable.run(api, printer).await,
            Self::Rotate(rotate) => rotate.run(api, printer).await,
            Self::Secret(named) => secrets::show(named, api, printer).await,
            Self::Test(test) => test.run(api, printer).await,
        }
    }
}

/// Shows a subscription in full.
fn text(subscription: &Subscription, style: Style) -> String {
    let tone = words::subscription_tone(subscription.status);
    let mut facts = Facts::default();
    facts.add("subscription", subscription.id.as_str());
    facts.add("customer", subscription.customer_id.as_str());
    facts.add("status", Cell::new(subscription.status.to_string(), tone));
    let disabled = (&subscription.disabled_reason, &subscription.disabled_at);
    if let (Some(reason), Some(at)) = disabled {
        facts.add("disabled", format!("{reason}, since {at}"));
    }
    let health = &subscription.health;
    facts.maybe("failing", since(health.failing_since.as_deref()));
    let open_until = health.circuit_open_until.as_ref();
    let open_since = since(health.circuit_open_since.as_deref());
    let open = open_since.zip(open_until);
    facts.maybe(
        "circuit open",
        open.map(|(since, at)| format!("{since}, until {at}")),
    );
    facts.maybe("slow", since(health.slow_since.as_deref()));
    facts.maybe("holding", since(health.holding_since.as_deref()));
    if let Some(recovery) = &subscription.recovery {
        let (kind, id) = (recovery.kind, &recovery.id);
        facts.add("held", format!("{kind} by {id}, {}", recovery.status));
    }
    facts.add("url", subscription.url.as_str());
    facts.add("event types", subscription.event_types.join(", "));
    facts.maybe(
        "filter",
        subscription.filter.as_ref().map(ToString::to_string),
    );
    facts.maybe("description", subscription.description.as_deref());
    facts.add("payload format", subscription.payload_format.to_string());
    if !subscription.payload_fields.is_empty() {
        facts.add("payload fields", subscription.payload_fields.join(", "));
    }
    let transform = subscription.transform.as_ref();
    facts.maybe(
        "transform",
        transform.and_then(|transform| serde_json::to_string(transform).ok()),
    );
    facts.maybe("content type", subscription.content_type.as_deref());
    let method = Some(subscription.method).filter(|method| !method.is_post());
    facts.maybe("method", method.map(|method| method.to_string()));
    for (name, value) in &subscription.query_parameters {
        facts.add("query parameter", format!("{name}={value}"));
    }
    let timeout = subscription.timeout_seconds;
    facts.maybe("timeout", timeout.map(|seconds| format!("{seconds} s")));
    let rate = subscription.rate_limit_per_second;
    facts.maybe("rate limit", rate.map(|rate| format!("{rate} a second")));
    let in_flight = subscription.max_in_flight;
    facts.maybe(
        "in flight",
        in_flight.map(|count| format!("at most {count}")),
    );
    let policy = subscription.retry_policy.as_ref();
    facts.maybe(
        "retry policy",
        policy.and_then(|policy| serde_json::to_string(policy).ok()),
    );
    for (name, value) in &subscription.headers {
        facts.add("header", format!("{name}: {value}"));
    }
    for name in &subscription.secret_headers {
        facts.add("secret header", format!("{name}: ********"));
    }
    for warning in &subscription.warnings {
        let text = format!("{}: {}", warning.field, warning.detail);
        facts.add("warning", Cell::new(text, Tone::Waiting));
    }
    if !subscription.cleared_secret_headers.is_empty() {
        facts.add("cleared", subscription.cleared_secret_headers.join(", "));
    }
    add_authentication(&mut facts, subscription);
    for (name, value) in &subscription.metadata {
        facts.add("metadata", format!("{name}: {value}"));
    }
    for (index, secret) in subscription.secrets.iter().enumerate() {
        let key = secret.public_key.as_deref().map(|key| format!(", {key}"));
        let end = match (&secret.expires_at, index) {
            (Some(at), _) => format!(", signs until {at}"),
            (None, 0) => ", current".to_owned(),
            (None, _) => String::new(),
        };
        let (version, kind) = (secret.version, &secret.kind);
        facts.add(
            "secret",
            format!("{version} ({kind}{end}){}", key.unwrap_or_default()),
        );
    }
    facts.add("version", subscription.version.to_string());
    facts.add("created", subscription.created_at.as_str());
    facts.add("updated", subscription.updated_at.as_str());
    facts.text(style)
}

fn add_authentication(facts: &mut Facts, subscription: &Subscription) {
    let authentication = subscription.authentication.as_ref();
    facts.maybe("authentication", authentication.map(authentication_words));
    let now = clock::now();
    let end = authentication.and_then(|it| certificate::end(it, now));
    facts.maybe("certificate", end);
    facts.maybe(
        "cleared",
        subscription
            .cleared_authentication
            .map(|kind| format!("authentication ({kind})")),
    );
}

fn authentication_words(authentication: &Authentication) -> String {
    let kind = authentication.kind();
    match authentication {
        Authentication::Basic { username } => format!("{kind}, {username}: ********"),
        Authentication::Bearer {} => format!("{kind}, ********"),
        Authentication::ApiKey { header } => format!("{kind}, {header}: ********"),
        Authentication::OAuth2 {
            token_url,
            client_id,
            scope,
            ..
        } => {
            let scope = scope.as_ref().map(|scope| format!(" for {scope}"));
            let scope = scope.unwrap_or_default();
            format!("{kind}, {client_id}: ********{scope}, tokens from {token_url}")
        }
        Authentication::Mtls {
            subject,
            issuer,
            sha256_fingerprint,
            ..
        } => format!("{kind}, {subject}, issued by {issuer}, SHA-256 {sha256_fingerprint}"),
    }
}

fn since(at: Option<&str>) -> Option<String> {
    at.map(|at| format!("since {at}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_subscription_shows_all_that_it_has() {
        let subscription: Subscription = serde_json::from_value(json!({
            "id": "sub_1", "customerId": "acme", "url": "https://example.com/", "eventTypes": ["a", "b.*"],
            "filter": {"total": [{"numeric": [">", 1]}]}, "headers": {"x-a": "1"}, "secretHeaders": ["x-b"], "clearedSecretHeaders": ["x-c", "x-d"], "authentication": {"type": "basic", "username": "ann"}, "clearedAuthentication": "bearer", "metadata": {"team": "shop"},
            "secrets": [{"version": 2, "kind": "v1"}, {"version": 1, "kind": "v1", "expiresAt": "2026-01-02T00:00:00.000Z"}],
            "payloadFormat": "standard", "status": "disabled", "version": 3, "timeoutSeconds": 5, "rateLimitPerSecond": 7, "maxInFlight": 2,
            "disabledReason": "failing", "disabledAt": "2026-01-03T00:00:00.000Z",
            "health": {"failingSince": "2026-01-01T00:00:00.000Z", "slowSince": "2026-01-02T00:00:00.000Z", "circuitOpenSince": "2026-01-03T00:00:00.000Z", "circuitOpenUntil": "2026-01-04T00:00:00.000Z", "holdingSince": "2026-01-03T00:00:00.000Z"},
            "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
        }))
        .unwrap();
        assert_text!(text(&subscription, Style::Plain));
    }
}
