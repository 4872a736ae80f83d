//! Checks, and the report of them.

use crate::terminal::{Cell, Style, Table, Tone};
use regex_lite::{Captures, Regex};
use serde::Serialize;
use webhooks_domain::timestamp::Timestamp;

use super::context::{Context, Described};
use crate::print;

/// One check of the stack, with its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// Such as `functions`.
    pub(crate) group: &'static str,
    /// Unique within its group, such as `deliver-webhook: architecture`.
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub(crate) enum Outcome {
    /// The check found no problem.
    Passed {
        /// The value that the check saw.
        detail: String,
    },
    /// It works today, but the operator should look at it.
    Warned { reason: String, fix: String },
    /// It does not work, or the check could not be made.
    Failed { reason: String, fix: String },
    /// The check was not made.
    Skipped { reason: String },
}

impl Outcome {
    pub(crate) fn passed(detail: impl Into<String>) -> Self {
        Self::Passed {
            detail: detail.into(),
        }
    }

    pub(crate) fn warned(reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Warned {
            reason: reason.into(),
            fix: fix.into(),
        }
    }

    pub(crate) fn failed(reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Failed {
            reason: reason.into(),
            fix: fix.into(),
        }
    }

    pub(crate) fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped {
            reason: reason.into(),
        }
    }

    /// Skips the check if a local emulator does not deploy the resource as the template defines
    /// it.
    pub(crate) fn unless_local(self, is_local: bool) -> Self {
        match self {
            Self::Failed { reason, .. } | Self::Warned { reason, .. } if is_local => {
                Self::skipped(format!("not deployed by the local emulator ({reason})"))
            }
            other => other,
        }
    }

    fn word(&self) -> (&'static str, Tone) {
        match self {
            Self::Passed { .. } => ("passed", Tone::Good),
            Self::Warned { .. } => ("warned", Tone::Waiting),
            Self::Failed { .. } => ("FAILED", Tone::Bad),
            Self::Skipped { .. } => ("skipped", Tone::Faint),
        }
    }
}

/// The name of a group of checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group(pub(crate) &'static str);

impl Group {
    /// Creates a check of this group.
    pub(crate) fn check(self, name: impl Into<String>, outcome: Outcome) -> Check {
        Check {
            group: self.0,
            name: name.into(),
            outcome,
        }
    }
}

/// A function that judges a description, with the name of its check.
pub(crate) type Judgment<'a, T> = (&'a str, &'a dyn Fn(&T) -> Outcome);

/// Returns the checks of one resource, by names and judgments. If the resource could not be
/// described, all of them have that outcome.
pub(crate) fn judge<T>(
    group: Group,
    subject: &str,
    described: &Described<T>,
    judgments: &[Judgment<'_, T>],
) -> Vec<Check> {
    let outcome = |judgment: &dyn Fn(&T) -> Outcome| match described {
        Ok(described) => judgment(described),
        Err(outcome) => outcome.clone(),
    };
    let checks = judgments.iter();
    checks
        .map(|(name, judgment)| group.check(format!("{subject}: {name}"), outcome(*judgment)))
        .collect()
}

/// All checks of a run. Its JSON format is a contract: fields may be added but never renamed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    version: &'static str,
    /// `None` if it was not found.
    stack: Option<String>,
    region: Option<String>,
    /// True for a local emulator, false for AWS.
    local: bool,
    at: String,
    passed: usize,
    warned: usize,
    failed: usize,
    skipped: usize,
    pub(crate) checks: Vec<Check>,
}

impl Report {
    pub(crate) fn new(context: &Context, at: Timestamp, checks: Vec<Check>) -> Self {
        Self {
            stack: context.stack.name().map(str::to_owned),
            region: Some(context.stack.region().to_owned()),
            local: context.is_local(),
            ..Self::of(at, checks)
        }
    }

