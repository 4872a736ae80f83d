//! `webhooks recover` and `webhooks replay`: many deliveries sent again.

use anyhow::Result;
use clap::{Args, ValueEnum};
use webhooks_client::{Api, DeliveryStatus, RecoveryCount, RecoveryKind, RecoveryRequest};
use webhooks_terminal::Style;

use crate::answer::{Answer, send};
use crate::ask::Yes;
use crate::print::Printer;
use crate::recoveries::{follow, text};
use crate::subscriptions::Named;
use crate::when::{moment, span};
use crate::{Outcome, clock};

/// What the API takes when it is not told.
const DEFAULT_PER_SECOND: u32 = 10;

pub(crate) const RECOVER_HELP: &str = "\
Examples:
  webhooks recover cust_1001 sub_… --since 2h --dry-run
  webhooks recover cust_1001 sub_… --since 2026-11-23T14:00:00Z --until 2026-11-23T16:00:00Z
  webhooks recover cust_1001 sub_… --since 7days --status held --per-second 50 --yes

Sends what failed or was held, created between --since and --until, with the webhook-id
and body that it had. Interrupted with Ctrl-C it goes on by itself: `webhooks recoveries`
shows and stops it.";

pub(crate) const REPLAY_HELP: &str = "\
Examples:
  webhooks replay cust_1001 sub_… --since 7days --dry-run
  webhooks replay cust_1001 sub_… --since 2026-11-01 --per-second 50 --yes

Sends the messages since then that match the subscription as it is now, and that it never
had: because it is new, or its filter or event types have changed. Interrupted with Ctrl-C
it goes on by itself: `webhooks recoveries` shows and stops it.";

/// Options of `recover`.
#[derive(Args, Debug)]
pub(crate) struct Recover {
    #[command(flatten)]
    span: Span,
    /// Those of this status only; without it, both. Repeatable, or with commas.
    #[arg(
        long = "status",
        value_name = "STATUS",
        value_enum,
        value_delimiter = ','
    )]
    statuses: Vec<Status>,
}

/// What can be sent again.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    Failed,
    Held,
}

impl From<Status> for DeliveryStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Failed => Self::Failed,
            Status::Held => Self::Held,
        }
    }
}

/// Options of `replay`.
#[derive(Args, Debug)]
pub(crate) struct Replay {
    #[command(flatten)]
    span: Span,
}

/// What both have.
#[derive(Args, Debug)]
struct Span {
    #[command(flatten)]
    named: Named,
    /// From then on: an age such as `2h`, a day or an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: String,
    /// Before then: an age, a day or an RFC 3339 time [default: now].
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<String>,
    /// How many to send each second [default: 10].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    per_second: Option<u32>,
    /// Only count them.
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for the end.
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    yes: Yes,
}

impl Recover {
    /// Counts, asks, starts and follows.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let statuses = self
            .statuses
            .iter()
            .map(|&status| DeliveryStatus::from(status));
        let statuses: Vec<_> = statuses.collect();
        let statuses = (!statuses.is_empty()).then_some(statuses);
        self.span
            .run(RecoveryKind::Recover, statuses, api, printer)
            .await
    }
}

impl Replay {
    /// Counts, asks, starts and follows.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        self.span
            .run(RecoveryKind::Replay, None, api, printer)
            .await
    }
}

impl Span {
    async fn run(
        &self,
        kind: RecoveryKind,
        statuses: Option<Vec<DeliveryStatus>>,
        api: &Api,
        printer: &mut Printer<'_>,
    ) -> Result<Outcome> {
        let Named {
            customer,
            subscription,
        } = &self.named;
        let request = RecoveryRequest {
            since: self.since.clone(),
            // What is counted is what is sent.
            until: Some(
                self.until
                    .clone()
                    .unwrap_or_else(|| clock::now().to_string()),
            ),
            statuses,
            per_second: self.per_second,
        };
        let per_second = self.per_second.unwrap_or(DEFAULT_PER_SECOND);
        let counted: Answer<RecoveryCount> =
            send(api.count_recovery(kind, customer, subscription, &request)).await?;
        if self.dry_run {
            printer.answer(&counted, |count, _| count_text(kind, *count, per_second))?;
            return Ok(Outcome::Complete);
        }
        printer.note(count_text(kind, counted.value, per_second).trim_end())?;
        // With none, starting one is harmless, and scripts get the same form of answer.
        if counted.value.count > 0 || !counted.value.complete {
            let question = format!("Send them to {subscription}?");
            if !self.yes.confirmed(&question)? {
                printer.note("  nothing was started")?;
                return Ok(Outcome::Incomplete);
            }
        } else if !printer.is_json() {
            return Ok(Outcome::Complete);
        }
        let started = send(api.start_recovery(kind, customer, subscription, &request)).await?;
        if self.no_wait {
            printer.answer(&started, |recovery, style: Style| {
                format!(
                    "{}\n  `webhooks recoveries show {customer} {subscription} {}` shows how far it is.\n",
                    text(recovery, style),
                    recovery.id
                )
            })?;
            return Ok(Outcome::Complete);
        }
        follow(&self.named, &started.value.id, counted.value, api, printer).await
    }
}

/// How many there are, and how long they take.
fn count_text(kind: RecoveryKind, count: RecoveryCount, per_second: u32) -> String {
    let what = match (kind, count.count) {
        (RecoveryKind::Recover, 1) => "delivery to send again",
        (RecoveryKind::Recover, _) => "deliveries to send again",
        (RecoveryKind::Replay, 1) => "message that the subscription never had",
        (RecoveryKind::Replay, _) => "messages that the subscription never had",
    };
    let at_least = if count.complete { "" } else { "at least " };
    let seconds = count.count.div_ceil(u64::from(per_second));
    let takes = if count.count == 0 {
        String::new()
    } else {
        let duration = span(std::time::Duration::from_secs(seconds));
        let about = if count.complete { "about" } else { "at least" };
        format!(", at {per_second} a second: {about} {duration}")
    };
    format!("  {at_least}{} {what}{takes}\n", count.count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_says_how_long_it_takes() {
        let text = |kind, count, complete| count_text(kind, RecoveryCount { count, complete }, 10);
        assert_eq!(
            text(RecoveryKind::Recover, 1204, true),
            "  1204 deliveries to send again, at 10 a second: about 2m 1s\n"
        );
        assert_eq!(
            text(RecoveryKind::Replay, 1000, false),
            "  at least 1000 messages that the subscription never had, at 10 a second: at least 1m 40s\n"
        );
        assert_eq!(
            text(RecoveryKind::Recover, 0, true),
            "  0 deliveries to send again\n"
        );
    }
}
