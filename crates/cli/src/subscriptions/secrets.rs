//! `webhooks subscriptions rotate` and `secret`.

use std::time::Duration;

use crate::terminal::{Style, Table};
use anyhow::Result;
use clap::Args;
use webhooks_client::{ActiveSecrets, Api, NewSecret, Rotation, SecretKind, WholeNumber};

use super::{IfVersion, Named};
use crate::Outcome;
use crate::answer::send;
use crate::input::{SecretText, word};
use crate::print::{Facts, Printer};

pub(super) const ROTATE_HELP: &str = "\
Examples:
  webhooks subscriptions rotate cust_1001 sub_…                    # both sign for a day
  webhooks subscriptions rotate cust_1001 sub_… --overlap 3days
  webhooks subscriptions rotate cust_1001 sub_… --kind v1a         # to ed25519
  webhooks subscriptions rotate cust_1001 sub_… --secret env:NEW_SECRET

Until the overlap ends, a receiver can verify every request with either secret. If a secret
has leaked, end it at once with `--overlap 0s`.";

/// Options of `subscriptions rotate`.
#[derive(Args, Debug)]
pub(crate) struct Rotate {
    #[command(flatten)]
    named: Named,
    /// The time for which the old secret also signs, at most 7days [default: a day].
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    overlap: Option<Duration>,
    /// The version of the new secret's signatures: HMAC-SHA256 (v1) or ed25519 (v1a) [default:
    /// as the old one].
    #[arg(long, value_parser = word::<SecretKind>(&["v1", "v1a"]))]
    kind: Option<SecretKind>,
    /// An existing secret, or env:NAME to read it from a variable [default: a new secret].
    #[arg(long, value_name = "whsec_…|env:NAME")]
    secret: Option<SecretText>,
    #[command(flatten)]
    if_version: IfVersion,
}

impl Rotate {
    pub(super) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let Named {
            customer,
            subscription,
        } = &self.named;
        let call = api.rotate_secret(customer, subscription, &self.body());
        let rotated = send(self.if_version.guard(call)).await?;
        printer.answer(&rotated, |rotated, style| self.text(rotated, style))?;
        Ok(Outcome::Complete)
    }

    fn body(&self) -> Rotation {
        let seconds = |overlap: Duration| u32::try_from(overlap.as_secs()).unwrap_or(u32::MAX);
        let secret = self.secret.as_ref();
        Rotation {
            overlap_seconds: self.overlap.map(seconds).map(WholeNumber),
            kind: self.kind,
            secret: secret.map(|secret| secret.expose().to_owned()),
        }
    }

    fn text(&self, rotated: &NewSecret, style: Style) -> String {
        let mut facts = Facts::default();
        if self.secret.is_none() {
            facts.add("new secret", rotated.secret.as_str());
        }
        facts.maybe("public key", rotated.public_key.as_deref());
        let overlap = match self.overlap {
            None => "also signs for a day".to_owned(),
            Some(Duration::ZERO) => "no longer signs".to_owned(),
            Some(overlap) => format!("also signs for {}", humantime::format_duration(overlap)),
        };
        facts.add("old secret", overlap);
        facts.text(style)
    }
}

/// Shows the secrets that sign now.
pub(super) async fn show(named: &Named, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
    let call = api.secrets(&named.customer, &named.subscription);
    printer.answer(&send(call).await?, secrets_text)?;
    Ok(Outcome::Complete)
}

fn secrets_text(active: &ActiveSecrets, style: Style) -> String {
    let mut table = Table::new(["VERSION", "KIND", "SIGNS", "SECRET", "PUBLIC KEY"]);
    for secret in &active.secrets {
        let until = secret.expires_at.as_ref().map(|at| format!("until {at}"));
        table.push([
            secret.version.to_string().into(),
            secret.kind.to_string().into(),
            until.unwrap_or_else(|| "current".to_owned()).into(),
            secret.secret.as_str().into(),
            secret.public_key.as_deref().unwrap_or("-").into(),
        ]);
    }
    table.text(style)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rotate(overlap: Option<Duration>, secret: Option<&str>) -> Rotate {
        Rotate {
            named: Named {
                customer: "acme".to_owned(),
                subscription: "sub_1".to_owned(),
            },
            overlap,
            kind: None,
            secret: secret.map(|secret| secret.parse().unwrap()),
            if_version: IfVersion { if_version: None },
        }
    }

    #[test]
    fn a_rotation_holds_what_is_given() {
        let body = |options: Rotate| serde_json::to_value(options.body()).unwrap();
        assert_eq!(body(rotate(None, None)), json!({}));
        assert_eq!(
            body(rotate(Some(Duration::from_hours(1)), Some("whsec_x"))),
            json!({"overlapSeconds": 3600, "secret": "whsec_x"})
        );
    }

    #[test]
    fn only_a_secret_that_is_new_is_shown() {
        let rotated = NewSecret {
            secret: "whsec_x".to_owned(),
            public_key: None,
        };
        assert_eq!(
            rotate(None, None).text(&rotated, Style::Plain),
            "  new secret  whsec_x\n  old secret  also signs for a day\n"
        );
        let own = rotate(Some(Duration::ZERO), Some("whsec_x"));
        assert_eq!(
            own.text(&rotated, Style::Plain),
            "  old secret  no longer signs\n"
        );
    }
}
