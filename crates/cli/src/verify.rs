//! `webhooks verify`: checks that a request comes from this stack, and explains why not.

use std::path::PathBuf;

use crate::terminal::{Style, Tone};
use anyhow::Result;
use clap::Args;
use clap::error::ErrorKind;

use crate::clock::now;
use crate::input::{SecretText, read};
use crate::print::{Printer, Report};
use crate::signature::{Key, Signed, Verdict};
use crate::when::span;
use crate::{Outcome, usage};

/// The variable with the secrets, used if no option gives one.
pub(crate) const VARIABLE: &str = "WEBHOOK_SECRET";

pub(crate) const HELP: &str = "\
Examples:
  webhooks verify --secret env:WEBHOOK_SECRET --id msg_… --timestamp 1795000000 \\
    --signature 'v1,…' --body body.json
  curl … | webhooks verify --secret whpk_… --id msg_… --timestamp 1795000000 --signature 'v1a,…' --body -

The values are those of the headers webhook-id, webhook-timestamp and webhook-signature.
The body must be the raw bytes. The command calls no stack. The exit code is 0 if a receiver
accepts the request, otherwise 1.";

/// Options of `verify`.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    secrets: Secrets,
    /// The header webhook-id.
    #[arg(long)]
    id: Option<String>,
    /// The header webhook-timestamp.
    #[arg(long)]
    timestamp: Option<String>,
    /// The header webhook-signature, with its full value.
    #[arg(long, allow_hyphen_values = true)]
    signature: Option<String>,
    /// The file with the body; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
}

/// The options for secrets.
#[derive(Args, Debug)]
pub(crate) struct Secrets {
    /// The secret, whsec_…, or the public key, whpk_…; env:NAME reads it from a variable.
    /// Repeatable [env: `WEBHOOK_SECRET`].
    #[arg(long = "secret", value_name = "whsec_…|whpk_…|env:NAME")]
    secrets: Vec<SecretText>,
}

impl Secrets {
    /// Returns the keys from the options, or else from the variable.
    pub(crate) fn keys(&self) -> Result<Vec<Key>> {
        let of_variable;
        let secrets = if self.secrets.is_empty() {
            of_variable = SecretText::of_variable(VARIABLE);
            &of_variable
        } else {
            &self.secrets
        };
        secrets.iter().map(Key::parse).collect()
    }
}

impl Verify {
    /// Checks the request and prints the verdict.
    pub(crate) fn run(&self, printer: &mut Printer<'_>) -> Result<Outcome> {
        let keys = self.secrets.keys()?;
        if keys.is_empty() {
            let text = format!("no secret: give `--secret`, or set {VARIABLE}");
            return Err(usage(ErrorKind::MissingRequiredArgument, &text).into());
        }
        let body = read(&self.body)?;
        let signed = Signed {
            id: self.id.as_deref(),
            timestamp: self.timestamp.as_deref(),
            signatures: self.signature.as_deref(),
            body: &body,
        };
        let verdict = signed.check(&keys, now());
        printer.print(&verdict)?;
        Ok(if verdict.valid {
            Outcome::Complete
        } else {
            Outcome::Incomplete
        })
    }
}

impl Verdict {
    /// Returns the verdict in one line.
    pub(crate) fn line(&self, style: Style) -> String {
        if !self.valid {
            let reasons: Vec<_> = self
                .reasons
                .iter()
                .map(|reason| reason.text.as_str())
                .collect();
            return style.paint(Tone::Bad, &format!("NOT VALID: {}", reasons.join("; ")));
        }
        let age = self.age_seconds.unwrap_or_default();
        let age = span(std::time::Duration::from_secs(age.max(0).unsigned_abs()));
        let kind = self.signed_with.unwrap_or_default();
        style.paint(Tone::Good, &format!("valid: {kind}, signed {age} ago"))
    }
}

impl Report for Verdict {
    fn text(&self, style: Style) -> String {
        if self.valid {
            return format!("  {}\n", self.line(style));
        }
        let mut text = format!("  {}\n", style.paint(Tone::Bad, "NOT VALID"));
        for reason in &self.reasons {
            let reason = style.paint(Tone::Plain, &reason.text);
            text.extend(["  - ", &reason, "\n"]);
        }
        let right = |kind| format!("  The {kind} signature itself is valid.\n");
        text.extend(self.signed_with.map(right));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Reason;

    #[test]
    fn a_verdict_says_why() {
        let valid = Verdict {
            valid: true,
            signed_with: Some("v1a"),
            age_seconds: Some(3),
            reasons: vec![],
        };
        assert_eq!(valid.text(Style::Plain), "  valid: v1a, signed 3s ago\n");
        let old = Verdict {
            valid: false,
            reasons: vec![Reason {
                code: "timestampTooOld",
                text: "it is old".to_owned(),
            }],
            ..valid
        };
        assert_eq!(
            old.text(Style::Plain),
            "  NOT VALID\n  - it is old\n  The v1a signature itself is valid.\n"
        );
        assert_eq!(old.line(Style::Plain), "NOT VALID: it is old");
    }

    #[test]
    fn a_foreign_header_in_a_reason_stays_on_its_line() {
        let forged = Verdict {
            valid: false,
            signed_with: None,
            age_seconds: None,
            reasons: vec![Reason {
                code: "timestampMissing",
                text: "`1\n  valid\u{9b}A\u{1b}[2J\u{202e}` is none".to_owned(),
            }],
        };
        for text in [forged.text(Style::Plain), forged.line(Style::Plain)] {
            let harmful = |letter| letter != '\n' && crate::terminal::is_harmful(letter);
            assert!(!text.contains(harmful), "{text:?}");
            assert!(!text.contains("\n  valid"), "{text:?}");
        }
    }
}