    /// Returns the report for a stack that was not found.
    pub(crate) fn of_missing_stack(at: Timestamp, error: &anyhow::Error) -> Self {
        let outcome = Outcome::failed(
            format!("{error:#}"),
            "name a deployed stack, with credentials that can describe it",
        );
        Self::of(at, vec![Group("stack").check("found", outcome)])
    }

    fn of(at: Timestamp, checks: Vec<Check>) -> Self {
        let count = |word| {
            let of_word = |check: &&Check| check.outcome.word().0 == word;
            checks.iter().filter(of_word).count()
        };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            stack: None,
            region: None,
            local: false,
            at: at.to_string(),
            passed: count("passed"),
            warned: count("warned"),
            failed: count("FAILED"),
            skipped: count("skipped"),
            checks,
        }
    }

    /// Returns true if a check has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed > 0
    }

    /// Returns the report as text without secrets, to be attached to an issue.
    pub(crate) fn to_attach(&self) -> String {
        let unknown = || "not found".to_owned();
        let heading = format!(
            "webhooks doctor {version}\nstack {stack} in {region}{place}, {at}\n\n",
            version = self.version,
            stack = self.stack.clone().unwrap_or_else(unknown),
            region = self.region.clone().unwrap_or_else(unknown),
            place = if self.local { " (local)" } else { "" },
            at = self.at,
        );
        without_secrets(&(heading + &print::Report::text(self, Style::Plain)))
    }
}

impl print::Report for Report {
    fn text(&self, style: Style) -> String {
        let mut table = Table::untitled();
        for check in &self.checks {
            let (word, tone) = check.outcome.word();
            let detail = match &check.outcome {
                Outcome::Passed { detail } => Cell::new(detail, Tone::Faint),
                Outcome::Skipped { reason } => Cell::new(reason, Tone::Faint),
                Outcome::Warned { .. } | Outcome::Failed { .. } => "".into(),
            };
            table.push([
                Cell::new(word, tone),
                check.group.into(),
                check.name.as_str().into(),
                detail,
            ]);
        }
        let rows = table.text(style);
        let mut text = String::new();
        for (row, check) in rows.lines().zip(&self.checks) {
            text.push_str(row.trim_end());
            text.push('\n');
            if let Outcome::Warned { reason, fix } | Outcome::Failed { reason, fix } =
                &check.outcome
            {
                let (_, tone) = check.outcome.word();
                let reason = style.paint(tone, reason);
                let fix = style.paint(Tone::Strong, fix);
                text.extend([
                    "           why: ",
                    &reason,
                    "\n           fix: ",
                    &fix,
                    "\n",
                ]);
            }
        }
        let counts = format!(
            "{} passed, {} warned, {} failed, {} skipped",
            self.passed, self.warned, self.failed, self.skipped
        );
        let tone = if self.has_failed() {
            Tone::Bad
        } else {
            Tone::Good
        };
        text.extend(["\n  ", &style.paint(tone, &counts), "\n"]);
        text
    }
}

/// Shortens account ids, and removes access keys, signing secrets, tokens and the queries of
/// URLs.
fn without_secrets(text: &str) -> String {
    let regex = |pattern| Regex::new(pattern).expect("the pattern is a constant");
    let account = regex(r"\b(\d{4})\d{8}\b");
    let text = account.replace_all(text, |found: &Captures<'_>| {
        format!("{}********", &found[1])
    });
    let access_key = regex(r"\b(A[A-Z]{3})[A-Z0-9]{12,124}\b");
    let text = access_key.replace_all(&text, "$1…");
    let secret = regex(r"\b(whsec_|whsk_)[A-Za-z0-9+/=_-]+");
    let text = secret.replace_all(&text, "$1…");
    let query = regex(r"(?i)\b(https?://[^\s?#`'\x22]*)[?#][^\s`'\x22]*");
    let text = query.replace_all(&text, "$1?…");
    let user = regex(r"(?i)\b(https?://)[^\s/@`'\x22]+@");
    let text = user.replace_all(&text, "$1…@");
    // A text of the length of a secret access key or session token that is no id or ARN.
    let token = regex(r"[A-Za-z0-9+/=]{40,}");
    token.replace_all(&text, "…").into_owned()
}

