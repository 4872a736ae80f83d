//! `webhooks subscriptions create`, `update`, `delete` and `enable`.

use crate::terminal::Style;
use anyhow::Result;
use clap::{Args, ValueEnum};
use webhooks_client::{
    Api, CreatedSubscription, Error, HeldFate, NewSubscription, SubscriptionPatch, WantedStatus,
};

use super::fields::Fields;
use super::{IfVersion, Named, text};
use crate::advice::advise;
use crate::answer::send;
use crate::ask::Yes;
use crate::body::Body;
use crate::input::{SecretText, map_patch, word};
use crate::print::{Facts, Printer};
use crate::{Outcome, require_a_field};

pub(super) const CREATE_HELP: &str = "\
Examples:
  webhooks subscriptions create cust_1001 --url https://example.com/webhooks --event-type 'order.*'
  webhooks subscriptions create cust_1001 --url https://example.com/webhooks --event-type '*' \\
    --filter '{\"order\": {\"total\": [{\"numeric\": [\">\", 100]}]}}' --header x-api-key=k3y
  webhooks subscriptions create cust_1001 --url http://127.0.0.1:3030/ --event-type '*' \\
    --secret env:WEBHOOK_SECRET --idempotency-key my-first

Give the secret to the customer, whose receiver verifies signatures with it.";

pub(super) const UPDATE_HELP: &str = "\
Examples:
  webhooks subscriptions update cust_1001 sub_… --url https://example.com/new
  webhooks subscriptions update cust_1001 sub_… --filter @filter.json --if-version 3
  webhooks subscriptions update cust_1001 sub_… --remove filter --remove-header x-api-key
  webhooks subscriptions update cust_1001 sub_… --secret-header authorization=@token.txt
  webhooks subscriptions update cust_1001 sub_… --authentication @login.json
  webhooks subscriptions update cust_1001 sub_… --client-certificate cert.pem --client-key key.pem
  webhooks subscriptions update cust_1001 sub_… --status paused

A changed filter applies to new events only: `webhooks replay` sends earlier ones. Another scheme,
host or port of the URL removes the secret headers and the authentication that the same command does
not set.";

/// Options of `subscriptions create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// The customer.
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    /// The endpoint's URL.
    #[arg(long)]
    url: String,
    /// The event types to send: `order.created`, `order.*` or `*`. Repeatable.
    #[arg(long = "event-type", value_name = "TYPE", required = true)]
    event_types: Vec<String>,
    /// An existing secret, or env:NAME to read it from a variable [default: a new secret].
    #[arg(long, value_name = "whsec_…|env:NAME")]
    secret: Option<SecretText>,
    /// Create it paused.
    #[arg(long)]
    paused: bool,
    /// Makes it safe to repeat this command: one key creates only one subscription.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    fields: Fields,
}

/// Options of `subscriptions update`.
#[derive(Args, Debug)]
pub(crate) struct Update {
    #[command(flatten)]
    named: Named,
    /// The endpoint's URL.
    #[arg(long)]
    url: Option<String>,
    /// The event types to send, replacing all previous ones. Repeatable.
    #[arg(long = "event-type", value_name = "TYPE")]
    event_types: Vec<String>,
    /// The new status.
    #[arg(long, value_parser = word::<WantedStatus>(&["active", "paused"]))]
    status: Option<WantedStatus>,
    /// With `--status active`: send, keep or discard the deliveries that were held [default: send].
    #[arg(long, value_enum)]
    held: Option<Held>,
    /// Remove a field, by its name in the API: filter, headers, retryPolicy, … Repeatable.
    #[arg(long, value_name = "FIELD")]
    remove: Vec<String>,
    /// Remove a header. Repeatable.
    #[arg(long = "remove-header", value_name = "NAME")]
    remove_headers: Vec<String>,
    /// Remove a secret header. Repeatable.
    #[arg(long = "remove-secret-header", value_name = "NAME")]
    remove_secret_headers: Vec<String>,
    #[command(flatten)]
    if_version: IfVersion,
    #[command(flatten)]
    fields: Fields,
}

/// Options of `subscriptions delete`.
#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    yes: Yes,
    #[command(flatten)]
    if_version: IfVersion,
}