/// Helpers for tests of judgments.
#[cfg(test)]
pub(crate) mod fixtures {
    use super::Outcome;

    pub(crate) fn is_passed(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Passed { .. })
    }

    pub(crate) fn is_warned(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Warned { .. })
    }

    pub(crate) fn is_failed(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Failed { .. })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::print::Report as _;

    const AT: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn report() -> Report {
        let group = Group("queues");
        let checks = vec![
            group.check("a", Outcome::passed("fine")),
            group.check("longer", Outcome::failed("it is broken", "mend it")),
            Group("key").check("b", Outcome::warned("it is old", "look at it")),
            Group("key").check("c", Outcome::skipped("not here")),
        ];
        Report::of(AT, checks)
    }

    #[test]
    fn a_failure_is_followed_by_its_reason_and_fix() {
        assert_eq!(
            report().text(Style::Plain),
            "  passed   queues  a       fine\n  \
               FAILED   queues  longer\n           \
                        why: it is broken\n           \
                        fix: mend it\n  \
               warned   key     b\n           \
                        why: it is old\n           \
                        fix: look at it\n  \
               skipped  key     c       not here\n\n  \
               1 passed, 1 warned, 1 failed, 1 skipped\n"
        );
    }

    #[test]
    fn missing_support_is_skipped_only_on_an_emulator() {
        let off = Outcome::failed("off", "on");
        let skipped = Outcome::skipped("not deployed by the local emulator (off)");
        assert_eq!(off.clone().unless_local(true), skipped);
        assert_eq!(off.clone().unless_local(false), off);
        let passed = Outcome::passed("on");
        assert_eq!(passed.clone().unless_local(true), passed);
    }

    #[test]
    fn the_json_keeps_its_shape() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["failed"], 1);
        assert_eq!(
            json["checks"][1],
            json!({"group": "queues", "name": "longer", "outcome": "failed",
                   "reason": "it is broken", "fix": "mend it"})
        );
        assert_eq!(
            json["checks"][0],
            json!({"group": "queues", "name": "a", "outcome": "passed", "detail": "fine"})
        );
        assert_eq!(json["at"], AT.to_string());
        assert_eq!(json["stack"], json!(null));
    }

    #[test]
    fn only_a_failed_check_fails_the_run() {
        assert!(report().has_failed());
        let warned = Group("key").check("b", Outcome::warned("it is old", "look at it"));
        assert!(!Report::of(AT, vec![warned]).has_failed());
    }

    #[test]
    fn the_attached_report_contains_no_secret() {
        let secrets = [
            "123456789012",
            "AKIAIOSFODNN7EXAMPLE",
            "ASIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsk_zbh8TzYhkoOZ6cGsMqGO6EJzkIUtqLA3JAU1H1cB0bU=",
            "X-Amz-Signature=0123",
            "token=abc",
            "user:pass",
        ];
        let reason = format!(
            "arn:aws:lambda:us-east-1:{}:function:a as {} or {} with {} {} {}: \
             https://b.example.com/x?{} http://b.example.com/#{} https://{}@b.example.com/",
            secrets[0],
            secrets[1],
            secrets[2],
            secrets[3],
            secrets[4],
            secrets[5],
            secrets[6],
            secrets[7],
            secrets[8]
        );
        let check = Group("stack").check("a", Outcome::failed(&reason, &reason));
        let attached = Report::of(AT, vec![check]).to_attach();
        for secret in secrets {
            assert!(!attached.contains(secret), "`{secret}` is in {attached}");
        }
        assert!(attached.contains("arn:aws:lambda:us-east-1:1234********:function:a"));
        assert!(attached.contains("https://b.example.com/x?…"), "{attached}");
    }
}