/// The fate of the deliveries that were held.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Held {
    /// Send them by a recovery, the oldest first.
    Send,
    /// Keep them held.
    Keep,
    /// Cancel them.
    Discard,
}

impl From<Held> for HeldFate {
    fn from(held: Held) -> Self {
        match held {
            Held::Send => Self::Send,
            Held::Keep => Self::Keep,
            Held::Discard => Self::Discard,
        }
    }
}

/// Options of `subscriptions enable`.
#[derive(Args, Debug)]
pub(crate) struct Enable {
    #[command(flatten)]
    named: Named,
    /// Send, keep or discard the deliveries that were held [default: send].
    #[arg(long, value_enum)]
    held: Option<Held>,
    #[command(flatten)]
    if_version: IfVersion,
}

impl Create {
    pub(super) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let body = self.body()?;
        let mut call = api.create_subscription(&self.customer, &body);
        if let Some(key) = &self.idempotency_key {
            call = call.idempotency_key(key);
        }
        let created = send(call).await?;
        printer.answer(&created, |created, style| self.text(created, style))?;
        Ok(Outcome::Complete)
    }

    fn body(&self) -> Result<Body> {
        let secret = self.secret.as_ref();
        self.fields.body(&NewSubscription(SubscriptionPatch {
            url: Some(self.url.clone()),
            event_types: Some(self.event_types.clone()),
            secret: secret.map(|secret| secret.expose().to_owned()),
            status: self.paused.then_some(WantedStatus::Paused),
            ..self.fields.patch()
        }))
    }

    fn text(&self, created: &CreatedSubscription, style: Style) -> String {
        let subscription = &created.subscription;
        let shown = text(subscription, style);
        if self.secret.is_some() {
            return shown;
        }
        let mut facts = Facts::default();
        facts.add("secret", created.secret.as_str());
        facts.maybe("public key", created.public_key.as_deref());
        let (customer, id) = (&subscription.customer_id, &subscription.id);
        format!(
            "{shown}\n{}\n  Give the secret to the customer. `webhooks subscriptions test {customer} {id}` tries the endpoint.\n",
            facts.text(style)
        )
    }
}

impl Update {
    pub(super) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let patch = self.changes()?;
        require_a_field(&patch, "--url")?;
        let Named {
            customer,
            subscription,
        } = &self.named;
        let call = api.update_subscription(customer, subscription, &patch);
        let changed = send(self.if_version.guard(call)).await?;
        printer.answer(&changed, text)?;
        Ok(Outcome::Complete)
    }

    /// Returns the merge patch.
    fn changes(&self) -> Result<Body> {
        let event_types = Some(&self.event_types).filter(|types| !types.is_empty());
        let mut changes = self.fields.body(&SubscriptionPatch {
            url: self.url.clone(),
            event_types: event_types.cloned(),
            status: self.status,
            held: self.held.map(HeldFate::from),
            headers: map_patch(&self.fields.headers, &self.remove_headers),
            secret_headers: map_patch(&self.fields.secret_headers(), &self.remove_secret_headers),
            ..self.fields.patch()
        })?;
        for field in &self.remove {
            changes.remove(field);
        }
        Ok(changes)
    }
}

impl Delete {
    pub(super) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let Named {
            customer,
            subscription,
        } = &self.named;
        if !self.yes.yes {
            let url = match api.subscription(customer, subscription).await {
                Ok(shown) => shown.url,
                Err(Error::Broken(broken)) => broken.url.unwrap_or("an unreadable URL".to_owned()),
                Err(error) => return Err(advise(error)),
            };
            let question = format!("Delete {subscription} to {url} for good?");
            if !self.yes.confirmed(&question)? {
                printer.note("nothing was deleted")?;
                return Ok(Outcome::Incomplete);
            }
        }
        let call = api.delete_subscription(customer, subscription);
        send(self.if_version.guard(call)).await?;
        printer.note(&format!("  {subscription} is deleted"))?;
        Ok(Outcome::Complete)
    }
}

impl Enable {
    pub(super) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let Named {
            customer,
            subscription,
        } = &self.named;
        let held = self.held.map(HeldFate::from);
        let call = api.enable_subscription(customer, subscription, held);
        let enabled = send(self.if_version.guard(call)).await?;
        printer.answer(&enabled, text)?;
        if let Some(recovery) = &enabled.value.recovery {
            let id = &recovery.id;
            printer.note(&format!(
                "\n  `webhooks recoveries show {customer} {subscription} {id}` shows the progress."
            ))?;
        }
        Ok(Outcome::Complete)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Parser)]
    struct Line<T: Args> {
        #[command(flatten)]
        options: T,
    }

    fn create(options: &[&str]) -> Result<Create, clap::Error> {
        let line = [
            "create",
            "acme",
            "--url",
            "https://a.example",
            "--event-type",
            "a",
        ];
        Line::try_parse_from([&line, options].concat()).map(|line| line.options)
    }

    fn update(options: &[&str]) -> Result<Update, clap::Error> {
        let line = ["update", "acme", "sub_1"];
        Line::try_parse_from([&line, options].concat()).map(|line| line.options)
    }

    fn value(body: Result<Body>) -> Value {
        serde_json::to_value(body.unwrap()).unwrap()
    }

    #[test]
    fn every_option_is_a_field_of_the_api() {
        let options = [
            "--event-type",
            "b.*",
            "--filter",
            r#"{"a": [1]}"#,
            "--header",
            "x-a=1=2",
            "--secret-header",
            "authorization=Bearer x=1",
            "--payload-format",
            "event",
            "--timeout-seconds",
            "5",
            "--retry-schedule",
            "0,60",
            "--description",
            "d",
            "--metadata",
            "team=shop",
            "--secret",
            "whsec_x",
            "--paused",
            "--rate-limit-per-second",
            "5",
            "--max-in-flight",
            "2",
            "--field",
            "more=5",
            "--field",
            "other=text",
        ];
        assert_eq!(
            value(create(&options).unwrap().body()),
            json!({
                "url": "https://a.example", "eventTypes": ["a", "b.*"], "filter": {"a": [1]}, "headers": {"x-a": "1=2"},
                "secretHeaders": {"authorization": "Bearer x=1"},
                "payloadFormat": "event", "timeoutSeconds": 5, "retryPolicy": {"schedule": [0, 60]}, "description": "d",
                "metadata": {"team": "shop"}, "secret": "whsec_x", "status": "paused", "rateLimitPerSecond": 5,
                "maxInFlight": 2, "more": 5, "other": "text",
            })
        );
        assert_eq!(
            value(create(&[]).unwrap().body()),
            json!({"url": "https://a.example", "eventTypes": ["a"]})
        );
    }

    #[test]
    fn a_change_holds_what_is_given_and_null_for_what_goes() {
        let options = [
            "--status",
            "paused",
            "--header",
            "x-a=1",
            "--remove-header",
            "x-b",
            "--secret-header",
            "x-c=1",
            "--remove-secret-header",
            "x-d",
            "--remove",
            "filter",
        ];
        assert_eq!(
            value(update(&options).unwrap().changes()),
            json!({
                "status": "paused", "headers": {"x-a": "1", "x-b": null},
                "secretHeaders": {"x-c": "1", "x-d": null}, "filter": null,
            })
        );
        let only_removed = update(&["--remove-header", "x-b"]).unwrap().changes();
        assert_eq!(value(only_removed), json!({"headers": {"x-b": null}}));
        assert!(update(&[]).unwrap().changes().unwrap().is_empty());
        let other = update(&["--field", "status=\"active\"", "--status", "paused"]);
        assert_eq!(value(other.unwrap().changes()), json!({"status": "active"}));
    }

    #[test]
    fn an_invalid_value_is_refused_with_the_name_of_its_option() {
        for (option, value) in [
            ("--filter", "{"),
            ("--header", "x-a"),
            ("--secret-header", "x-a"),
            ("--payload-format", "xml"),
            ("--timeout-seconds", "soon"),
            ("--retry-schedule", "0,x"),
            ("--authentication", r#"{"type": "bearer", "token": "t"}"#),
            ("--secret", "env:WEBHOOKS_NO_SUCH_VARIABLE"),
        ] {
            let error = create(&[option, value]).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains(option), "{error}");
        }
    }
}
